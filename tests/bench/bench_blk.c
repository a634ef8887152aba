/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operations on a block pool through the public API, uniformly random blocks, and the bare loops
 * that are their limit (limits.h).
 *
 *	bench_blk DIR SECONDS CASE...
 *
 * DIR holds the pool; on /dev/shm, with PMEM_IS_PMEM_FORCE=1, it stands for persistent memory.
 * SECONDS is the time for one case. A case is OP/BSIZE/THREADS with OP one of read, write, mix
 * (70 % reads), zero (set_error and set_zero in turn); or LIFE/BSIZE with LIFE one of first (the
 * first write of a new pool), open (open and close), check (of a pool of 1 GiB); or one of the bare
 * loops limit-read/BSIZE, limit-write/BSIZE, limit-file.
 */
#include "bench.h"
#include "limits.h"

#include <libpmemblk.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#define POOL_SIZE ((size_t)300 << 20)
#define MAX_THREADS 64
#define BATCH 64

enum op { OP_READ, OP_WRITE, OP_MIX, OP_ZERO };

static const char *dir;
static uint64_t budget_ns;

struct worker {
	pthread_t thread;
	PMEMblkpool *pool;
	enum op op;
	size_t bsize;
	uint64_t nblock;
	uint64_t seed;
	uint64_t ops;
	long long mark; /* the block marked as bad, or -1 */
	atomic_bool *stop;
};

static inline __attribute__((always_inline)) void run_one(struct worker *w, enum op op,
							  unsigned char *buf)
{
	uint64_t r = bench_random(&w->seed);
	long long block = (long long)bench_below(r, w->nblock);
	int ret = 0;

	switch (op) {
	case OP_READ:
		ret = pmemblk_read(w->pool, buf, block);
		break;
	case OP_WRITE:
		ret = pmemblk_write(w->pool, buf, block);
		break;
	case OP_MIX:
		if ((r & 0xffff) < 0xffff * 7 / 10)
			ret = pmemblk_read(w->pool, buf, block);
		else
			ret = pmemblk_write(w->pool, buf, block);
		break;
	case OP_ZERO: /* a change each time: bad, then zero */
		ret = w->mark >= 0 ? pmemblk_set_zero(w->pool, w->mark)
				   : pmemblk_set_error(w->pool, block);
		w->mark = w->mark >= 0 ? -1 : block;
		break;
	}
	if (ret)
		bench_die("operation", pmemblk_errormsg());
}

static inline __attribute__((always_inline)) void run_all(struct worker *w, enum op op,
							  unsigned char *buf)
{
	while (!atomic_load_explicit(w->stop, memory_order_relaxed)) {
		for (int i = 0; i < BATCH; i++)
			run_one(w, op, buf);
		w->ops += BATCH;
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	unsigned char *buf = aligned_alloc(4096, (w->bsize + 4095) / 4096 * 4096);

	memset(buf, 0x5a, w->bsize);
	switch (w->op) {
	case OP_READ:
		run_all(w, OP_READ, buf);
		break;
	case OP_WRITE:
		run_all(w, OP_WRITE, buf);
		break;
	case OP_MIX:
		run_all(w, OP_MIX, buf);
		break;
	case OP_ZERO:
		run_all(w, OP_ZERO, buf);
		break;
	}
	free(buf);
	return NULL;
}

static PMEMblkpool *kept_pool;
static size_t kept_bsize;

static void drop_pool(void)
{
	char path[4096];

	if (kept_pool)
		pmemblk_close(kept_pool);
	kept_pool = NULL;
	snprintf(path, sizeof(path), "%s/bench_blk.pool", dir);
	unlink(path);
}

/* A pool in which every block was written (on disk only the first), kept from case to case. */
static PMEMblkpool *filled_pool(size_t bsize, bool disk)
{
	unsigned char *buf;
	char path[4096];
	size_t nblock;

	if (kept_pool && kept_bsize == bsize)
		return kept_pool;
	drop_pool();
	snprintf(path, sizeof(path), "%s/bench_blk.pool", dir);
	kept_pool =
	    pmemblk_create(path, bsize, disk ? (size_t)32 << 20 : POOL_SIZE, 0600);
	if (!kept_pool)
		bench_die(path, pmemblk_errormsg());
	kept_bsize = bsize;
	buf = calloc(1, bsize);
	nblock = disk ? 1 : pmemblk_nblock(kept_pool);
	for (size_t i = 0; i < nblock; i++)
		if (pmemblk_write(kept_pool, buf, (long long)i))
			bench_die("warm-up", pmemblk_errormsg());
	free(buf);
	return kept_pool;
}

static void bench_ops(const char *name, enum op op, size_t bsize, unsigned threads,
		      bool disk)
{
	struct worker w[MAX_THREADS];
	struct timespec pause = {.tv_sec = (time_t)(budget_ns / 1000000000u),
				 .tv_nsec = (long)(budget_ns % 1000000000u)};
	atomic_bool stop = false;
	PMEMblkpool *pool = filled_pool(bsize, disk);
	uint64_t start;
	uint64_t took;
	uint64_t ops = 0;
	size_t nblock;

	nblock = pmemblk_nblock(pool);
	if (disk && nblock > 1024)
		nblock = 1024;
	start = bench_now();
	for (unsigned i = 0; i < threads; i++) {
		w[i] = (struct worker){.pool = pool,
				       .op = op,
				       .bsize = bsize,
				       .nblock = nblock,
				       .seed = 0x9e3779b97f4a7c15u * (i + 1),
				       .mark = -1,
				       .stop = &stop};
		pthread_create(&w[i].thread, NULL, work, &w[i]);
	}
	nanosleep(&pause, NULL);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(w[i].thread, NULL);
		ops += w[i].ops;
	}
	took = bench_now() - start;
	bench_report(name, (double)took / (double)ops);
}

static void bench_life(const char *name, bool first, size_t bsize)
{
	unsigned char *buf = calloc(1, bsize);
	PMEMblkpool *pool;
	char path[4096];
	uint64_t took = 0;
	uint64_t n = 0;

	snprintf(path, sizeof(path), "%s/bench_blk.pool", dir);
	unlink(path);
	/* making a pool takes much longer than what is measured of its first write */
	while (took < budget_ns && (!first || n < 40)) {
		uint64_t start;

		if (first || n == 0) {
			unlink(path);
			pool = pmemblk_create(path, bsize, PMEMBLK_MIN_POOL, 0600);
			if (!pool)
				bench_die(path, pmemblk_errormsg());
		}
		start = bench_now();
		if (first || n == 0) {
			if (pmemblk_write(pool, buf, 0))
				bench_die("first write", pmemblk_errormsg());
			if (first)
				took += bench_now() - start;
			pmemblk_close(pool);
			start = bench_now();
		}
		if (!first) {
			pool = pmemblk_open(path, bsize);
			if (!pool)
				bench_die(path, pmemblk_errormsg());
			pmemblk_close(pool);
			took += bench_now() - start;
		}
		n++;
	}
	bench_report(name, (double)took / (double)n);
	unlink(path);
	free(buf);
}

static void bench_check(const char *name, size_t bsize)
{
	PMEMblkpool *pool;
	unsigned char *buf = calloc(1, bsize);
	char path[4096];
	uint64_t took = 0;
	uint64_t n = 0;

	snprintf(path, sizeof(path), "%s/bench_blk.pool", dir);
	unlink(path);
	pool = pmemblk_create(path, bsize, (size_t)1 << 30, 0600);
	if (!pool || pmemblk_write(pool, buf, 0))
		bench_die(path, pmemblk_errormsg());
	pmemblk_close(pool);
	while (took < budget_ns) {
		uint64_t start = bench_now();

		if (pmemblk_check(path, bsize) != 1)
			bench_die(path, pmemblk_errormsg());
		took += bench_now() - start;
		n++;
	}
	bench_report(name, (double)took / (double)n);
	unlink(path);
	free(buf);
}

static void run_case(const char *name)
{
	static const struct {
		const char *name;
		enum op op;
	} ops[] = {
	    {"read", OP_READ}, {"write", OP_WRITE}, {"mix", OP_MIX}, {"zero", OP_ZERO}};
	char op[32] = "";
	unsigned threads = 1;
	size_t bsize = 512;
	bool disk = getenv("BENCH_DISK") != NULL;
	const struct limits limits = {dir, POOL_SIZE, budget_ns};

	if (sscanf(name, "%31[a-z-]/%zu/%u", op, &bsize, &threads) < 1 || bsize == 0 ||
	    threads == 0 || threads > MAX_THREADS)
		bench_die(name, "not a case");
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (strcmp(op, ops[i].name) == 0) {
			bench_ops(name, ops[i].op, bsize, threads, disk);
			return;
		}
	drop_pool();
	if (strcmp(op, "first") == 0 || strcmp(op, "open") == 0)
		bench_life(name, op[0] == 'f', bsize);
	else if (strcmp(op, "check") == 0)
		bench_check(name, bsize);
	else if (strcmp(op, "limit-write") == 0)
		limit_write(&limits, name, bsize);
	else if (strcmp(op, "limit-read") == 0)
		limit_read(&limits, name, bsize);
	else if (strcmp(op, "limit-file") == 0)
		limit_file(&limits, name);
	else
		bench_die(name, "not a case");
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: %s DIR SECONDS CASE...\n", argv[0]);
		return 2;
	}
	dir = argv[1];
	budget_ns = (uint64_t)(atof(argv[2]) * 1e9);
	for (int i = 3; i < argc; i++)
		run_case(argv[i]);
	drop_pool();
	return 0;
}
