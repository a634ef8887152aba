/* SPDX-License-Identifier: BSD-3-Clause */
#include "limits.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define ALIGN ((size_t)2 << 20)
#define PAGE ((size_t)4096)
#define FLOG ((size_t)64 * 256)

/* --- instructions ------------------------------------------------------------------------ */

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

static bool has_clwb(void)
{
	unsigned a = 7, b = 0, c = 0, d = 0;

	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return b & 1u << 24;
}

/* Measures which stores are fastest: the widest ones are not on every machine. */
void limit_choose(struct limit *l)
{
	void (*const copies[])(char *, const char *, size_t) = {
	    copy_nt_16, __builtin_cpu_supports("avx") ? copy_nt_32 : NULL,
	    __builtin_cpu_supports("avx512f") ? copy_nt_64 : NULL};
	static char from[4096] __attribute__((aligned(64)));
	char *to = aligned_alloc(4096, 1 << 20);
	uint64_t best = UINT64_MAX;

	l->flush = has_clwb() ? flush_clwb : flush_clflush;
	if (!to)
		bench_die("limit", "out of memory");
	for (size_t round = 0; round < 9; round++) {
		size_t k = round % 3;
		uint64_t start;

		if (!copies[k])
			continue;
		start = bench_now();
		for (size_t at = 0; at < 1u << 20; at += 4096)
			copies[k](to + at, from, 4096);
		fence();
		start = bench_now() - start;
		if (round >= 3 && start < best) {
			best = start;
			l->copy = copies[k];
		}
	}
	free(to);
}
#else
static void copy_plain(char *d, const char *s, size_t n)
{
	memcpy(d, s, n);
}

static void flush_nothing(void *p)
{
	(void)p;
}

static void fence(void)
{
	__sync_synchronize();
}

void limit_choose(struct limit *l)
{
	l->copy = copy_plain;
	l->flush = flush_nothing;
}
#endif

void limit_bulk(struct limit *l, char *to, const char *from, size_t n)
{
	l->copy(to, from, n);
	fence();
}

/* --- operations on blocks ---------------------------------------------------------------- */

/* Maps fd at an address that allows large pages, as the libraries do. */
static char *map_at(int fd, size_t size)
{
	char *base =
	    mmap(NULL, size + ALIGN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *start = (char *)(((uintptr_t)base + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1));

	if (base == MAP_FAILED || mmap(start, size, PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		bench_die("limit", "cannot map the file");
	return start;
}

static int make_file(struct limit *l, const char *dir)
{
	int fd;

	snprintf(l->path, sizeof(l->path), "%s/limit", dir);
	fd = open(l->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || posix_fallocate(fd, 0, (off_t)l->size))
		bench_die(l->path, "cannot make the file");
	return fd;
}

void limit_init(struct limit *l, const struct turns_case *c, const char *dir)
{
	uint64_t seed = 88172645463325252u;
	int fd;

	*l = (struct limit){.bsize = c->bsize, .loads = c->variant == 0};
	l->size = (c->pool_size + PAGE - 1) & ~(PAGE - 1);
	l->stride = (c->bsize + 255) / 256 * 256;
	if (l->stride < 512)
		l->stride = 512;
	fd = make_file(l, dir);
	unlink(l->path);
	l->base = map_at(fd, l->size);
	close(fd);
	memset(l->base, 1, l->size);
	l->blocks = (l->size - FLOG - PAGE) / (l->stride + 4);
	l->map = l->base + l->size - (l->blocks * 4 + 63) / 64 * 64;
	l->flog = l->map - FLOG;
	for (size_t i = 0; i < l->blocks; i++) {
		uint32_t to = (uint32_t)bench_below(bench_random(&seed), l->blocks);

		memcpy(l->map + 4 * i, &to, 4);
	}
	limit_choose(l);
}

void limit_fini(struct limit *l)
{
	if (l->base)
		munmap(l->base, l->size);
	if (l->path[0])
		unlink(l->path);
}

void limit_read(struct limit *l, struct worker *w)
{
	size_t block = bench_below(bench_random(&w->seed), l->blocks);
	uint32_t to = *(volatile uint32_t *)(void *)(l->map + 4 * block);

	memcpy(w->buf, l->base + to * l->stride, l->bsize);
	__asm__ volatile("" : : "r"(w->buf) : "memory");
}

void limit_write(struct limit *l, struct worker *w)
{
	uint64_t r = bench_random(&w->seed);
	char *entry = l->map + bench_below(r * 31, l->blocks) * 4;
	volatile uint64_t *record = (void *)(l->flog + 64 * w->number);
	size_t whole = (l->bsize + 63) / 64 * 64; /* the buffer has room for it */
	uint32_t to = (uint32_t)bench_below(r, l->blocks);
	uint64_t old = r;

	l->copy(l->base + to * l->stride, (const char *)w->buf, whole);
	fence();
	if (l->loads)
		old = *(volatile uint32_t *)(void *)entry;
	record[0] = old << 32 | to;
	record[1] = r;
	l->flush(l->flog + 64 * w->number);
	fence();
	*(volatile uint32_t *)(void *)entry = to;
	l->flush(entry);
}

void limit_zero(struct limit *l, struct worker *w)
{
	char *entry = l->map + bench_below(bench_random(&w->seed), l->blocks) * 4;
	uint32_t old = *(volatile uint32_t *)(void *)entry;

	/* the map of the limit has no flags, so the entry keeps its value */
	*(volatile uint32_t *)(void *)entry = old;
	l->flush(entry);
	fence();
	limit_write(l, w);
}

void limit_file(struct limit *l, struct worker *w)
{
	size_t page = bench_below(bench_random(&w->seed), 1024) * PAGE;
	size_t record = (1024 + w->number) * PAGE;

	l->base[page]++;
	if (msync(l->base + page, PAGE, MS_SYNC))
		bench_die("msync", "failed");
	l->base[record]++;
	if (msync(l->base + record, PAGE, MS_SYNC))
		bench_die("msync", "failed");
}

void limit_writev(struct limit *l, struct worker *w, unsigned n)
{
	size_t whole = (l->bsize + 63) / 64 * 64;
	uint32_t to[LIMIT_BATCH];
	char *entry[LIMIT_BATCH];

	for (unsigned i = 0; i < n; i++) {
		uint64_t r = bench_random(&w->seed);

		to[i] = (uint32_t)bench_below(r, l->blocks);
		entry[i] = l->map + bench_below(r * 31, l->blocks) * 4;
		__builtin_prefetch(entry[i], 1);
		l->copy(l->base + to[i] * l->stride, (const char *)w->buf + i * l->bsize,
			whole);
	}
	fence();
	for (unsigned i = 0; i < n; i++) {
		char *line = l->flog + 64 * ((w->number * LIMIT_BATCH + i) % (FLOG / 64));
		volatile uint64_t *record = (void *)line;

		record[0] =
		    (uint64_t) * (volatile uint32_t *)(void *)entry[i] << 32 | to[i];
		record[1] = w->seed;
		l->flush(line);
	}
	fence();
	for (unsigned i = 0; i < n; i++) {
		*(volatile uint32_t *)(void *)entry[i] = to[i];
		l->flush(entry[i]);
	}
}

void limit_readv(struct limit *l, struct worker *w, unsigned n)
{
	size_t ahead = l->bsize < 512 ? l->bsize : 512;
	const char *from[LIMIT_BATCH];

	for (unsigned i = 0; i < n; i++) {
		size_t block = bench_below(bench_random(&w->seed), l->blocks);

		from[i] = l->map + 4 * block;
		__builtin_prefetch(from[i]);
	}
	for (unsigned i = 0; i < n; i++) {
		from[i] = l->base +
			  *(const volatile uint32_t *)(const void *)from[i] * l->stride;
		for (size_t at = 0; at < ahead; at += 64)
			__builtin_prefetch(from[i] + at);
	}
	for (unsigned i = 0; i < n; i++)
		memcpy(w->buf + i * l->bsize, from[i], l->bsize);
	__asm__ volatile("" : : "r"(w->buf) : "memory");
}

void limit_filev(struct limit *l, struct worker *w, unsigned n)
{
	size_t record = (1024 + w->number) * PAGE;
	size_t first = SIZE_MAX;
	size_t last = 0;

	for (unsigned i = 0; i < n; i++) {
		size_t page = bench_below(bench_random(&w->seed), 1024) * PAGE;

		l->base[page]++;
		first = page < first ? page : first;
		last = page > last ? page : last;
	}
	if (msync(l->base + first, last - first + PAGE, MS_SYNC))
		bench_die("msync", "failed");
	l->base[record]++;
	if (msync(l->base + record, PAGE, MS_SYNC))
		bench_die("msync", "failed");
}

/* --- a pool's life ----------------------------------------------------------------------- */

void limit_make_file(struct limit *l, const struct turns_case *c, const char *dir)
{
	int fd;
	uint64_t seed = 88172645463325252u;

	*l = (struct limit){.bsize = c->bsize, .size = c->pool_size};
	l->stride = (c->bsize + 255) / 256 * 256;
	l->blocks = (l->size - FLOG - 4 * PAGE) / (l->stride + 4);
	limit_choose(l);
	fd = make_file(l, dir);
	for (size_t i = 0; i < l->blocks; i += 1024) {
		uint32_t entry[1024];

		for (size_t k = 0; k < 1024; k++)
			entry[k] = (uint32_t)bench_below(bench_random(&seed), l->blocks);
		if (pwrite(fd, entry, sizeof(entry),
			   (off_t)(l->size - 4 * l->blocks + 4 * i)) < 0)
			bench_die(l->path, "cannot write the map");
	}
	close(fd);
}

static void store_page(struct limit *l, char *at, const char *from, size_t n)
{
	l->copy(at, from, n);
	fence();
}

uint64_t limit_first(struct limit *l)
{
	static char page[FLOG] __attribute__((aligned(64)));
	int fd = open(l->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	uint64_t start;
	char *base;
	char *map;

	if (fd < 0 || posix_fallocate(fd, 0, (off_t)l->size))
		bench_die(l->path, "cannot make the file");
	base = map_at(fd, l->size);
	close(fd);
	base[0] = 1;
	map = base + (l->size - 4 * l->blocks) / 64 * 64;
	start = bench_now();
	store_page(l, map - FLOG - ((uintptr_t)map % PAGE), page, FLOG);
	store_page(l, base + 2 * PAGE, page, PAGE);
	store_page(l, base + l->size - PAGE, page, PAGE);
	store_page(l, base + 3 * PAGE, page, l->bsize);
	*(volatile uint32_t *)(void *)map = 1;
	l->flush(map);
	start = bench_now() - start;
	munmap(base, l->size);
	return start;
}

uint64_t limit_open(struct limit *l)
{
	uint64_t start = bench_now();
	unsigned char header[4096];
	uint64_t sum = 0;
	struct stat st;
	char *base;
	int fd = open(l->path, O_RDWR | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) || fstat(fd, &st) ||
	    pread(fd, header, sizeof(header), 0) != sizeof(header) ||
	    pread(fd, header, 64, 4096) != 64)
		bench_die(l->path, "cannot be read");
	base = map_at(fd, l->size);
	close(fd);
	for (size_t i = 0; i < FLOG; i += 8)
		sum += *(const uint64_t *)(const void *)(base + 4 * PAGE + i);
	for (size_t i = 0; i < PAGE; i += 8)
		sum += *(const uint64_t *)(const void *)(base + 2 * PAGE + i);
	__asm__ volatile("" : : "r"(sum));
	base[100]++;
	l->flush(base + 64);
	fence();
	base[100]++;
	l->flush(base + 64);
	fence();
	munmap(base, l->size);
	return bench_now() - start;
}

uint64_t limit_check(struct limit *l)
{
	uint64_t start = bench_now();
	static uint32_t entry[65536];
	unsigned char *seen = calloc(1, l->blocks / 8 + 1);
	off_t at = (off_t)(l->size - 4 * l->blocks);
	size_t twice = 0;
	int fd = open(l->path, O_RDONLY | O_CLOEXEC);
	size_t missing = 0;

	if (fd < 0 || !seen)
		bench_die(l->path, "cannot be checked");
	for (size_t i = 0; i < l->blocks;) {
		ssize_t n = pread(fd, entry, sizeof(entry), at + (off_t)(4 * i));

		if (n <= 0)
			break;
		for (size_t k = 0; k < (size_t)n / 4 && i < l->blocks; k++, i++) {
			uint32_t b = entry[k];

			if (b < l->blocks) {
				twice += seen[b / 8] >> b % 8 & 1;
				seen[b / 8] = (unsigned char)(seen[b / 8] | 1u << b % 8);
			}
		}
	}
	for (size_t i = 0; i + 8 <= l->blocks / 8; i += 8) {
		uint64_t word;

		memcpy(&word, seen + i, 8);
		missing += word != UINT64_MAX;
	}
	__asm__ volatile("" : : "r"(twice + missing));
	close(fd);
	free(seen);
	return bench_now() - start;
}
