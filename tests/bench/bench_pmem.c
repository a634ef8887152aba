/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmem's functions on a file on /dev/shm that counts as persistent memory
 * (PMEM_IS_PMEM_FORCE=1).
 *
 *	bench_pmem [PATTERN [MAX]]
 *
 * A case is FIGURE/VARIANT/SIZE/ALIGNMENT/THREADS; PATTERN (fnmatch) selects some by their
 * figure and variant, MAX is the largest size [16777216]. A case runs in batches that are long
 * enough for the clock; the fastest of them counts, because whatever disturbs a batch makes it
 * slower. Sizes up to SMALL go round in slots that stay in the cache and do not overlap.
 */
#include "bench.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <libpmem.h>
#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MIB ((size_t)1 << 20)
#define AREA (80 * MIB)
#define SMALL ((size_t)4096)
#define RING ((size_t)16 << 10)
#define BATCH_NS 150e3
#define BATCHES 5

static const char *pattern = "*";
static size_t max_size = 16 * MIB;
static char *area; /* per thread: AREA / 2 */
static char *source;

struct work {
	void (*op)(const struct work *w, char *dest, const char *src);
	size_t size;
	size_t align;
	size_t step;
	unsigned flags;
	char *dest;
	const char *src;
	double ns;
};

/* --- what is timed ------------------------------------------------------------------- */

static void op_memcpy(const struct work *w, char *dest, const char *src)
{
	pmem_memcpy(dest, src, w->size, w->flags);
}

static void op_forward(const struct work *w, char *dest, const char *src)
{
	(void)src;
	pmem_memmove(dest, dest + 96, w->size, w->flags);
}

static void op_backward(const struct work *w, char *dest, const char *src)
{
	(void)src;
	pmem_memmove(dest + 96, dest, w->size, w->flags);
}

static void op_memset(const struct work *w, char *dest, const char *src)
{
	pmem_memset(dest, (int)(uintptr_t)src, w->size, w->flags);
}

static void op_persist(const struct work *w, char *dest, const char *src)
{
	*(volatile char *)dest = *src;
	pmem_persist(dest, w->size);
}

static void op_flush(const struct work *w, char *dest, const char *src)
{
	*(volatile char *)dest = *src;
	pmem_flush(dest, w->size);
}

static void op_is_pmem(const struct work *w, char *dest, const char *src)
{
	(void)src;
	pmem_is_pmem(dest, w->size);
}

#ifdef __x86_64__
/* The bare loops that bulk copies are measured against. */
__attribute__((target("sse2"))) static void bare_16(const struct work *w, char *dest,
						    const char *src)
{
	for (size_t i = 0; i < w->size; i += 16)
		_mm_stream_si128(
		    (__m128i *)(void *)(dest + i),
		    _mm_loadu_si128((const __m128i *)(const void *)(src + i)));
	_mm_sfence();
}

__attribute__((target("avx"))) static void bare_32(const struct work *w, char *dest,
						   const char *src)
{
	for (size_t i = 0; i < w->size; i += 32)
		_mm256_stream_si256(
		    (__m256i *)(void *)(dest + i),
		    _mm256_loadu_si256((const __m256i *)(const void *)(src + i)));
	_mm_sfence();
}

__attribute__((target("avx512f"))) static void bare_64(const struct work *w, char *dest,
						       const char *src)
{
	for (size_t i = 0; i < w->size; i += 64)
		_mm512_stream_si512((void *)(dest + i),
				    _mm512_loadu_si512((const void *)(src + i)));
	_mm_sfence();
}
#endif

/* --- the clock ----------------------------------------------------------------------- */

static double batch(const struct work *w, size_t n)
{
	const size_t ring = w->size <= SMALL ? RING : w->step;
	size_t at = 0;
	double start = (double)bench_now();

	for (size_t i = 0; i < n; i++) {
		w->op(w, w->dest + at, w->src + at);
		at += w->step;
		if (at >= ring)
			at = 0;
	}
	pmem_drain();
	return (double)bench_now() - start;
}

static void *measure(void *arg)
{
	struct work *w = arg;
	size_t n = 1;
	double best;

	batch(w, RING / w->step + 1);
	for (best = batch(w, n); best < BATCH_NS && n < (1u << 24); best = batch(w, n))
		n = best > 0 && best * 8 > BATCH_NS
			? (size_t)(BATCH_NS * 1.2 / best) * n + 1
			: n * 8;
	for (int i = 1; i < BATCHES; i++) {
		double t = batch(w, n);

		if (t < best)
			best = t;
	}
	w->ns = best / (double)n;
	return NULL;
}

/* --- the cases ----------------------------------------------------------------------- */

static bool wanted(const char *figure, const char *variant)
{
	char name[128];

	snprintf(name, sizeof(name), "%s/%s", figure, variant);
	return fnmatch(pattern, name, 0) == 0;
}

static void report(const char *figure, const char *variant, size_t size, size_t align,
		   int nthreads, double ns)
{
	char name[128];

	snprintf(name, sizeof(name), "%s/%s/%zu/%zu/%d", figure, variant, size, align,
		 nthreads);
	bench_report(name, ns);
}

static void run(const char *figure, const char *variant, struct work w, int nthreads)
{
	pthread_t threads[2];
	struct work ws[2];

	if (!wanted(figure, variant) || w.size > max_size)
		return;
	w.step = (w.size + w.align + 96 + 63) & ~(size_t)63;
	for (int i = 0; i < nthreads; i++) {
		ws[i] = w;
		ws[i].dest = area + (size_t)i * (AREA / 2) + w.align;
		ws[i].src = source + (size_t)i * (AREA / 2);
	}
	for (int i = 1; i < nthreads; i++)
		pthread_create(&threads[i], NULL, measure, &ws[i]);
	measure(&ws[0]);
	for (int i = 1; i < nthreads; i++) {
		pthread_join(threads[i], NULL);
		if (ws[i].ns > ws[0].ns)
			ws[0].ns = ws[i].ns;
	}
	report(figure, variant, w.size, w.align, nthreads, ws[0].ns);
}

static void run_copies(void)
{
	static const struct {
		const char *name;
		void (*op)(const struct work *w, char *dest, const char *src);
	} figures[] = {{"memcpy", op_memcpy},
		       {"memmove-forward", op_forward},
		       {"memmove-backward", op_backward},
		       {"memset", op_memset}};
	static const struct {
		const char *name;
		unsigned flags;
	} variants[] = {
	    {"persist", 0},
	    {"nodrain", PMEM_F_MEM_NODRAIN},
	    {"nontemporal", PMEM_F_MEM_NODRAIN | PMEM_F_MEM_NONTEMPORAL},
	    {"temporal", PMEM_F_MEM_NODRAIN | PMEM_F_MEM_TEMPORAL},
	    {"wc", PMEM_F_MEM_NODRAIN | PMEM_F_MEM_WC},
	    {"wb", PMEM_F_MEM_NODRAIN | PMEM_F_MEM_WB},
	    {"noflush", PMEM_F_MEM_NOFLUSH},
	};
	static const size_t aligns[] = {0, 1, 8, 32};

	for (size_t f = 0; f < COUNT(figures); f++)
		for (size_t v = 0; v < COUNT(variants); v++)
			for (size_t size = 8; size <= 16 * MIB;
			     size *= size < 4096 ? 2 : 4)
				for (size_t a = 0; a < COUNT(aligns); a++) {
					struct work w = {.op = figures[f].op,
							 .size = size,
							 .align = aligns[a],
							 .flags = variants[v].flags};

					run(figures[f].name, variants[v].name, w, 1);
					if (a == 0 && v < 3)
						run(figures[f].name, variants[v].name, w,
						    2);
				}
}

static void run_flushes(void)
{
	for (size_t size = 64; size <= MIB; size *= 4) {
		run("flush", "persist", (struct work){.op = op_persist, .size = size}, 1);
		run("flush", "flush", (struct work){.op = op_flush, .size = size}, 1);
	}
}

static void run_limits(void)
{
#ifdef __x86_64__
	for (size_t size = 64 << 10; size <= 16 * MIB; size *= 4) {
		run("limit", "16", (struct work){.op = bare_16, .size = size}, 1);
		if (__builtin_cpu_supports("avx"))
			run("limit", "32", (struct work){.op = bare_32, .size = size}, 1);
		if (__builtin_cpu_supports("avx512f"))
			run("limit", "64", (struct work){.op = bare_64, .size = size}, 1);
	}
#endif
}

/* The number of mappings stands in the column of the size. */
static void run_mappings(const char *path)
{
	static const size_t counts[] = {1, 100, 10000};
	char **maps = calloc(10000, sizeof(*maps));
	size_t n = 0;

	if (!maps)
		abort();
	for (size_t c = 0; c < COUNT(counts); c++) {
		struct work w = {.op = op_is_pmem, .size = 4096, .step = 4096};
		double best = 1e18;

		if (!wanted("mappings", "is_pmem") && !wanted("mappings", "map-unmap"))
			break;
		for (; n < counts[c]; n++)
			if (!(maps[n] = pmem_map_file(path, 0, 0, 0, NULL, NULL)))
				break;
		if (n < counts[c])
			break;
		w.dest = maps[n / 2];
		w.src = source;
		for (int i = 0; i < 5; i++) {
			double start = (double)bench_now();

			for (size_t k = 0; k < 20000; k++)
				op_is_pmem(&w, maps[(k * 7919) % n], source);
			start = ((double)bench_now() - start) / 20000;
			best = start < best ? start : best;
		}
		report("mappings", "is_pmem", n, 0, 1, best);
		best = 1e18;
		for (int i = 0; i < 5; i++) {
			double start = (double)bench_now();

			for (int k = 0; k < 20; k++)
				pmem_unmap(pmem_map_file(path, 0, 0, 0, NULL, NULL),
					   4096);
			start = ((double)bench_now() - start) / 20;
			best = start < best ? start : best;
		}
		report("mappings", "map-unmap", n, 0, 1, best);
	}
	while (n)
		pmem_unmap(maps[--n], 4096);
	free(maps);
}

int main(int argc, char **argv)
{
	char path[64];
	char small[80];
	int fd;

	if (argc > 1)
		pattern = argv[1];
	if (argc > 2)
		max_size = strtoul(argv[2], NULL, 0);
	snprintf(path, sizeof(path), "/dev/shm/bench_pmem.%ld", (long)getpid());
	snprintf(small, sizeof(small), "%s.small", path);
	area = pmem_map_file(path, AREA, PMEM_FILE_CREATE | PMEM_FILE_EXCL, 0600, NULL,
			     NULL);
	unlink(path);
	fd = open(small, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (!area || fd < 0 || ftruncate(fd, 4096) != 0) {
		bench_die(path, pmem_errormsg());
	}
	close(fd);
	source = aligned_alloc(4096, AREA);
	if (!source)
		return 1;
	memset(area, 1, AREA);
	memset(source, 2, AREA);
	run_copies();
	run_flushes();
	run_limits();
	run_mappings(small);
	unlink(small);
	return 0;
}
