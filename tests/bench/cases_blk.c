/* SPDX-License-Identifier: BSD-3-Clause */
/* Operations on random blocks of block pools. Every block was written before. */
#include "cases_blk.h"

#include <libpmemblk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "limits.h"
#include "workers.h"

#define CHECK_SIZE ((size_t)1 << 30)
#define BATCH 32
#define TOUCHED_OPS 20000

enum op {
	OP_READ,
	OP_WRITE,
	OP_MIX,
	OP_ZERO,
	OP_FLAG,
	OP_FIRST,
	OP_OPEN,
	OP_CHECK,
	OP_CHECK_WRITTEN
};

struct blk {
	const struct turns_case *c;
	bool is_limit;
	PMEMblkpool *pool;
	uint64_t nblock; /* the number of blocks that are used */
	struct limit limit;
	struct workers all;
	char path[4096];
};

static void die(const char *what)
{
	bench_die(what, pmemblk_errormsg());
}

/* --- operations ---------------------------------------------------------------------------- */

static void count(struct turns_touched *t, unsigned char *seen, const unsigned char *buf,
		  const struct blk *b, uint64_t block)
{
	t->ops++;
	t->bytes += b->c->bsize;
	t->distinct += !(seen[block / 8] >> block % 8 & 1);
	seen[block / 8] = (unsigned char)(seen[block / 8] | 1u << block % 8);
	for (size_t i = 0; i < b->c->bsize; i++)
		if (buf[i]) {
			t->normal++;
			break;
		}
}

/* t and seen: NULL, or the counters to fill in. */
static inline __attribute__((always_inline)) void
run_one(struct worker *w, enum op op, struct turns_touched *t, unsigned char *seen)
{
	struct blk *b = w->state;
	uint64_t r = bench_random(&w->seed);
	uint64_t block = bench_below(r, b->nblock);
	bool reads = op == OP_READ || (op == OP_MIX && (r & 0xffff) < 0xffff * 7 / 10);
	int ret = 0;

	if (t && !reads && pmemblk_read(b->pool, w->buf, (long long)block) == 0)
		count(t, seen, w->buf, b, block);
	if (t && !reads)
		memset(w->buf, 0x5a, b->c->bsize);
	switch (op) {
	case OP_ZERO:
		ret = pmemblk_set_zero(b->pool, (long long)block);
		if (ret == 0)
			ret = pmemblk_write(b->pool, w->buf, (long long)block);
		break;
	/* each one is a change; the block gets its data back when the slice ends */
	case OP_FLAG:
		ret = r & 1 ? pmemblk_set_zero(b->pool, (long long)(block % 4096))
			    : pmemblk_set_error(b->pool, (long long)(block % 4096));
		break;
	default:
		ret = reads ? pmemblk_read(b->pool, w->buf, (long long)block)
			    : pmemblk_write(b->pool, w->buf, (long long)block);
	}
	if (ret)
		die("operation");
	if (t && reads)
		count(t, seen, w->buf, b, block);
}

#define WORK(name, op)                                                                   \
	static uint64_t name(struct worker *w)                                           \
	{                                                                                \
		for (int i = 0; i < BATCH; i++)                                          \
			run_one(w, op, NULL, NULL);                                      \
		return BATCH;                                                            \
	}
WORK(work_read, OP_READ)
WORK(work_write, OP_WRITE)
WORK(work_mix, OP_MIX)
WORK(work_zero, OP_ZERO)
WORK(work_flag, OP_FLAG)

static uint64_t work_write_disk(struct worker *w)
{
	run_one(w, OP_WRITE, NULL, NULL);
	return 1;
}

static uint64_t work_mix_disk(struct worker *w)
{
	run_one(w, OP_MIX, NULL, NULL);
	return 1;
}

#define LIMIT_WORK(name, batch, call)                                                    \
	static uint64_t name(struct worker *w)                                           \
	{                                                                                \
		struct blk *b = w->state;                                                \
                                                                                         \
		for (int i = 0; i < (batch); i++)                                        \
			call(&b->limit, w);                                              \
		return batch;                                                            \
	}
LIMIT_WORK(bare_read, BATCH, limit_read)
LIMIT_WORK(bare_write, BATCH, limit_write)
LIMIT_WORK(bare_zero, BATCH, limit_zero)
LIMIT_WORK(bare_file, 1, limit_file)

static uint64_t bare_mix(struct worker *w)
{
	struct blk *b = w->state;

	for (int i = 0; i < BATCH; i++) {
		if ((bench_random(&w->seed) & 0xffff) < 0xffff * 7 / 10)
			limit_read(&b->limit, w);
		else
			limit_write(&b->limit, w);
	}
	return BATCH;
}

PMEMblkpool *cases_blk_pool(const char *path, size_t bsize, size_t size, uint64_t *nblock)
{
	PMEMblkpool *pool = pmemblk_create(path, bsize, size, 0600);
	unsigned char *buf = malloc(bsize);

	if (!pool || !buf)
		die(path);
	if (*nblock == 0 || *nblock > pmemblk_nblock(pool))
		*nblock = pmemblk_nblock(pool);
	memset(buf, 3, bsize);
	for (uint64_t i = 0; i < *nblock; i++)
		if (pmemblk_write(pool, buf, (long long)i))
			die("the first write of a block");
	free(buf);
	return pool;
}

/* Makes a pool and writes all blocks that are used; b->pool is open. */
static void make_pool(struct blk *b, size_t size, uint64_t nblock)
{
	b->nblock = nblock;
	b->pool = cases_blk_pool(b->path, b->c->bsize, size, &b->nblock);
}

static struct blk *make(const struct turns_case *c, const char *dir,
			enum turns_party party)
{
	struct blk *b = calloc(1, sizeof(*b));

	if (!b)
		bench_die("a case", "out of memory");
	b->c = c;
	b->is_limit = party == TURNS_LIMIT;
	snprintf(b->path, sizeof(b->path), "%s/pool", dir);
	unlink(b->path);
	return b;
}

static void *prepare_ops(const struct turns_case *c, const char *dir,
			 enum turns_party party)
{
	static uint64_t (*const works[])(struct worker *) = {[OP_READ] = work_read,
							     [OP_WRITE] = work_write,
							     [OP_MIX] = work_mix,
							     [OP_ZERO] = work_zero,
							     [OP_FLAG] = work_flag};
	static uint64_t (*const bare[])(struct worker *) = {[OP_READ] = bare_read,
							    [OP_WRITE] = bare_write,
							    [OP_MIX] = bare_mix,
							    [OP_ZERO] = bare_zero,
							    [OP_FLAG] = bare_zero};
	bool limit = party == TURNS_LIMIT;
	struct blk *b = make(c, dir, party);
	uint64_t (*work)(struct worker *) = limit ? bare[c->op] : works[c->op];

	if (c->is_disk && c->op != OP_READ)
		work = limit		 ? bare_file
		       : c->op == OP_MIX ? work_mix_disk
					 : work_write_disk;
	if (limit)
		limit_init(&b->limit, c, dir);
	else
		make_pool(b, c->pool_size, c->is_disk ? CASES_BLK_DISK_BLOCKS : 0);
	workers_start(&b->all, c->threads, c->bsize, b, work);
	return b;
}

static void run_ops(void *state, uint64_t ns, struct turns_sample *sample)
{
	struct blk *b = state;

	workers_run(&b->all, ns, sample);
}

static void touch_ops(void *state, struct turns_touched *t)
{
	struct blk *b = state;
	unsigned char *seen = calloc(1, b->nblock / 8 + 1);
	struct worker w = b->all.worker[0];
	unsigned n = b->c->is_disk ? 20 : TOUCHED_OPS;

	*t = (struct turns_touched){0};
	for (unsigned i = 0; i < n; i++)
		switch ((enum op)b->c->op) {
		case OP_READ:
			run_one(&w, OP_READ, t, seen);
			break;
		case OP_MIX:
			run_one(&w, OP_MIX, t, seen);
			break;
		case OP_ZERO:
			run_one(&w, OP_ZERO, t, seen);
			break;
		default:
			run_one(&w, OP_WRITE, t, seen);
		}
	free(seen);
}

static void finish(void *state)
{
	struct blk *b = state;

	if (b->all.worker)
		workers_end(&b->all);
	if (b->pool)
		pmemblk_close(b->pool);
	unlink(b->path);
	if (b->is_limit)
		limit_fini(&b->limit);
	free(b);
}

/* --- a pool's life ------------------------------------------------------------------------- */

static void *prepare_life(const struct turns_case *c, const char *dir,
			  enum turns_party party)
{
	struct blk *b = make(c, dir, party);
	uint64_t seed = 88172645463325252u;
	unsigned char *buf;

	if (b->is_limit) {
		limit_make_file(&b->limit, c, dir);
		return b;
	}
	if (c->op == OP_FIRST)
		return b;
	make_pool(b, c->pool_size, c->op == OP_CHECK_WRITTEN ? 0 : 1);
	buf = calloc(1, c->bsize);
	for (unsigned i = 0; c->op == OP_CHECK_WRITTEN && i < b->nblock / 4; i++)
		if (!buf ||
		    pmemblk_write(b->pool, buf,
				  (long long)bench_below(bench_random(&seed), b->nblock)))
			die("write");
	free(buf);
	pmemblk_close(b->pool);
	b->pool = NULL;
	return b;
}

static uint64_t time_first(struct blk *b)
{
	unsigned char *buf = calloc(1, b->c->bsize);
	PMEMblkpool *pool;
	uint64_t start;

	unlink(b->path);
	pool = pmemblk_create(b->path, b->c->bsize, b->c->pool_size, 0600);
	if (!pool || !buf)
		die(b->path);
	start = bench_now();
	if (pmemblk_write(pool, buf, 0))
		die("first write");
	start = bench_now() - start;
	pmemblk_close(pool);
	free(buf);
	return start;
}

static uint64_t time_open(struct blk *b)
{
	uint64_t start = bench_now();
	PMEMblkpool *pool = pmemblk_open(b->path, b->c->bsize);

	if (!pool)
		die(b->path);
	pmemblk_close(pool);
	return bench_now() - start;
}

static uint64_t time_check(struct blk *b)
{
	uint64_t start = bench_now();

	if (pmemblk_check(b->path, b->c->bsize) != 1)
		die(b->path);
	return bench_now() - start;
}

static void run_life(void *state, uint64_t ns, struct turns_sample *sample)
{
	struct blk *b = state;
	uint64_t end = bench_now() + ns;

	*sample = (struct turns_sample){.threads = 1};
	do {
		switch ((enum op)b->c->op) {
		case OP_FIRST:
			sample->ns +=
			    b->is_limit ? limit_first(&b->limit) : time_first(b);
			break;
		case OP_OPEN:
			sample->ns += b->is_limit ? limit_open(&b->limit) : time_open(b);
			break;
		default:
			sample->ns +=
			    b->is_limit ? limit_check(&b->limit) : time_check(b);
		}
		sample->ops++;
	} while (bench_now() < end);
}

/* --- names --------------------------------------------------------------------------------- */

struct turns_case cases_blk_find(const char *name, bool is_disk)
{
	static const struct {
		const char *name;
		enum op op;
		unsigned variant;
	} ops[] = {{"read", OP_READ, 0},	  {"write", OP_WRITE, 0},
		   {"write-noload", OP_WRITE, 1}, {"mix", OP_MIX, 0},
		   {"zero", OP_ZERO, 0},	  {"flag", OP_FLAG, 0},
		   {"first", OP_FIRST, 0},	  {"open", OP_OPEN, 0},
		   {"check", OP_CHECK, 0},	  {"check-written", OP_CHECK_WRITTEN, 0}};
	struct turns_case c = {.threads = 1, .is_disk = is_disk, .has_limit = true};
	char op[32] = "";

	snprintf(c.name, sizeof(c.name), "%s", name);
	if (sscanf(name, "%31[a-z-]/%zu/%u", op, &c.bsize, &c.threads) < 2 ||
	    c.bsize == 0 || c.threads == 0 || c.threads > WORKERS_MAX)
		bench_die(name, "not a case");
	c.op = -1;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (strcmp(op, ops[i].name) == 0) {
			c.op = (int)ops[i].op;
			c.variant = ops[i].variant;
		}
	if (c.op < 0)
		bench_die(name, "not a case");
	c.finish = finish;
	if (c.op >= OP_FIRST) {
		c.prepare = prepare_life;
		c.run = run_life;
		c.pool_size = c.op >= OP_CHECK ? CHECK_SIZE : PMEMBLK_MIN_POOL;
	} else {
		c.prepare = prepare_ops;
		c.run = run_ops;
		c.touched = c.op == OP_FLAG ? NULL : touch_ops;
		c.pool_size = is_disk ? CASES_BLK_DISK_SIZE : CASES_BLK_SIZE;
		c.has_limit = c.op != OP_FLAG;
	}
	return c;
}
