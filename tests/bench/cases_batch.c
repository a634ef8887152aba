/* SPDX-License-Identifier: BSD-3-Clause */
#include "cases_batch.h"

#include <dlfcn.h>
#include <libpmemblk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "cases_blk.h"
#include "limits.h"
#include "workers.h"

#define TOUCHED_OPS 20000u

enum op { OP_WRITEV, OP_READV };

typedef int call_of_many(PMEMblkpool *pool, const struct pmemblk_iovec *iov, size_t n,
			 long long *failed);

struct state {
	const struct turns_case *c;
	enum turns_party party;
	PMEMblkpool *pool;
	uint64_t nblock; /* the number of blocks that are used */
	/*
	 * Found with dlsym(). The program is not linked with the function, because then it would
	 * not start on the original, on which its other cases run.
	 */
	call_of_many *call;
	struct limit limit;
	struct workers all;
	char path[4096];
};

static void choose(struct worker *w, struct pmemblk_iovec *iov)
{
	const struct state *s = w->state;

	for (unsigned i = 0; i < s->c->batch; i++)
		iov[i] = (struct pmemblk_iovec){
		    w->buf + i * s->c->bsize,
		    (long long)bench_below(bench_random(&w->seed), s->nblock), 1};
}

static uint64_t work_batch(struct worker *w)
{
	const struct state *s = w->state;
	struct pmemblk_iovec iov[LIMIT_BATCH];

	choose(w, iov);
	if (s->call(s->pool, iov, s->c->batch, NULL) != 0)
		bench_die(s->c->name, pmemblk_errormsg());
	return s->c->batch;
}

static uint64_t work_single(struct worker *w)
{
	const struct state *s = w->state;
	struct pmemblk_iovec iov[LIMIT_BATCH];

	choose(w, iov);
	for (unsigned i = 0; i < s->c->batch; i++)
		if ((s->c->op == OP_READV
			 ? pmemblk_read(s->pool, iov[i].buf, iov[i].blockno)
			 : pmemblk_write(s->pool, iov[i].buf, iov[i].blockno)) != 0)
			bench_die(s->c->name, pmemblk_errormsg());
	return s->c->batch;
}

static uint64_t work_bare(struct worker *w)
{
	struct state *s = w->state;

	if (s->c->op == OP_READV)
		limit_readv(&s->limit, w, s->c->batch);
	else if (s->c->is_disk)
		limit_filev(&s->limit, w, s->c->batch);
	else
		limit_writev(&s->limit, w, s->c->batch);
	return s->c->batch;
}

static void *prepare(const struct turns_case *c, const char *dir, enum turns_party party)
{
	struct state *s = calloc(1, sizeof(*s));
	uint64_t (*work)(struct worker * w) = work_single;

	if (!s)
		bench_die(c->name, "out of memory");
	s->c = c;
	s->party = party;
	snprintf(s->path, sizeof(s->path), "%s/pool", dir);
	unlink(s->path);
	if (party == TURNS_LIMIT) {
		limit_init(&s->limit, c, dir);
		work = work_bare;
	} else {
		s->nblock = c->is_disk ? CASES_BLK_DISK_BLOCKS : 0;
		s->pool = cases_blk_pool(s->path, c->bsize, c->pool_size, &s->nblock);
	}
	if (party == TURNS_OURS) {
		*(void **)&s->call = dlsym(
		    RTLD_DEFAULT, c->op == OP_READV ? "pmemblk_readv" : "pmemblk_writev");
		if (!s->call)
			bench_die(c->name, "the library has no batches");
		work = work_batch;
	}
	/* the limit uses one cache line more */
	workers_start(&s->all, c->threads, c->batch * c->bsize + 64, s, work);
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
	if (s->pool)
		pmemblk_close(s->pool);
	unlink(s->path);
	if (s->party == TURNS_LIMIT)
		limit_fini(&s->limit);
	free(s);
}

/* --- what is touched ----------------------------------------------------------------------- */

static void count(const struct state *s, struct turns_touched *t, unsigned char *seen,
		  const unsigned char *buf, uint64_t block)
{
	t->ops++;
	t->bytes += s->c->bsize;
	t->distinct += !(seen[block / 8] >> block % 8 & 1);
	seen[block / 8] = (unsigned char)(seen[block / 8] | 1u << block % 8);
	for (size_t i = 0; i < s->c->bsize; i++)
		if (buf[i]) {
			t->normal++;
			break;
		}
}

/*
 * Makes one call and finds out which blocks it has touched. A read must have filled the buffers; a
 * write must have changed the blocks.
 */
static void touch_once(struct worker *w, struct turns_touched *t, unsigned char *seen)
{
	const struct state *s = w->state;
	struct pmemblk_iovec iov[LIMIT_BATCH];
	uint64_t seed = w->seed;
	unsigned char *back = malloc(s->c->bsize);

	if (!back)
		bench_die(s->c->name, "out of memory");
	choose(w, iov);
	w->seed = seed;
	memset(w->buf, s->c->op == OP_READV ? 0 : 0x40 + (int)(seed % 64),
	       s->c->batch * s->c->bsize);
	for (unsigned i = 0; s->c->op == OP_WRITEV && i < s->c->batch; i++)
		if (pmemblk_read(s->pool, back, iov[i].blockno) == 0)
			count(s, t, seen, back, (uint64_t)iov[i].blockno);
	s->all.work(w);
	for (unsigned i = 0; i < s->c->batch; i++) {
		if (s->c->op == OP_READV)
			count(s, t, seen, iov[i].buf, (uint64_t)iov[i].blockno);
		else if (pmemblk_read(s->pool, back, iov[i].blockno) != 0 ||
			 memcmp(back, iov[i].buf, s->c->bsize) != 0)
			bench_die(s->c->name, "a block was not written");
	}
	t->calls += s->party == TURNS_OURS ? 1 : s->c->batch;
	free(back);
}

static void touched(void *state, struct turns_touched *t)
{
	struct state *s = state;
	unsigned char *seen = calloc(1, s->nblock / 8 + 1);
	struct worker w = s->all.worker[0];

	if (!seen)
		bench_die(s->c->name, "out of memory");
	*t = (struct turns_touched){0};
	while (t->ops < TOUCHED_OPS)
		touch_once(&w, t, seen);
	free(seen);
}

/* --- names --------------------------------------------------------------------------------- */

bool cases_batch_find(const char *name, bool is_disk, struct turns_case *c)
{
	char op[32] = "";

	*c = (struct turns_case){.is_disk = is_disk,
				 .has_limit = true,
				 .prepare = prepare,
				 .run = run,
				 .finish = finish,
				 .touched = touched};
	snprintf(c->name, sizeof(c->name), "%s", name);
	if (sscanf(name, "%31[a-z]/%zu/%u/%u", op, &c->bsize, &c->threads, &c->batch) !=
		4 ||
	    c->bsize == 0 || c->threads == 0 || c->threads > WORKERS_MAX ||
	    c->batch == 0 || c->batch > LIMIT_BATCH)
		return false;
	c->op = strcmp(op, "readv") == 0 ? OP_READV : OP_WRITEV;
	c->pool_size = is_disk ? CASES_BLK_DISK_SIZE : CASES_BLK_SIZE;
	return c->op == OP_READV || strcmp(op, "writev") == 0;
}
