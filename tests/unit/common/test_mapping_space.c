/* SPDX-License-Identifier: BSD-3-Clause */
/* Reservations give back all address space that they tried, wherever the kernel puts them. */
#include "support.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compiler.h"
#include "mapping.h"

#define UNIT ((size_t)2 << 20)

/* The kernel puts reservations between two multiples of UNIT, so they are not aligned. */
static bool is_crooked;
static unsigned nreserved;
static uintptr_t crooked_from; /* the last one of these */
static uintptr_t crooked_to;
static unsigned noutside; /* times that something else was unmapped */

/* Before Linux 4.17 the flag is not known, and the address a wish that may not be granted. */
static bool is_old;
static unsigned nwish;

/* Where the kernel was asked to replace a mapping and refused: it may have removed it all the same. */
static unsigned nlost;

/* So many times another thread takes a page of the place first. */
static unsigned nraces;
static void *taken[4];

SUPPORT_INTERPOSE void *mmap(void *addr, size_t len, int prot, int flags, int fd,
			     off_t off)
{
	char *at;

	if (is_old && (flags & MAP_FIXED_NOREPLACE)) {
		flags &= ~MAP_FIXED_NOREPLACE;
		addr = NULL;
		nwish++;
	}
	if (nraces && (flags & MAP_FIXED_NOREPLACE)) {
		nraces--;
		taken[nraces] =
		    (void *)syscall(SYS_mmap, addr, 4096, prot, flags, fd, off);
	}
	if (prot != PROT_NONE || !is_crooked) {
		at = (char *)syscall(SYS_mmap, addr, len, prot, flags, fd, off);
		nlost += at == MAP_FAILED && flags & MAP_FIXED;
		return at;
	}
	nreserved++;
	at = (char *)syscall(SYS_mmap, NULL, len + 2 * UNIT, prot, flags, fd, off);
	if (at == MAP_FAILED)
		return at;
	addr = (char *)(((uintptr_t)at + UNIT - 1) & ~(UNIT - 1)) + UNIT / 2;
	syscall(SYS_munmap, at, (size_t)((char *)addr - at));
	syscall(SYS_munmap, (char *)addr + len, (size_t)(at + 2 * UNIT - (char *)addr));
	crooked_from = (uintptr_t)addr;
	crooked_to = crooked_from + ((len + 4095) & ~(size_t)4095);
	return addr;
}

SUPPORT_INTERPOSE int munmap(void *addr, size_t len)
{
	if (is_crooked &&
	    ((uintptr_t)addr < crooked_from || (uintptr_t)addr + len > crooked_to))
		noutside++;
	return (int)syscall(SYS_munmap, addr, len);
}

static long count_pages(void)
{
	FILE *statm = fopen("/proc/self/statm", "re");
	long n = 0;

	if (!statm)
		return 0;
	assert_int_equal(fscanf(statm, "%ld", &n), 1);
	fclose(statm);
	return n;
}

static void what_is_reserved_and_released_leaves_nothing(void **state)
{
	static const size_t lens[] = {UNIT, 3 * UNIT, UNIT + 4096, 4096};
	long before = count_pages();

	(void)state;
	for (int crooked = 0; crooked < 2; crooked++)
		for (unsigned i = 0; i < 40; i++) {
			size_t len = lens[i % ARRAY_SIZE(lens)];
			void *p;

			nreserved = 0;
			is_crooked = crooked;
			assert_int_equal(mapping_reserve(len, 0, &p), 0);
			is_crooked = false;
			assert_int_equal(noutside, 0);
			assert_int_equal((uintptr_t)p % UNIT, 0);
			assert_int_equal(mprotect(p, len, PROT_NONE), 0);
			/* two attempts to reserve just that much, then one for more */
			assert_int_equal(nreserved, crooked ? 3 : 0);
			assert_true(count_pages() <= before + (long)(len / 4096) + 300);
			mapping_release(p, len, 0);
			assert_true(count_pages() <= before + 300);
		}
}

static void a_hint_leaves_no_descriptor_and_no_space(void **state)
{
	unsigned descriptors = support_count_descriptors();
	long before = count_pages();

	(void)state;
	if (access("/proc/self/maps", R_OK) != 0)
		skip();
	setenv("PMEM_MMAP_HINT", "10000000000", 1);
	mapping_init();
	for (int i = 0; i < 40; i++) {
		void *p;

		assert_int_equal(mapping_reserve(UNIT, 0, &p), 0);
		mapping_release(p, UNIT, 0);
	}
	unsetenv("PMEM_MMAP_HINT");
	mapping_init();
	assert_int_equal(support_count_descriptors(), descriptors);
	assert_true(count_pages() <= before + 300);
}

static void a_hint_is_kept_when_another_thread_is_faster(void **state)
{
	(void)state;
	if (access("/proc/self/maps", R_OK) != 0)
		skip();
	setenv("PMEM_MMAP_HINT", "10000000000", 1);
	mapping_init();
	for (unsigned n = 1; n <= 3; n += 2) {
		void *p;

		nraces = n;
		assert_int_equal(mapping_reserve(UNIT, 0, &p), 0);
		assert_int_equal(nraces, 0);
		assert_int_equal((uintptr_t)p, (uintptr_t)0x10000000000 + n * UNIT);
		mapping_release(p, UNIT, 0);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(munmap(taken[i], 4096), 0);
	}
	unsetenv("PMEM_MMAP_HINT");
	mapping_init();
}

static void a_hint_that_an_old_kernel_does_not_grant_takes_no_space(void **state)
{
	long before = count_pages();
	void *p;

	(void)state;
	if (access("/proc/self/maps", R_OK) != 0)
		skip();
	setenv("PMEM_MMAP_HINT", "10000000000", 1);
	mapping_init();
	is_old = true;
	nwish = 0;
	assert_int_equal(mapping_reserve(UNIT, 0, &p), 0);
	is_old = false;
	assert_true(nwish > 0);
	assert_int_equal((uintptr_t)p % UNIT, 0);
	assert_true(count_pages() <= before + (long)(UNIT / 4096) + 300);
	mapping_release(p, UNIT, 0);
	unsetenv("PMEM_MMAP_HINT");
	mapping_init();
}

/* Another thread could take the place before a second attempt. */
static void a_place_is_not_lost_to_an_attempt_that_fails(void **state)
{
	int fd = memfd_create("place", MFD_CLOEXEC);
	const char *why;
	bool is_sync;
	void *p;

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)UNIT), 0);
	assert_int_equal(mapping_reserve(UNIT, 0, &p), 0);
	nlost = 0;
	assert_int_equal(mapping_place(p, UNIT, fd, 0, MAPPING_SHARED, &is_sync, &why),
			 0);
	assert_int_equal(nlost, 0);
	assert_false(is_sync);
	mapping_release(p, UNIT, 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_reserved_and_released_leaves_nothing),
	    cmocka_unit_test(a_place_is_not_lost_to_an_attempt_that_fails),
	    cmocka_unit_test(a_hint_leaves_no_descriptor_and_no_space),
	    cmocka_unit_test(a_hint_is_kept_when_another_thread_is_faster),
	    cmocka_unit_test(a_hint_that_an_old_kernel_does_not_grant_takes_no_space),
	};

	if (SUPPORT_SANITIZED) {
		puts("the sanitizers use the address space themselves");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
