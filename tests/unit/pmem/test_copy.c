/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs every kernel that the CPU has, through the driver, and compares it with the C library. A
 * model of the media shows what would survive a power loss: a flush copies its lines to a
 * snapshot, a non-temporal store goes to the snapshot directly, and a fence makes the snapshot
 * durable.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compiler.h"
#include "copy.h"
#include "engine_select.h"
#include "generic/kernels.h"
#include "support.h"
#include "usable_kernel.h"

#define NFLAGS 64u

/* --- the model ----------------------------------------------------------------------- */

#define AREA ((size_t)32768)

static char *memory;	    /* what programs see */
static char snapshot[AREA]; /* written back, not durable yet */
static char media[AREA];    /* durable */
static unsigned nfences;
static unsigned nflushes;
static size_t nt_bytes;
static const struct engine_kernel *real;

static void model_flush(const void *addr, size_t len)
{
	size_t from = (size_t)((const char *)addr - memory) & ~(ENGINE_LINE - 1);
	size_t to = (size_t)((const char *)addr - memory) + len;

	nflushes++;
	for (; len && from < to; from += ENGINE_LINE)
		memcpy(snapshot + from, memory + from, ENGINE_LINE);
}

static void model_fence(void)
{
	nfences++;
	memcpy(media, snapshot, sizeof(media));
}

static const struct engine_flush model_backend = {
    .name = "model",
    .durable = true,
    .flush = model_flush,
    .deep_flush = model_flush,
    .fence = model_fence,
};

static void model_nt(const char *dest, size_t len)
{
	assert_int_equal((uintptr_t)dest % ENGINE_LINE, 0);
	assert_int_equal(len % ENGINE_LINE, 0);
	assert_true(len > 0);
	memcpy(snapshot + (dest - memory), dest, len);
	nt_bytes += len;
}

static void model_move_nt_forward(char *dest, const char *src, size_t len)
{
	real->move_nt_forward(dest, src, len);
	model_nt(dest, len);
}

static void model_move_nt_backward(char *dest, const char *src, size_t len)
{
	real->move_nt_backward(dest, src, len);
	model_nt(dest, len);
}

static void model_set_nt(char *dest, int c, size_t len)
{
	real->set_nt(dest, c, len);
	model_nt(dest, len);
}

static void model_part(const char *dest, size_t len)
{
	assert_int_equal(((uintptr_t)dest | len) % 8, 0);
	assert_true((uintptr_t)dest % ENGINE_LINE + len <= ENGINE_LINE);
	memcpy(snapshot + (dest - memory), dest, len);
	nt_bytes += len;
}

static void model_move_nt_part(char *dest, const char *src, size_t len)
{
	real->move_nt_part(dest, src, len);
	model_part(dest, len);
}

static void model_set_nt_part(char *dest, int c, size_t len)
{
	real->set_nt_part(dest, c, len);
	model_part(dest, len);
}

static struct engine_kernel model_kernel;

static struct engine model_engine(const struct engine_kernel *kernel, bool flushing)
{
	real = kernel;
	model_kernel = *kernel;
	if (kernel->set_nt) {
		model_kernel.move_nt_forward = model_move_nt_forward;
		model_kernel.move_nt_backward = model_move_nt_backward;
		model_kernel.set_nt = model_set_nt;
	}
	if (kernel->move_nt_part) {
		model_kernel.move_nt_part = model_move_nt_part;
		model_kernel.set_nt_part = model_set_nt_part;
	}
	return (struct engine){
	    .flush_backend = &model_backend,
	    .kernel = &model_kernel,
	    .flush = flushing ? model_flush : flush_none.flush,
	    .fence = model_fence,
	    .nt = flushing && kernel->set_nt,
	    .flushing = flushing,
	    .nt_threshold = 256,
	    .nt_burst = SIZE_MAX,
	};
}

/* Begins an operation: the whole memory is durable. */
static void model_begin(void)
{
	memcpy(snapshot, memory, AREA);
	memcpy(media, memory, AREA);
	nfences = nflushes = 0;
	nt_bytes = 0;
}

/* --- helpers ------------------------------------------------------------------------- */

static void fill(char *p, size_t len, uint64_t seed)
{
	for (size_t i = 0; i + 8 <= len; i += 8) {
		uint64_t v = support_random(&seed);

		memcpy(p + i, &v, 8);
	}
}

static int setup(void **state)
{
	(void)state;
	memory = aligned_alloc(4096, AREA);
	return memory ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(memory);
	return 0;
}

/* A second implementation of the contract's rule. */
static bool expect_nt(const struct engine *e, size_t len, unsigned flags)
{
	if (!real->set_nt || (flags & PMEM_F_MEM_NOFLUSH))
		return false;
	if (flags & PMEM_F_MEM_NONTEMPORAL)
		return true;
	if (!e->flushing)
		return false;
	if (flags & PMEM_F_MEM_WC)
		return true;
	if (flags & (PMEM_F_MEM_TEMPORAL | PMEM_F_MEM_WB))
		return false;
	return len >= e->nt_threshold;
}

/* The bytes of whole lines in a range. */
static size_t whole_lines(const char *dest, size_t len)
{
	size_t head = -(uintptr_t)dest % ENGINE_LINE;
	size_t rest = len > head ? len - head : 0;

	return rest - rest % ENGINE_LINE;
}

/*
 * The bytes of a copy that are stored non-temporally: those of whole lines, and the others, too, if
 * the kernel prefers it, they are words, and a fence follows.
 */
static size_t nt_part(const char *dest, size_t len, bool drains)
{
	if (real->move_nt_part && drains && len >= ENGINE_LINE &&
	    ((uintptr_t)dest | len) % 8 == 0)
		return len;
	return whole_lines(dest, len);
}

static void check_op(const struct engine *e, const char *dest, size_t len, unsigned flags,
		     const char *expected)
{
	bool drains = !(flags & (PMEM_F_MEM_NODRAIN | PMEM_F_MEM_NOFLUSH));

	if (memcmp(memory, expected, AREA) != 0)
		fail_msg("%s: wrong bytes: dest +%zu, len %zu, flags %#x", real->name,
			 (size_t)(dest - memory), len, flags);
	if (nt_bytes != (expect_nt(e, len, flags)
			     ? nt_part(dest, len, !(flags & PMEM_F_MEM_NODRAIN))
			     : 0))
		fail_msg("%s: %zu bytes past the caches: dest +%zu, len %zu, flags %#x",
			 real->name, nt_bytes, (size_t)(dest - memory), len, flags);
	if (nfences != drains)
		fail_msg("%s: %u fences: len %zu, flags %#x", real->name, nfences, len,
			 flags);
	if (flags & PMEM_F_MEM_NOFLUSH)
		assert_int_equal(nflushes, 0);
	else if (e->flushing && memcmp(drains ? media : snapshot, expected, AREA) != 0)
		fail_msg("%s: not all of it would survive: dest +%zu, len %zu, flags %#x",
			 real->name, (size_t)(dest - memory), len, flags);
}

/* --- the tests ----------------------------------------------------------------------- */

static const size_t interesting[] = {
    0,	 1,   2,   3,	4,    7,    8,	  9,	15,   16,   17,	  24,	31,   32,   33,
    48,	 63,  64,  65,	96,   127,  128,  129,	192,  255,  256,  257,	511,  512,  513,
    264, 767, 768, 769, 1023, 1024, 1025, 1048, 2047, 2048, 2112, 4096, 4097, 6145, 8192};

static void every_flag_stores_flushes_and_drains_as_promised(void **state)
{
	static char expected[AREA];
	const struct engine_kernel *k;
	uint64_t random = 11;

	(void)state;
	for (size_t i = 0; (k = usable_kernel(&i)) != NULL;)
		for (int flushing = 0; flushing < 2; flushing++)
			for (unsigned flags = 0; flags < NFLAGS; flags++)
				for (size_t l = 0; l < ARRAY_SIZE(interesting); l++) {
					struct engine e = model_engine(k, flushing);
					size_t len = interesting[l];
					size_t to = support_random(&random) % 8192;
					size_t from = support_random(&random) % 8192;
					int c = (int)support_random(&random);

					if (l % 3 == 0)
						to &= ~(ENGINE_LINE - 1);
					else if (l % 3 == 1)
						to &= ~(size_t)7;
					fill(memory, AREA, flags + l);
					memcpy(expected, memory, AREA);
					memmove(expected + to, expected + from, len);
					model_begin();
					copy_move(&e, memory + to, memory + from, len,
						  flags);
					check_op(&e, memory + to, len, flags, expected);

					memset(expected + to, c, len);
					model_begin();
					copy_set(&e, memory + to, c, len, flags);
					check_op(&e, memory + to, len, flags, expected);
				}
}

static void moving_a_range_onto_itself_makes_it_durable(void **state)
{
	static char expected[AREA];
	const struct engine_kernel *k;

	(void)state;
	for (size_t i = 0; (k = usable_kernel(&i)) != NULL;)
		for (size_t l = 0; l < ARRAY_SIZE(interesting); l++) {
			struct engine e = model_engine(k, true);
			size_t len = interesting[l];

			fill(memory, AREA, l);
			memcpy(expected, memory, AREA);
			model_begin();
			memset(snapshot + 128, 0, len); /* stored, but not flushed yet */
			copy_move(&e, memory + 128, memory + 128, len, 0);
			check_op(&e, memory + 128, len, 0, expected);
		}
}

static void the_workaround_fences_after_each_burst(void **state)
{
	static char expected[AREA];
	const struct engine_kernel *k;

	(void)state;
	for (size_t i = 0; (k = usable_kernel(&i)) != NULL;) {
		static const size_t offsets[] = {100, 4096, 4096 + 64, 12000};

		if (!k->set_nt)
			continue;
		for (size_t o = 0; o < ARRAY_SIZE(offsets); o++) {
			struct engine e = model_engine(k, true);
			size_t len = 8000;
			size_t bursts;

			e.nt_burst = ENGINE_WC_BURST;
			bursts = whole_lines(memory + offsets[o], len) / ENGINE_WC_BURST;
			fill(memory, AREA, o);
			memcpy(expected, memory, AREA);
			memmove(expected + offsets[o], expected + 4096, len);
			model_begin();
			copy_move(&e, memory + offsets[o], memory + 4096, len,
				  PMEM_F_MEM_NODRAIN);
			assert_int_equal(nfences, bursts);
			assert_memory_equal(memory, expected, AREA);
			memset(expected + offsets[o], 7, len);
			model_begin();
			copy_set(&e, memory + offsets[o], 7, len, PMEM_F_MEM_NODRAIN);
			assert_int_equal(nfences, bursts);
			assert_memory_equal(memory, expected, AREA);
			assert_memory_equal(snapshot, expected, AREA);
			model_begin();
			copy_set(&e, memory + offsets[o], 8, len, 0);
			assert_int_equal(nfences, bursts + 1);
		}
	}
}

/* This machine's engine, with another kernel. */
static struct engine real_engine(const struct engine_kernel *k)
{
	struct engine e = engine;

	e.kernel = k;
	e.nt = k->set_nt != NULL;
	e.nt_threshold = 256;
	return e;
}

/*
 * Both buffers lie between pages that must not be accessed: nothing is read or written outside of
 * the ranges.
 */
static void all_lengths_and_alignments_between_guard_pages(void **state)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	static const unsigned flags[] = {PMEM_F_MEM_NODRAIN,
					 PMEM_F_MEM_NODRAIN | PMEM_F_MEM_NONTEMPORAL,
					 PMEM_F_MEM_NOFLUSH, PMEM_F_MEM_NONTEMPORAL, 0};
	static char expected[1024];
	const struct engine_kernel *k;
	char *dest = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *src = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(dest != MAP_FAILED && src != MAP_FAILED);
	dest += page;
	src += page;
	assert_int_equal(mprotect(dest, page, PROT_READ | PROT_WRITE), 0);
	assert_int_equal(mprotect(src, page, PROT_READ | PROT_WRITE), 0);
	fill(src, page, 5);
	for (size_t i = 0; (k = usable_kernel(&i)) != NULL;) {
		struct engine e = real_engine(k);

		for (size_t len = 0; len <= 1024; len++) {
			/* Both at the end of their pages, both at the start, and one of each. */
			char *d[] = {dest + page - len, dest, dest + page - len, dest};
			char *s[] = {src + page - len, src, src, src + page - len};

			for (size_t j = 0; j < 4; j++) {
				memset(dest, (int)j, page);
				copy_move(&e, d[j], s[j], len, flags[len % 5]);
				assert_memory_equal(d[j], s[j], len);
				memset(expected, (int)len, len);
				copy_set(&e, d[j], (int)len, len, flags[(len + j) % 5]);
				assert_memory_equal(d[j], expected, len);
			}
		}
	}
	munmap(dest - page, 3 * page);
	munmap(src - page, 3 * page);
}

static void all_lengths_to_1024_at_all_alignments(void **state)
{
	static char expected[2048];
	const struct engine_kernel *k;
	const char *src = memory + 8192;

	(void)state;
	fill(memory, AREA, 77);
	for (size_t i = 0; (k = usable_kernel(&i)) != NULL;) {
		struct engine e = real_engine(k);

		for (size_t len = 0; len <= 1024; len++)
			for (size_t a = 0; a < 64; a++) {
				/*
				 * All pairs of alignments for short copies, some of them for long
				 * ones.
				 */
				size_t last = len < 40 ? 63 : (a * 5 + len) % 64;

				for (size_t b = len < 40 ? 0 : last; b <= last; b++) {
					memset(memory, 0x55, 1300);
					memset(expected, 0x55, 1300);
					memcpy(expected + 128 + a, src + b, len);
					copy_move(&e, memory + 128 + a, src + b, len,
						  PMEM_F_MEM_NODRAIN);
					if (memcmp(memory, expected, 1300) != 0)
						fail_msg(
						    "%s: dest +%zu, src +%zu, len %zu",
						    k->name, a, b, len);
				}
				memset(expected + 128 + a, (int)len, len);
				copy_set(&e, memory + 128 + a, (int)len, len,
					 PMEM_F_MEM_NODRAIN);
				assert_memory_equal(memory, expected, 1300);
			}
	}
}

static void overlapping_ranges_move_right_at_all_distances(void **state)
{
	static char expected[8192];
	static const size_t lens[] = {1,   5,	16,   17,   40,	  64,  65,
				      100, 128, 200,  256,  257,  264, 300,
				      513, 777, 1024, 1048, 1500, 4099};
	static const unsigned flags[] = {PMEM_F_MEM_NOFLUSH, PMEM_F_MEM_NONTEMPORAL,
					 PMEM_F_MEM_TEMPORAL, 0};
	const struct engine_kernel *k;

	(void)state;
	for (size_t i = 0; (k = usable_kernel(&i)) != NULL;) {
		struct engine e = real_engine(k);

		for (size_t l = 0; l < ARRAY_SIZE(lens); l++)
			for (size_t to = 1000; to < 1300; to++) {
				size_t from = 1150 + l;

				fill(memory, sizeof(expected), to);
				memcpy(expected, memory, sizeof(expected));
				memmove(expected + to, expected + from, lens[l]);
				copy_move(&e, memory + to, memory + from, lens[l],
					  flags[(to / 8 + to) % 4]);
				if (memcmp(memory, expected, sizeof(expected)) != 0)
					fail_msg("%s: from %zu to %zu, len %zu", k->name,
						 from, to, lens[l]);
			}
	}
}

/* A flush must access the lines of the range and no others, and must change nothing. */
static void backends_touch_only_the_lines_of_the_range(void **state)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct engine_cpu cpu;

	(void)state;
	assert_true(p != MAP_FAILED);
	assert_int_equal(mprotect(p + page, page, PROT_NONE), 0);
	memset(p, 1, page);
	engine_detect(&cpu);
	for (size_t i = 0; engine_flushes[i]; i++) {
		const struct engine_flush *f = engine_flushes[i];

		if (f->needs & ~cpu.features)
			continue;
		f->flush(p, page);
		f->flush(p + page - 1, 1);
		f->flush(p + page - ENGINE_LINE, ENGINE_LINE);
		f->deep_flush(p + 3, page - 3);
		/* None of these accesses anything: nothing is mapped there. */
		f->flush(p + page + 1, 0);
		f->deep_flush(p + page + 1, 0);
		f->flush(NULL, 0);
		f->flush((char *)1, 0);
		f->flush(p + page, SIZE_MAX);
		f->fence();
	}
	for (size_t i = 0; i < page; i++)
		assert_int_equal(p[i], 1);
	munmap(p, 2 * page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_flag_stores_flushes_and_drains_as_promised),
	    cmocka_unit_test(moving_a_range_onto_itself_makes_it_durable),
	    cmocka_unit_test(the_workaround_fences_after_each_burst),
	    cmocka_unit_test(all_lengths_and_alignments_between_guard_pages),
	    cmocka_unit_test(all_lengths_to_1024_at_all_alignments),
	    cmocka_unit_test(overlapping_ranges_move_right_at_all_distances),
	    cmocka_unit_test(backends_touch_only_the_lines_of_the_range),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
