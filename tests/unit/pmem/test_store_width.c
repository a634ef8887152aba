/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checks the promise on store widths by executing the copy functions one instruction at a time.
 * After each instruction the trap handler compares the destination with a pattern: the bytes that
 * differ are those that the instruction has stored. Then it restores the pattern, so that it also
 * sees a second store to the same place.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "compiler.h"
#include "engine.h"
#include "engine_select.h"
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
static _Alignas(64) unsigned char source[MAX_LEN + 64];
static unsigned char stored[sizeof(area)]; /* how many stores there were to each byte */

static struct {
	size_t watch; /* bytes of area to watch */
	unsigned nstores;
	/* stores that are not of a multiple of 8 bytes to a multiple of 8 */
	unsigned narrow;
	unsigned narrowest;
} seen;

static void on_trap(int sig)
{
	size_t from = 0;
	size_t to = seen.watch;

	(void)sig;
	while (to - from >= 8 && *(const uint64_t *)(area + from) == 0)
		from += 8;
	while (from < to && area[from] == PATTERN)
		from++;
	if (from == to)
		return;
	while (area[to - 1] == PATTERN)
		to--;
	for (size_t i = from; i < to; i++) {
		stored[i]++;
		area[i] = PATTERN;
	}
	seen.nstores++;
	if (from % 8 || to % 8)
		seen.narrow++;
	if (to - from < seen.narrowest)
		seen.narrowest = (unsigned)(to - from);
}

enum op { COPY, SET };

static void step(enum op op, size_t offset, size_t len, unsigned flags)
{
	unsigned char *dest = area + MARGIN + offset;
	void *ret;

	memset(area, PATTERN, sizeof(area));
	memset(stored, 0, sizeof(stored));
	seen.watch = (MARGIN + offset + len + MARGIN + 7) & ~(size_t)7;
	seen.nstores = 0;
	seen.narrow = 0;
	seen.narrowest = UINT32_MAX;
	trap_flag(true);
	if (op == COPY)
		ret = pmem_memcpy(dest, source + 1 + offset % 3, len, flags);
	else
		ret = pmem_memset(dest, 0x5a, len, flags);
	trap_flag(false);
	assert_ptr_equal(ret, dest);
	for (size_t i = 0; i < seen.watch; i++) {
		bool inside = i >= MARGIN + offset && i < MARGIN + offset + len;

		if (inside != (stored[i] > 0))
			fail_msg("byte %zd of %zu was stored %u times",
				 (ssize_t)(i - MARGIN - offset), len, stored[i]);
	}
}

static const char *const kinds[] = {"copy", "set"};

static void check_one_store(const char *engine_name, size_t offset, size_t len,
			    unsigned flags)
{
	for (int op = COPY; op <= SET; op++) {
		step((enum op)op, offset, len, flags);
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
		step((enum op)op, offset, len, flags);
		if (seen.narrow)
			fail_msg("%s: %s of %zu bytes at +%zu, flags %#x: %u stores that "
				 "are not whole words, the narrowest of %u bytes",
				 engine_name, kinds[op], len, offset, flags, seen.narrow,
				 seen.narrowest);
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
	const struct engine before = engine;
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
	engine = before;
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

static void check_odd(const char *name)
{
	(void)name;
	for (size_t len = 0; len < 700; len += len < 70 ? 1 : 97)
		for (int op = COPY; op <= SET; op++)
			step((enum op)op, (len * 7) % 64, len, some_flags[len % 8]);
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
	seen.watch = 128;
	seen.nstores = 0;
	seen.narrow = 0;
	half = (volatile uint32_t *)(void *)(area + MARGIN);
	trap_flag(true);
	half[0] = 0x01010101;
	half[1] = 0x02020202;
	half[1] = 0x02020202;
	trap_flag(false);
	assert_int_equal(seen.nstores, 3);
	assert_int_equal(seen.narrow, 3);
}

int main(void)
{
	struct sigaction sa = {.sa_handler = on_trap};
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_stepper_sees_split_stores),
	    cmocka_unit_test(words_are_stored_whole_where_the_c_library_stores_bytes),
	    cmocka_unit_test(aligned_1_2_4_8_bytes_are_one_store),
	    cmocka_unit_test(aligned_multiples_of_8_are_never_stored_narrower),
	    cmocka_unit_test(other_lengths_are_stored_whole_and_nothing_else),
	};

	for (size_t i = 0; i < sizeof(source); i++)
		source[i] = (unsigned char)(1 + i % 255);
	sigaction(SIGTRAP, &sa, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
