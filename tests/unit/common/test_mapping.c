/* SPDX-License-Identifier: BSD-3-Clause */
/* The placement of mappings. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compiler.h"
#include "mapping.h"
#include "map_sync.h"
#include "support.h"

/* The thread sanitizer lets programs use a few parts of the address space only. */
static void skip_without_address_space(void)
{
#ifdef MAP_SYNC_UNUSABLE
	skip();
#endif
}

/* Lengths for which no address space has room. */
static void assert_lengths_are_refused(void)
{
	static const size_t bad[] = {SIZE_MAX, SIZE_MAX - 4094, SIZE_MAX - 4095,
				     SIZE_MAX - 4096, (size_t)1 << 62};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		void *p;

		errno = 0;
		assert_int_equal(mapping_reserve(bad[i], 0, &p), -ENOMEM);
		assert_int_equal(mapping_reserve(0, 0, &p), -EINVAL);
	}
}

static void reservations_are_aligned_by_their_length(void **state)
{
	static const struct {
		size_t len;
		size_t wish;
		size_t align;
	} rows[] = {
	    {1, 0, 2u << 20},		{4096, 4096, 2u << 20},
	    {2147483647, 0, 2u << 20},	{2147483648, 0, 1u << 30},
	    {4096, 1u << 30, 1u << 30}, {(size_t)1 << 40, 0, 1u << 30},
	};

	(void)state;
	skip_without_address_space();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *p;

		assert_int_equal(mapping_reserve(rows[i].len, rows[i].wish, &p), 0);
		assert_int_equal((uintptr_t)p % rows[i].align, 0);
		/* Exactly this range is reserved: the next page is free. */
		assert_int_equal(mprotect(p, rows[i].len, PROT_NONE), 0);
		mapping_release(p, rows[i].len, rows[i].wish);
		assert_int_equal(mprotect(p, rows[i].len, PROT_NONE), -1);
	}
	assert_lengths_are_refused();
}

/* Whether the process cannot read its own mappings. */
static bool maps_are_closed;

int access(const char *name, int mode)
{
	if (maps_are_closed && strcmp(name, "/proc/self/maps") == 0) {
		errno = EACCES;
		return -1;
	}
	return (int)syscall(SYS_faccessat, AT_FDCWD, name, mode);
}

static void hint_at(const char *before, uintptr_t addr, const char *after)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%lx%s", before, (unsigned long)addr, after);
	setenv("PMEM_MMAP_HINT", text, 1);
	mapping_init();
}

static void a_hint_is_the_lowest_address(void **state)
{
	static const char *const texts[] = {
	    "fffffffffffffff0",	     "f0000000000000",	"", "xyz",
	    "fffffffffffffffffffff", "ffffffffff800000"};
	const uintptr_t two_mib = 2u << 20;
	const uintptr_t gib = 1u << 30;
	uintptr_t free_space;
	void *first;
	void *second;
	void *large;
	void *low;
	void *page;

	(void)state;
	skip_without_address_space();
	if (access("/proc/self/maps", R_OK) != 0) {
		print_message("without /proc there are no hints\n");
		skip();
	}
	/* 8 GiB that nobody uses; the kernel fills them from their end. */
	assert_int_equal(mapping_reserve(8 * gib, 0, &first), 0);
	mapping_release(first, 8 * gib, 0);
	free_space = (uintptr_t)first + gib;

	hint_at("", free_space, "");
	assert_int_equal(mapping_reserve(4096, 0, &first), 0);
	assert_ptr_equal(first, (void *)free_space);
	assert_int_equal(mapping_reserve(4096, 0, &second), 0);
	assert_ptr_equal(second, (void *)(free_space + two_mib));
	assert_int_equal(mapping_reserve(2 * gib, 0, &large), 0);
	assert_ptr_equal(large, (void *)(free_space + gib));
	mapping_release(first, 4096, 0);
	mapping_release(second, 4096, 0);
	mapping_release(large, 2 * gib, 0);

	hint_at("0x", free_space + 1, "zzz"); /* rounded up; the rest is ignored */
	assert_int_equal(mapping_reserve(4096, 0, &first), 0);
	assert_ptr_equal(first, (void *)(free_space + two_mib));
	mapping_release(first, 4096, 0);

	hint_at("", 0, "");
	assert_int_equal(mapping_reserve(4096, 0, &low), 0);
	assert_true((uintptr_t)low >= two_mib && (uintptr_t)low < free_space);
	assert_int_equal((uintptr_t)low % two_mib, 0);
	mapping_release(low, 4096, 0);

	/* A hole that fits exactly is taken, and one that is too small passed over. */
	page = mmap((void *)(free_space + 2 * two_mib), 4096, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	assert_ptr_equal(page, (void *)(free_space + 2 * two_mib));
	hint_at("", free_space, "");
	assert_int_equal(mapping_reserve(2 * two_mib, 0, &first), 0);
	assert_ptr_equal(first, (void *)free_space);
	mapping_release(first, 2 * two_mib, 0);
	assert_int_equal(mapping_reserve(3 * two_mib, 0, &first), 0);
	assert_ptr_equal(first, (void *)(free_space + 3 * two_mib));
	mapping_release(first, 3 * two_mib, 0);
	assert_lengths_are_refused();
	munmap(page, 4096);

	/* Without the list of holes the hint has no effect. */
	maps_are_closed = true;
	hint_at("", free_space, "");
	maps_are_closed = false;
	assert_int_equal(mapping_reserve(4096, 0, &second), 0);
	assert_ptr_not_equal(second, (void *)free_space);
	mapping_release(second, 4096, 0);

	/*
	 * With an impossible address, or without a hint, the kernel chooses; the result is
	 * aligned.
	 */
	alarm(60);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		setenv("PMEM_MMAP_HINT", texts[i], 1);
		mapping_init();
		assert_int_equal(mapping_reserve(4096, 0, &first), 0);
		assert_int_equal((uintptr_t)first % two_mib, 0);
		assert_true(first > low);
		mapping_release(first, 4096, 0);
	}
	alarm(0);
	unsetenv("PMEM_MMAP_HINT");
	mapping_init();
}

static int memfd(size_t len)
{
	int fd = memfd_create("mapping", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	return fd;
}

static void shared_and_private_mappings_take_the_place(void **state)
{
	int fd = memfd(8192);
	const char *why = NULL;
	bool is_sync = true;
	char byte;
	char *p;

	(void)state;
	assert_int_equal(mapping_reserve(4096, 0, (void **)&p), 0);
	assert_int_equal(
	    mapping_place(p, 4096, fd, 4096, MAPPING_PRIVATE, &is_sync, &why), 0);
	assert_false(is_sync);
	assert_non_null(why);
	p[0] = 'x';
	assert_int_equal(pread(fd, &byte, 1, 4096), 1);
	assert_int_equal(byte, 0);
	is_sync = true;
	assert_int_equal(mapping_place(p, 4096, fd, 4096, MAPPING_SHARED, &is_sync, &why),
			 0);
	assert_false(is_sync); /* a memfd is no persistent memory */
	assert_non_null(why);
	p[0] = 'y';
	assert_int_equal(pread(fd, &byte, 1, 4096), 1);
	assert_int_equal(byte, 'y');
	mapping_release(p, 4096, 0);
	assert_int_equal(mapping_place(p, 4096, -1, 0, MAPPING_SHARED, NULL, NULL),
			 -EBADF);
	close(fd);
}

static atomic_uint misplaced;

static void *map_and_unmap(void *arg)
{
	int fd = *(int *)arg;

	for (int i = 0; i < 1000; i++) {
		void *p;

		if (mapping_reserve(1u << 20, 0, &p) != 0 ||
		    mapping_place(p, 1u << 20, fd, 0, MAPPING_SHARED, NULL, NULL) != 0 ||
		    (uintptr_t)p % (2u << 20) != 0)
			atomic_fetch_add(&misplaced, 1);
		else
			mapping_release(p, 1u << 20, 0);
	}
	return NULL;
}

static void eight_threads_never_misplace_a_mapping(void **state)
{
	pthread_t threads[8];
	int fd = memfd(1u << 20);

	(void)state;
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, map_and_unmap, &fd),
				 0);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&misplaced), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reservations_are_aligned_by_their_length),
	    cmocka_unit_test(a_hint_is_the_lowest_address),
	    cmocka_unit_test(shared_and_private_mappings_take_the_place),
	    cmocka_unit_test(eight_threads_never_misplace_a_mapping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
