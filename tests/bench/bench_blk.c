/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operations on a block pool through the public API, uniformly random blocks, and the bare loops
 * that are their limit: the same loads, copies, flushes and fences on the same kind of memory,
 * without library, locks or checks.
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

#include <errno.h>
#include <fcntl.h>
#include <libpmemblk.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

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

/* --- the limits ------------------------------------------------------------------------- */

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static void copy_nt_64(char *d, const char *s,
							  size_t n)
{
	for (; n >= 64; n -= 64, d += 64, s += 64)
		_mm512_stream_si512((void *)d, _mm512_loadu_si512(s));
}

__attribute__((target("avx"))) static void copy_nt_32(char *d, const char *s, size_t n)
{
	for (; n >= 32; n -= 32, d += 32, s += 32)
		_mm256_stream_si256((void *)d, _mm256_loadu_si256((const void *)s));
}

static void copy_nt_16(char *d, const char *s, size_t n)
{
	for (; n >= 16; n -= 16, d += 16, s += 16)
		_mm_stream_si128((void *)d, _mm_loadu_si128((const void *)s));
}

__attribute__((target("clwb"))) static void flush_clwb(void *p)
{
	_mm_clwb(p);
}

static void flush_clflush(void *p)
{
	_mm_clflush(p);
}

static void fence(void)
{
	_mm_sfence();
}

static void (*best_copy(int k))(char *, const char *, size_t)
{
	if (k == 2)
		return __builtin_cpu_supports("avx512f") ? copy_nt_64 : NULL;
	if (k == 1)
		return __builtin_cpu_supports("avx") ? copy_nt_32 : NULL;
	return copy_nt_16;
}

static bool has_clwb(void)
{
	unsigned a = 7, b = 0, c = 0, d = 0;

	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return b & 1u << 24;
}
#endif

static char *map_memory(size_t *blocks, size_t bsize, char **map)
{
	char path[4096];
	char *base;
	int fd;

	snprintf(path, sizeof(path), "%s/bench_blk.limit", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || posix_fallocate(fd, 0, POOL_SIZE))
		bench_die(path, "cannot make the file");
	unlink(path);
	base = mmap(NULL, POOL_SIZE + (2u << 20), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	base =
	    (char *)(((uintptr_t)base + (2u << 20) - 1) & ~(uintptr_t)((2u << 20) - 1));
	base =
	    mmap(base, POOL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	if (base == MAP_FAILED)
		bench_die(path, "cannot map the file");
	close(fd);
	memset(base, 1, POOL_SIZE);
	*blocks = (POOL_SIZE - (1u << 20)) / ((bsize + 255) / 256 * 256 + 4);
	*map = base + POOL_SIZE - *blocks * 4;
	*map -= (uintptr_t)*map % 64;
	return base;
}

static void limit_write(const char *name, size_t bsize)
{
#if defined(__x86_64__)
	void (*flush)(void *) = has_clwb() ? flush_clwb : flush_clflush;
	size_t stride = (bsize + 255) / 256 * 256;
	size_t blocks;
	char *map;
	char *base = map_memory(&blocks, bsize, &map);
	char *src = aligned_alloc(64, stride);
	char *flog = base + blocks * stride - 64;
	double best = 1e18;

	flog -= (uintptr_t)flog % 64;
	memset(src, 0x5a, stride);
	for (int k = 0; k < 3; k++) {
		void (*copy)(char *, const char *, size_t) = best_copy(k);
		uint64_t seed = 88172645463325252u;
		uint64_t start = bench_now();
		uint64_t n = 0;
		uint64_t took;

		if (!copy)
			continue;
		do {
			for (int i = 0; i < BATCH; i++) {
				uint64_t r = bench_random(&seed);
				char *entry = map + bench_below(r * 31, blocks) * 4;

				copy(base + bench_below(r, blocks - 1) * stride, src,
				     bsize);
				fence();
				((volatile uint64_t *)flog)[0] = r;
				((volatile uint64_t *)flog)[1] = r;
				flush(flog);
				fence();
				*(volatile uint32_t *)entry = (uint32_t)r;
				flush(entry);
			}
			n += BATCH;
			took = bench_now() - start;
		} while (took < budget_ns / 3);
		if ((double)took / (double)n < best)
			best = (double)took / (double)n;
	}
	bench_report(name, best);
	munmap(base, POOL_SIZE);
	free(src);
#else
	(void)bsize;
	bench_report(name, 0);
#endif
}

static void limit_read(const char *name, size_t bsize)
{
	size_t stride = (bsize + 255) / 256 * 256;
	size_t blocks;
	char *map;
	char *base = map_memory(&blocks, bsize, &map);
	char *buf = aligned_alloc(4096, (stride + 4095) / 4096 * 4096);
	uint64_t seed = 88172645463325252u;
	uint64_t start;
	uint64_t took;
	uint64_t n = 0;

	for (size_t i = 0; i < blocks; i++) {
		uint32_t to = (uint32_t)(bench_random(&seed) % (blocks - 1));

		memcpy(map + 4 * i, &to, 4);
	}
	start = bench_now();
	do {
		for (int i = 0; i < BATCH; i++) {
			size_t from = bench_below(bench_random(&seed), blocks);
			uint32_t to = *(volatile uint32_t *)(map + 4 * from);

			memcpy(buf, base + to * stride, bsize);
			__asm__ volatile("" : : "r"(buf) : "memory");
		}
		n += BATCH;
		took = bench_now() - start;
	} while (took < budget_ns);
	bench_report(name, (double)took / (double)n);
	munmap(base, POOL_SIZE);
	free(buf);
}

/* Two syncs of one page each, as two steps of one write need them. */
static void limit_file(const char *name)
{
	size_t blocks;
	char *map;
	char *base = map_memory(&blocks, 4096, &map);
	uint64_t seed = 88172645463325252u;
	uint64_t start = bench_now();
	uint64_t took;
	uint64_t n = 0;

	do {
		uint64_t page = bench_random(&seed) % 1024 * 4096;

		base[page] = (char)n;
		if (msync(base + page, 4096, MS_SYNC))
			bench_die("msync", "failed");
		base[(8u << 20)] = (char)n;
		if (msync(base + (8u << 20), 4096, MS_SYNC))
			bench_die("msync", "failed");
		n++;
		took = bench_now() - start;
	} while (took < budget_ns);
	bench_report(name, (double)took / (double)n);
	munmap(base, POOL_SIZE);
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
		limit_write(name, bsize);
	else if (strcmp(op, "limit-read") == 0)
		limit_read(name, bsize);
	else if (strcmp(op, "limit-file") == 0)
		limit_file(name);
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
