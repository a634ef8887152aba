/* SPDX-License-Identifier: BSD-3-Clause */
#include "cases_beside.h"

#include <libpmemblk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "cases_blk.h"
#include "workers.h"

#define BATCH 32
#define TOUCHED_OPS 20000u

struct state {
	const struct turns_case *c;
	PMEMblkpool *pool;
	uint64_t nblock;
	struct workers all;
	char path[4096];
};

static uint64_t next_block(struct worker *w)
{
	const struct state *s = w->state;

	return bench_below(bench_random(&w->seed), s->nblock);
}

static void read_one(struct worker *w)
{
	const struct state *s = w->state;

	if (pmemblk_read(s->pool, w->buf, (long long)next_block(w)) != 0)
		bench_die(s->c->name, pmemblk_errormsg());
}

static void write_one(struct worker *w)
{
	const struct state *s = w->state;
	uint64_t block = next_block(w);
	uint64_t start = bench_now();

	if (pmemblk_write(s->pool, w->buf, (long long)block) != 0)
		bench_die(s->c->name, pmemblk_errormsg());
	start = bench_now() - start;
	if (start > w->worst)
		w->worst = start;
}

/* The first threads write, the others read. */
static uint64_t work(struct worker *w)
{
	const struct state *s = w->state;

	if (w->number >= s->c->threads) {
		for (int i = 0; i < BATCH; i++)
			read_one(w);
		w->others += BATCH;
		return 0;
	}
	for (int i = 0; i < BATCH; i++)
		write_one(w);
	return BATCH;
}

static void *prepare(const struct turns_case *c, const char *dir, enum turns_party party)
{
	struct state *s = calloc(1, sizeof(*s));

	(void)party;
	if (!s)
		bench_die(c->name, "out of memory");
	s->c = c;
	s->nblock = c->batch;
	snprintf(s->path, sizeof(s->path), "%s/pool", dir);
	unlink(s->path);
	s->pool = cases_blk_pool(s->path, c->bsize, c->pool_size, &s->nblock);
	workers_start(&s->all, c->threads + c->variant, c->bsize, s, work);
	return s;
}

static void run(void *state, uint64_t ns, struct turns_sample *sample)
{
	struct state *s = state;

	workers_run(&s->all, ns, sample);
}

static void finish(void *state)
{
	struct state *s = state;

	workers_end(&s->all);
	pmemblk_close(s->pool);
	unlink(s->path);
	free(s);
}

/* What a writer writes; bytes counts only blocks that have changed. */
static void touched(void *state, struct turns_touched *t)
{
	struct state *s = state;
	unsigned char *seen = calloc(s->nblock, 1);
	unsigned char *back = malloc(s->c->bsize);
	struct worker w = s->all.worker[0];

	if (!seen || !back)
		bench_die(s->c->name, "out of memory");
	*t = (struct turns_touched){.ops = TOUCHED_OPS};
	for (unsigned i = 0; i < TOUCHED_OPS; i++) {
		uint64_t seed = w.seed;
		uint64_t block = next_block(&w);

		w.seed = seed;
		memset(w.buf, (int)(i % 255 + 1), s->c->bsize);
		write_one(&w);
		if (pmemblk_read(s->pool, back, (long long)block) != 0)
			bench_die(s->c->name, pmemblk_errormsg());
		if (memcmp(back, w.buf, s->c->bsize) == 0)
			t->bytes += s->c->bsize;
		t->normal += back[0] != 0;
		t->distinct += !seen[block];
		seen[block] = 1;
	}
	free(back);
	free(seen);
}

bool cases_beside_find(const char *name, struct turns_case *c)
{
	*c = (struct turns_case){
	    .prepare = prepare, .run = run, .finish = finish, .touched = touched};
	snprintf(c->name, sizeof(c->name), "%s", name);
	if (sscanf(name, "beside/%zu/%u/%u/%u", &c->bsize, &c->threads, &c->variant,
		   &c->batch) != 4 ||
	    c->bsize == 0 || c->threads == 0 || c->variant == 0 || c->batch == 0 ||
	    c->threads > WORKERS_MAX || c->variant > WORKERS_MAX - c->threads)
		return false;
	c->pool_size = PMEMBLK_MIN_POOL + (size_t)4 * c->batch * (c->bsize + 512);
	return true;
}
