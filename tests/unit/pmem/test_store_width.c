/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checks the promise on store widths by executing the copy functions one instruction at a time.
 * After each instruction the trap handler compares the destination with what was there before: the
 * bytes that differ are those that the instruction has stored. Then it restores them, so that it also
 * sees a second store to the same place. Only a move may read them, so then it remembers them instead.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "compiler.h"
#include "engine.h"
#include "engine_select.h"
#include "generic/copy_portable.h"
#include "libpmem.h"
#include "support.h"

/*
 * A C library may copy byte by byte. The program is linked with these in place of the real functions,
 * also where it skips itself.
 */
static bool stores_bytes;

void *__real_memset(void *dest, int c, size_t len);
void *__wrap_memset(void *dest, int c, size_t len);
void *__real_memmove(void *dest, const void *src, size_t len);
void *__wrap_memmove(void *dest, const void *src, size_t len);

void *__wrap_memset(void *dest, int c, size_t len)
{
	volatile unsigned char *d = dest;

	if (!stores_bytes)
		return __real_memset(dest, c, len);
	for (size_t i = 0; i < len; i++)
		d[i] = (unsigned char)c;
	return dest;
}

void *__wrap_memmove(void *dest, const void *src, size_t len)
{
	volatile unsigned char *d = dest;
	const unsigned char *s = src;

	if (!stores_bytes)
		return __real_memmove(dest, src, len);
	for (size_t i = 0; i < len; i++)
		if ((uintptr_t)d < (uintptr_t)s)
			d[i] = s[i];
		else
			d[len - 1 - i] = s[len - 1 - i];
	return dest;
}

#if !defined(__x86_64__) || defined(__SANITIZE_THREAD__)
int main(void)
{
	puts("skipped: needs the trap flag of x86-64, and code that may be stopped "
	     "anywhere");
	return 77;
}
#else

#include "trap_flag.h"
#include "usable_kernel.h"

#define PATTERN 0x00 /* the copied bytes are never this */
#define MARGIN 64
#define MAX_LEN 8448

static _Alignas(64) unsigned char area[MARGIN + 64 + MAX_LEN + MARGIN];
static _Alignas(64) unsigned char before[sizeof(area)];
static _Alignas(64) unsigned char source[MAX_LEN + 64];
static unsigned char stored[sizeof(area)]; /* how many stores there were to each byte */

static struct {
	size_t watch; /* bytes of area to watch */
	bool moves;
	unsigned nstores;
	/* stores that are not of a multiple of 8 bytes to a multiple of 8 */
	unsigned narrow;
	unsigned narrowest;
	unsigned crossing; /* stores to a place that is no multiple of their width */
} seen;

static void on_trap(int sig)
{
	size_t from = 0;
	size_t to = seen.watch;

	(void)sig;
	while (to - from >= 8 &&
	       *(const uint64_t *)(area + from) == *(const uint64_t *)(before + from))
		from += 8;
	while (from < to && area[from] == before[from])
		from++;
	if (from == to)
		return;
	while (area[to - 1] == before[to - 1])
		to--;
	for (size_t i = from; i < to; i++) {
		stored[i]++;
		if (seen.moves)
			before[i] = area[i];
		else
			area[i] = before[i];
	}
	seen.nstores++;
	if (from % (to - from))
		seen.crossing++;
	if (from % 8 || to % 8)
		seen.narrow++;
	if (to - from < seen.narrowest)
		seen.narrowest = (unsigned)(to - from);
}

enum op { COPY, SET, MOVE_FORWARD, MOVE_BACKWARD };

static void watch_from_here(size_t len, bool moves)
{
	memset(&seen, 0, sizeof(seen));
	seen.watch = len;
	seen.moves = moves;
	seen.narrowest = UINT32_MAX;
	memset(stored, 0, sizeof(stored));
	memcpy(before, area, sizeof(area));
}

static bool directly; /* by the portable functions */

static void *move(unsigned char *dest, const unsigned char *src, size_t len,
		  unsigned flags)
{
	if (directly)
		return copy_portable_move((char *)dest, (const char *)src, len);
	return pmem_memmove(dest, src, len, flags);
}

static void *set(unsigned char *dest, size_t len, unsigned flags)
{
	if (directly)
		return copy_portable_set((char *)dest, 0x5a, len);
	return pmem_memset(dest, 0x5a, len, flags);
}

/* distance: how far the bytes move */
static void step(enum op op, size_t offset, size_t len, unsigned flags, size_t distance)
{
	unsigned char *dest = area + MARGIN + offset;
	bool moves = op >= MOVE_FORWARD;
	void *ret = NULL;

	for (size_t i = 0; i < sizeof(area); i++)
		area[i] = moves ? (unsigned char)(i % 251) : PATTERN;
	watch_from_here((MARGIN + offset + len + MARGIN + 7) & ~(size_t)7, moves);
	trap_flag(true);
	switch (op) {
	case COPY:
		ret = move(dest, source + 1 + offset % 3, len, flags);
		break;
	case SET:
		ret = set(dest, len, flags);
		break;
	case MOVE_FORWARD:
		ret = move(dest, dest + distance, len, flags);
		break;
	case MOVE_BACKWARD:
		ret = move(dest, dest - distance, len, flags);
		break;
	}
	trap_flag(false);
	assert_ptr_equal(ret, dest);
	for (size_t i = 0; moves && i < len; i++) {
		size_t from = MARGIN + offset + i;

		from = op == MOVE_FORWARD ? from + distance : from - distance;
		assert_int_equal(dest[i], from % 251);
	}
	for (size_t i = 0; i < seen.watch; i++) {
		bool inside = i >= MARGIN + offset && i < MARGIN + offset + len;

		if (inside != (stored[i] > 0))
			fail_msg("byte %zd of %zu was stored %u times",
				 (ssize_t)(i - MARGIN - offset), len, stored[i]);
	}
}

static const char *const kinds[] = {"copy", "set", "forward move", "backward move"};

static void check_one_store(const char *engine_name, size_t offset, size_t len,
			    unsigned flags)
{
	for (int op = COPY; op <= SET; op++) {
		step((enum op)op, offset, len, flags, 0);
		if (seen.nstores != 1 || seen.narrowest != len)
			fail_msg("%s: %s of %zu bytes at +%zu, flags %#x: %u stores, the "
				 "narrowest of %u bytes",
				 engine_name, kinds[op], len, offset, flags, seen.nstores,
				 seen.narrowest);
	}
}

static void check_words(const char *engine_name, size_t offset, size_t len,
			unsigned flags)
{
	for (int op = COPY; op <= SET; op++) {
		step((enum op)op, offset, len, flags, 0);
		if (seen.narrow)
			fail_msg("%s: %s of %zu bytes at +%zu, flags %#x: %u stores that "
				 "are not whole words, the narrowest of %u bytes",
				 engine_name, kinds[op], len, offset, flags, seen.narrow,
				 seen.narrowest);
	}
}

static void check_moved_words(const char *engine_name, size_t offset, size_t len,
			      unsigned flags)
{
	static const size_t distances[] = {8, 17, 33};
	size_t distance = distances[(offset + len) / 8 % ARRAY_SIZE(distances)];

	for (int op = MOVE_FORWARD; op <= MOVE_BACKWARD; op++) {
		step((enum op)op, offset, len, flags, distance);
		if (seen.narrow)
			fail_msg("%s: %s of %zu bytes to +%zu by %zu, flags %#x: %u "
				 "stores that are not whole words",
				 engine_name, kinds[op], len, offset, distance, flags,
				 seen.narrow);
	}
}

static const unsigned some_flags[] = {
    0,
    PMEM_F_MEM_NODRAIN,
    PMEM_F_MEM_NONTEMPORAL,
    PMEM_F_MEM_TEMPORAL,
    PMEM_F_MEM_WC,
    PMEM_F_MEM_WB | PMEM_F_MEM_NODRAIN,
    PMEM_F_MEM_NOFLUSH,
    PMEM_F_MEM_VALID_FLAGS & ~PMEM_F_MEM_NOFLUSH,
};

/*
 * Calls check with each kernel of this CPU in the engine, with flushing on and off, and with and
 * without the workaround if the kernel has it.
 */
static void for_each_engine(void (*check)(const char *name))
{
	const struct engine chosen = engine;
	const struct engine_kernel *k;
	struct engine_cpu cpu;
	char name[64];

	engine_detect(&cpu);
	for (size_t i = 0; (k = usable_kernel(&i)) != NULL;)
		for (int mode = k->wc_bursts ? 0 : 2; mode < 4; mode++) {
			int no_flush = mode % 2;
			struct config config = {.no_flush = no_flush,
						.wc_workaround = mode / 2};
			struct engine_cpu with = cpu;

			with.features =
			    k->needs | (cpu.features & (ENGINE_CLFLUSH | ENGINE_CLWB));
			engine_select(&engine, &with, &config, false);
			assert_ptr_equal(engine.kernel, k);
			snprintf(name, sizeof(name), "%s%s", engine.kernel->name,
				 no_flush ? " without flushing" : "");
			check(name);
		}
	engine = chosen;
}

static void check_singles(const char *name)
{
	for (size_t len = 1; len <= 8; len *= 2) {
		for (unsigned flags = 0; flags < 64; flags++)
			check_one_store(name, flags / len * len, len, flags);
		check_one_store(name, 64 - len, len, PMEM_F_MEM_NONTEMPORAL);
		check_one_store(name, len, len, 0);
	}
}

static void aligned_1_2_4_8_bytes_are_one_store(void **state)
{
	(void)state;
	for_each_engine(check_singles);
}

static void check_multiples(const char *name)
{
	static const size_t around[] = {8, 16, 24, 40, 64, 72, 128, 136};

	for (size_t f = 0; f < ARRAY_SIZE(some_flags); f++) {
		for (size_t len = 8; len <= 264; len += len < 80 ? 8 : 24)
			check_words(name, (len * 3 + f * 8) % 64, len, some_flags[f]);
		check_words(name, f * 8, 1024 - f * 8, some_flags[f]);
	}
	for (size_t offset = 0; offset < 64; offset += 8)
		for (size_t i = 0; i < ARRAY_SIZE(around); i++)
			check_words(name, offset, around[i], i % 2 ? 0 : PMEM_F_MEM_WC);
	check_words(name, 8, 2048, PMEM_F_MEM_TEMPORAL);
	check_words(name, 40, 4104, PMEM_F_MEM_NOFLUSH);
	check_words(name, 56, 8192 - 8, 0);
}

static void aligned_multiples_of_8_are_never_stored_narrower(void **state)
{
	(void)state;
	for_each_engine(check_multiples);
}

static void check_moves(const char *name)
{
	for (size_t offset = 0; offset < 64; offset += 8)
		for (size_t len = 16; len <= 304; len += 72)
			check_moved_words(
			    name, offset, len,
			    some_flags[(offset + len) / 8 % ARRAY_SIZE(some_flags)]);
	check_moved_words(name, 40, 1048, PMEM_F_MEM_TEMPORAL);
	check_moved_words(name, 40, 1048, PMEM_F_MEM_NONTEMPORAL);
}

static void moves_of_aligned_multiples_of_8_are_never_stored_narrower(void **state)
{
	(void)state;
	for_each_engine(check_moves);
}

/* What the portable functions promise beyond that. Short copies do not come to a kernel. */
static void no_store_of_the_portable_kernel_crosses_its_alignment(void **state)
{
	(void)state;
	directly = true;
	for (int op = COPY; op <= MOVE_BACKWARD; op++)
		for (size_t offset = 0; offset < 8; offset++)
			for (size_t len = 1; len <= 41; len++) {
				step((enum op)op, offset, len, 0, 5);
				if (seen.crossing)
					fail_msg("%s of %zu bytes to +%zu: %u stores "
						 "cross their alignment",
						 kinds[op], len, offset, seen.crossing);
			}
	for (size_t len = 1; len <= 8; len *= 2)
		for (size_t offset = 0; offset < 64; offset += len)
			check_one_store("portable", offset, len, 0);
	directly = false;
}

static void check_odd(const char *name)
{
	(void)name;
	for (size_t len = 0; len < 700; len += len < 70 ? 1 : 97)
		for (int op = COPY; op <= SET; op++)
			step((enum op)op, (len * 7) % 64, len, some_flags[len % 8], 0);
}

static void other_lengths_are_stored_whole_and_nothing_else(void **state)
{
	(void)state;
	for_each_engine(check_odd);
}

static void check_libc(const char *name)
{
	if (strncmp(name, "libc", 4) != 0)
		return;
	stores_bytes = true;
	check_words(name, 8, 136, PMEM_F_MEM_NOFLUSH);
	stores_bytes = false;
}

static void words_are_stored_whole_where_the_c_library_stores_bytes(void **state)
{
	(void)state;
	for_each_engine(check_libc);
}

/* If the stepper saw no store, every other case would pass. */
static void the_stepper_sees_split_stores(void **state)
{
	volatile uint32_t *half;

	(void)state;
	memset(area, PATTERN, sizeof(area));
	watch_from_here(128, false);
	half = (volatile uint32_t *)(void *)(area + MARGIN);
	trap_flag(true);
	half[0] = 0x01010101;
	half[1] = 0x02020202;
	half[1] = 0x02020202;
	trap_flag(false);
	assert_int_equal(seen.nstores, 3);
	assert_int_equal(seen.narrow, 3);
	assert_int_equal(seen.crossing, 0);
	watch_from_here(128, false);
	half = (volatile uint32_t *)(void *)(area + MARGIN + 2);
	trap_flag(true);
	half[0] = 0x01010101;
	trap_flag(false);
	assert_int_equal(seen.crossing, 1);
}

int main(void)
{
	struct sigaction sa = {.sa_handler = on_trap};
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_stepper_sees_split_stores),
	    cmocka_unit_test(words_are_stored_whole_where_the_c_library_stores_bytes),
	    cmocka_unit_test(aligned_1_2_4_8_bytes_are_one_store),
	    cmocka_unit_test(aligned_multiples_of_8_are_never_stored_narrower),
	    cmocka_unit_test(moves_of_aligned_multiples_of_8_are_never_stored_narrower),
	    cmocka_unit_test(no_store_of_the_portable_kernel_crosses_its_alignment),
	    cmocka_unit_test(other_lengths_are_stored_whole_and_nothing_else),
	};

	for (size_t i = 0; i < sizeof(source); i++)
		source[i] = (unsigned char)(1 + i % 255);
	sigaction(SIGTRAP, &sa, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
