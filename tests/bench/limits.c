/* SPDX-License-Identifier: BSD-3-Clause */
#include "limits.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define BATCH 64

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

static char *map_memory(const struct limits *l, size_t *blocks, size_t bsize, char **map)
{
	char path[4096];
	char *base;
	int fd;

	snprintf(path, sizeof(path), "%s/bench_blk.limit", l->dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || posix_fallocate(fd, 0, (off_t)l->size))
		bench_die(path, "cannot make the file");
	unlink(path);
	base = mmap(NULL, l->size + (2u << 20), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	base =
	    (char *)(((uintptr_t)base + (2u << 20) - 1) & ~(uintptr_t)((2u << 20) - 1));
	base = mmap(base, l->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	if (base == MAP_FAILED)
		bench_die(path, "cannot map the file");
	close(fd);
	memset(base, 1, l->size);
	*blocks = (l->size - (1u << 20)) / ((bsize + 255) / 256 * 256 + 4);
	*map = base + l->size - *blocks * 4;
	*map -= (uintptr_t)*map % 64;
	return base;
}

void limit_write(const struct limits *l, const char *name, size_t bsize)
{
#if defined(__x86_64__)
	void (*flush)(void *) = has_clwb() ? flush_clwb : flush_clflush;
	size_t stride = (bsize + 255) / 256 * 256;
	size_t blocks;
	char *map;
	char *base = map_memory(l, &blocks, bsize, &map);
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
		} while (took < l->budget_ns / 3);
		if ((double)took / (double)n < best)
			best = (double)took / (double)n;
	}
	bench_report(name, best);
	munmap(base, l->size);
	free(src);
#else
	(void)l;
	(void)bsize;
	bench_report(name, 0);
#endif
}

void limit_read(const struct limits *l, const char *name, size_t bsize)
{
	size_t stride = (bsize + 255) / 256 * 256;
	size_t blocks;
	char *map;
	char *base = map_memory(l, &blocks, bsize, &map);
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
	} while (took < l->budget_ns);
	bench_report(name, (double)took / (double)n);
	munmap(base, l->size);
	free(buf);
}

void limit_file(const struct limits *l, const char *name)
{
	size_t blocks;
	char *map;
	char *base = map_memory(l, &blocks, 4096, &map);
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
	} while (took < l->budget_ns);
	bench_report(name, (double)took / (double)n);
	munmap(base, l->size);
}
