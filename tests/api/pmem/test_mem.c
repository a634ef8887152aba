/* SPDX-License-Identifier: BSD-3-Clause */
/* The copy functions through the public interface, and flush, drain, persist. */
#include <errno.h>
#include <libpmem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define AREA ((size_t)64 << 10)

static char *area;
static char *expected;

static void fill(uint64_t seed)
{
	for (size_t i = 0; i < AREA; i += 8) {
		uint64_t v = support_random(&seed);

		memcpy(area + i, &v, 8);
		memcpy(expected + i, &v, 8);
	}
}

/* All nine by number; flags count for the first three only. */
static void *call(int which, char *dest, const char *src, int c, size_t len,
		  unsigned flags)
{
	switch (which) {
	case 0:
		return pmem_memmove(dest, src, len, flags);
	case 1:
		return pmem_memcpy(dest, src, len, flags);
	case 2:
		return pmem_memset(dest, c, len, flags);
	case 3:
		return pmem_memmove_persist(dest, src, len);
	case 4:
		return pmem_memcpy_persist(dest, src, len);
	case 5:
		return pmem_memset_persist(dest, c, len);
	case 6:
		return pmem_memmove_nodrain(dest, src, len);
	case 7:
		return pmem_memcpy_nodrain(dest, src, len);
	default:
		return pmem_memset_nodrain(dest, c, len);
	}
}

static void all_nine_equal_the_c_library_and_return_dest(void **state)
{
	uint64_t random = 42;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		int which = round % 9;
		unsigned flags = (unsigned)(round / 9) % 64;
		size_t len = support_random(&random) % (round % 50 ? 700 : AREA / 3);
		size_t to = support_random(&random) % (AREA / 3);
		size_t from = support_random(&random) % (AREA / 3);
		int c = (int)(support_random(&random) % 100000) - 50000;
		char *ret;

		if (round % 500 == 0)
			fill((uint64_t)round);
		errno = 4711;
		ret = call(which, area + to, area + from, c, len, flags);
		assert_int_equal(errno, 4711);
		assert_ptr_equal(ret, area + to);
		if (which % 3 == 2)
			memset(expected + to, c, len);
		else
			memmove(expected + to, expected + from, len);
		if (memcmp(area, expected, AREA) != 0)
			fail_msg("function %d, flags %#x, len %zu, from %zu to %zu",
				 which, flags, len, from, to);
	}
}

static void nothing_is_copied_for_length_0_or_onto_itself(void **state)
{
	(void)state;
	fill(9);
	for (int which = 0; which < 9; which++)
		for (unsigned flags = 0; flags < 64; flags++) {
			assert_ptr_equal(call(which, area + 3, area + 50, 1, 0, flags),
					 area + 3);
			/* Nothing is accessed: these addresses are not mapped. */
			assert_ptr_equal(call(which, (char *)33, (char *)77, 1, 0, flags),
					 (char *)33);
			if (which % 3 != 2)
				assert_ptr_equal(
				    call(which, area + 1, area + 1, 1, 5000, flags),
				    area + 1);
		}
	assert_memory_equal(area, expected, AREA);
}

static void memset_uses_the_low_byte(void **state)
{
	(void)state;
	pmem_memset_persist(area, 0x7fffff41, 1000);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(area[i], 0x41);
	pmem_memset(area, -1, 1000, PMEM_F_MEM_NONTEMPORAL);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal((unsigned char)area[i], 0xff);
}

static void unknown_flags_are_ignored(void **state)
{
	(void)state;
	fill(3);
	for (unsigned bit = 6; bit < 32; bit++) {
		pmem_memcpy(area + 100, area + 8000, 3000, 1u << bit);
		memcpy(expected + 100, expected + 8000, 3000);
		pmem_memset(area + 9000, (int)bit, 3000, ~0u << 6);
		memset(expected + 9000, (int)bit, 3000);
		assert_memory_equal(area, expected, AREA);
	}
}

static void flush_drain_and_persist_change_nothing(void **state)
{
	(void)state;
	fill(4);
	errno = 4711;
	for (size_t len = 0; len < 300; len++) {
		pmem_flush(area + len, len);
		pmem_drain();
		pmem_persist(area + 1, len);
		pmem_deep_flush(area + len * 7, len);
	}
	pmem_persist(area, AREA);
	/* With length 0 nothing is accessed, whatever the address is. */
	pmem_flush(NULL, 0);
	pmem_flush((char *)33, 0);
	pmem_persist((char *)33, 0);
	pmem_deep_flush((char *)33, 0);
	pmem_flush(area + 1, SIZE_MAX); /* wraps around */
	assert_int_equal(errno, 4711);
	assert_memory_equal(area, expected, AREA);
	assert_int_equal(pmem_has_hw_drain(), 0);
}

static void nothing_outside_of_the_destination_is_written(void **state)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(p != MAP_FAILED);
	assert_int_equal(mprotect(p, page, PROT_NONE), 0);
	assert_int_equal(mprotect(p + 2 * page, page, PROT_NONE), 0);
	p += page;
	for (int which = 0; which < 9; which++)
		for (size_t len = 0; len <= 600; len++) {
			unsigned flags = (unsigned)len % 64;

			call(which, p, p + page - len, 1, len, flags);
			call(which, p + page - len, p, 1, len, flags);
		}
	munmap(p - page, 3 * page);
}

/* Runs this program again with variables set; it then checks one copy of each length. */
static void every_engine_of_the_environment_copies_right(void **state)
{
	static const char *const sets[][4] = {
	    {"PMEM_NO_CLWB=1"},		  {"PMEM_NO_CLWB=1", "PMEM_NO_CLFLUSHOPT=1"},
	    {"PMEM_NO_FLUSH=1"},	  {"PMEM_NO_FLUSH=0"},
	    {"PMEM_AVX512F=0"},		  {"PMEM_AVX512F=0", "PMEM_AVX=0"},
	    {"PMEM_NO_MOVNT=1"},	  {"PMEM_NO_MOVNT=1", "PMEM_NO_GENERIC_MEMCPY=1"},
	    {"PMEM_MOVNT_THRESHOLD=0"},	  {"PMEM_MOVNT_THRESHOLD=99999999999"},
	    {"PMEM_MOVNT_THRESHOLD=-15"}, {"PMEM_WC_WORKAROUND=1", "PMEM_AVX512F=0"},
	    {"PMEM_MOVDIR64B=1"},
	};

	(void)state;
	if (*(getenv("CROSS") ? getenv("CROSS") : "")) {
		print_message(
		    "skipped: programs of another CPU cannot start each other\n");
		skip();
	}
	for (size_t i = 0; i < COUNT(sets); i++) {
		int status;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			char name[64];

			for (size_t j = 0; j < 4 && sets[i][j]; j++) {
				snprintf(name, sizeof(name), "%s", sets[i][j]);
				*strchr(name, '=') = '\0';
				setenv(name, strchr(sets[i][j], '=') + 1, 1);
			}
			execl("/proc/self/exe", "test_pmem_mem", "engine", (char *)NULL);
			_exit(127);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (status != 0)
			fail_msg("%s %s", sets[i][0], sets[i][1] ? sets[i][1] : "");
	}
}

static int check_engine(void)
{
	uint64_t random = 5;

	fill(6);
	for (size_t len = 0; len < 3000; len++) {
		unsigned flags = (unsigned)(support_random(&random) % 64);
		size_t to = support_random(&random) % 20000;
		size_t from = support_random(&random) % 20000;

		pmem_memmove(area + to, area + from, len, flags);
		memmove(expected + to, expected + from, len);
		pmem_memset(area + from, (int)len, len, flags);
		memset(expected + from, (int)len, len);
		if (memcmp(area, expected, AREA) != 0)
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_nine_equal_the_c_library_and_return_dest),
	    cmocka_unit_test(nothing_is_copied_for_length_0_or_onto_itself),
	    cmocka_unit_test(memset_uses_the_low_byte),
	    cmocka_unit_test(unknown_flags_are_ignored),
	    cmocka_unit_test(flush_drain_and_persist_change_nothing),
	    cmocka_unit_test(nothing_outside_of_the_destination_is_written),
	    cmocka_unit_test(every_engine_of_the_environment_copies_right),
	};

	area = aligned_alloc(4096, AREA);
	expected = aligned_alloc(4096, AREA);
	if (!area || !expected)
		return 1;
	support_assert_ours((const void *)(uintptr_t)pmem_memcpy, "pmem_memcpy");
	if (argc > 1 && strcmp(argv[1], "engine") == 0)
		return check_engine();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
