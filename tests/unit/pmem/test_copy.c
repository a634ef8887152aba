/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs every kernel that the CPU has, through the driver, and compares it with the C library and
 * with a model of the media.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compiler.h"
#include "copy_model.h"
#include "usable_kernel.h"

#define NFLAGS 64u

/* --- helpers ------------------------------------------------------------------------- */

/* Whether a move is by so little that its lines are better kept in the cache. */
static bool expect_near(const struct engine *e, const char *dest, const char *src,
			size_t len, unsigned flags)
{
	size_t distance = dest < src ? (size_t)(src - dest) : (size_t)(dest - src);

	if (distance >= len || distance >= 512 || !e->keeps_lines)
		return false;
	if (!real->near.fenced && !(flags & PMEM_F_MEM_NODRAIN))
		return false;
	return len <= (dest < src ? real->near.forward : real->near.backward);
}

/* A second implementation of the contract's rule. src is NULL for sets. */
static bool expect_nt(const struct engine *e, const char *dest, const char *src,
		      size_t len, unsigned flags)
{
	if (!real->set_nt || (flags & PMEM_F_MEM_NOFLUSH))
		return false;
	if (src && expect_near(e, dest, src, len, flags))
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

/*
 * The bytes of a copy that are stored non-temporally: those of whole lines, and if the kernel
 * prefers it, words at both ends that a fence follows, and 8, 16 or 32 bytes at the end of a long copy.
 */
static size_t nt_part(const char *dest, size_t len, bool drains)
{
	size_t tail = ((uintptr_t)dest + len) % ENGINE_LINE;

	if (!real->move_nt_part || len < ENGINE_LINE)
		return whole_lines(dest, len);
	if (drains && ((uintptr_t)dest | len) % 8 == 0)
		return len;
	if (len >= 2048 && (tail == 8 || tail == 16 || tail == 32))
		return whole_lines(dest, len) + tail;
	return whole_lines(dest, len);
}

static void check_op(const struct engine *e, const char *dest, const char *src,
		     size_t len, unsigned flags, const char *expected)
{
	bool drains = !(flags & (PMEM_F_MEM_NODRAIN | PMEM_F_MEM_NOFLUSH));

	if (memcmp(memory, expected, AREA) != 0)
		fail_msg("%s: wrong bytes: dest +%zu, len %zu, flags %#x", real->name,
			 (size_t)(dest - memory), len, flags);
	if (nt_bytes != (expect_nt(e, dest, src, len, flags)
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
	static const size_t thresholds[] = {256, 0, 64, 65, SIZE_MAX};
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

					if (random % 3 == 0)
						from = to + random % 1400 % (8192 - to);
					else if (random % 3 == 1)
						from = to - random % 1400 % (to + 1);
					e.keeps_lines = !flushing || random % 4 != 0;
					e.nt_threshold =
					    thresholds[random % ARRAY_SIZE(thresholds)];
					if ((l + flags) % 3 == 0)
						to &= ~(ENGINE_LINE - 1);
					else if ((l + flags) % 3 == 1)
						to &= ~(size_t)7;
					fill(memory, AREA, flags + l);
					memcpy(expected, memory, AREA);
					memmove(expected + to, expected + from, len);
					model_begin();
					assert_ptr_equal(copy_move(&e, memory + to,
								   memory + from, len,
								   flags),
							 memory + to);
					check_op(&e, memory + to, memory + from, len,
						 flags, expected);

					memset(expected + to, c, len);
					model_begin();
					assert_ptr_equal(
					    copy_set(&e, memory + to, c, len, flags),
					    memory + to);
					check_op(&e, memory + to, NULL, len, flags,
						 expected);
				}
}

/* With limits that fit in the model's memory; the kernels' own are up to 256 KiB. */
static void moves_by_little_are_cached_up_to_the_limits(void **state)
{
	static const struct {
		size_t to, len;
		unsigned flags;
		bool fenced, keeps_lines;
		bool cached;
	} rows[] = {{4000, 1024, PMEM_F_MEM_NODRAIN, false, true, true}, /* forward */
		    {4000, 1025, PMEM_F_MEM_NODRAIN, false, true, false},
		    {4192, 512, PMEM_F_MEM_NODRAIN, false, true, true}, /* backward */
		    {4192, 513, PMEM_F_MEM_NODRAIN, false, true, false},
		    {4096 - 511, 1024, PMEM_F_MEM_NODRAIN, false, true, true},
		    {4096 - 512, 1024, PMEM_F_MEM_NODRAIN, false, true, false},
		    {4096 + 511, 512, PMEM_F_MEM_NODRAIN, false, true, true},
		    {4096 + 512, 512, PMEM_F_MEM_NODRAIN, false, true, false},
		    {4096 + 300, 300, PMEM_F_MEM_NODRAIN, false, true, false},
		    {4096 - 300, 300, PMEM_F_MEM_NODRAIN, false, true, false},
		    {4096 - 299, 300, PMEM_F_MEM_NODRAIN, false, true, true},
		    {4000, 1024, PMEM_F_MEM_NODRAIN | PMEM_F_MEM_WC, false, true, true},
		    {4000, 300, 0, false, true, false},
		    {4000, 300, 0, true, true, true},
		    {4000, 300, PMEM_F_MEM_NONTEMPORAL, true, true, true},
		    {4000, 300, PMEM_F_MEM_NODRAIN, true, false, false}};
	const struct engine_kernel *k;

	(void)state;
	for (size_t i = 0; (k = usable_kernel(&i)) != NULL;)
		for (size_t r = 0; k->set_nt && r < ARRAY_SIZE(rows); r++) {
			struct engine e = model_engine(k, true);

			assert_true(k->near.forward >= ENGINE_NT_NEAR);
			assert_true(k->near.backward >= ENGINE_NT_NEAR);
			model_kernel.near.forward = 1024;
			model_kernel.near.backward = 512;
			model_kernel.near.fenced = rows[r].fenced;
			e.keeps_lines = rows[r].keeps_lines;
			model_begin();
			copy_move(&e, memory + rows[r].to, memory + 4096, rows[r].len,
				  rows[r].flags);
			if ((nt_bytes == 0) != rows[r].cached)
				fail_msg("%s: row %zu: %zu bytes past the caches",
					 k->name, r, nt_bytes);
			assert_int_equal(nfences, !(rows[r].flags & PMEM_F_MEM_NODRAIN));
			assert_memory_equal(snapshot, memory, AREA);
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
			e.keeps_lines = l % 2;
			memset(snapshot + 128, 0, len); /* stored, but not flushed yet */
			copy_move(&e, memory + 128, memory + 128, len, 0);
			check_op(&e, memory + 128, memory + 128, len, 0, expected);
		}
}

/* A move downwards, or a set, fences after each whole burst, and a move upwards between bursts. */
static void check_bursts(const struct engine_kernel *k, size_t to, size_t len)
{
	static char expected[AREA];
	const size_t from = 4096;
	struct engine e = model_engine(k, true);
	size_t nt_len = whole_lines(memory + to, len);
	unsigned bursts = (unsigned)(nt_len / ENGINE_WC_BURST);
	bool up = to >= from && to - from < len;

	e.nt_burst = ENGINE_WC_BURST;
	fill(memory, AREA, to);
	memcpy(expected, memory, AREA);
	memmove(expected + to, expected + from, len);
	model_begin();
	copy_move(&e, memory + to, memory + from, len, PMEM_F_MEM_NODRAIN);
	assert_int_equal(nfences,
			 up && nt_len % ENGINE_WC_BURST == 0 ? bursts - 1 : bursts);
	assert_memory_equal(memory, expected, AREA);
	assert_memory_equal(snapshot, expected, AREA);
	memset(expected + to, 7, len);
	model_begin();
	copy_set(&e, memory + to, 7, len, PMEM_F_MEM_NODRAIN);
	assert_int_equal(nfences, bursts);
	assert_memory_equal(memory, expected, AREA);
	assert_memory_equal(snapshot, expected, AREA);
	model_begin();
	copy_set(&e, memory + to, 8, len, 0);
	assert_int_equal(nfences, bursts + 1);
}

static void the_workaround_fences_after_each_burst(void **state)
{
	static const size_t places[] = {100, 4096, 4096 + 64, 12000, 16384};
	static const size_t lens[] = {767,  768,  769,	831,  832,  1535,
				      1536, 2047, 2048, 2304, 4096, 8000};
	const struct engine_kernel *k;

	(void)state;
	for (size_t i = 0; (k = usable_kernel(&i)) != NULL;)
		for (size_t p = 0; k->set_nt && p < ARRAY_SIZE(places); p++)
			for (size_t l = 0; l < ARRAY_SIZE(lens); l++)
				check_bursts(k, places[p], lens[l]);
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
	    cmocka_unit_test(moves_by_little_are_cached_up_to_the_limits),
	    cmocka_unit_test(moving_a_range_onto_itself_makes_it_durable),
	    cmocka_unit_test(the_workaround_fences_after_each_burst),
	    cmocka_unit_test(all_lengths_and_alignments_between_guard_pages),
	    cmocka_unit_test(all_lengths_to_1024_at_all_alignments),
	    cmocka_unit_test(overlapping_ranges_move_right_at_all_distances),
	    cmocka_unit_test(backends_touch_only_the_lines_of_the_range),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
