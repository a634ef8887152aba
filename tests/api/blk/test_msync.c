/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A sync fails, each one in turn. Nothing that could not be made durable may be reported as done,
 * and nothing may be stored on top of it.
 */
#include <libpmemblk.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "byteblock.h"
#include "image.h"
#include "support.h"

#define SIZE ((size_t)17 << 20)

static unsigned syncs;	 /* calls since arm() */
static unsigned failing; /* the call that fails, from 1; 0: none */

static int failure = EIO;

static bool must_fail(void)
{
	if (++syncs != failing)
		return false;
	errno = failure;
	return true;
}

/* The lowest address that was synchronised; and whether [watch_lo, watch_hi) behind it was. */
static uintptr_t base = UINTPTR_MAX;
static uint64_t watch_lo;
static uint64_t watch_hi;
static bool watched_synced;

SUPPORT_INTERPOSE int msync(void *addr, size_t len, int flags)
{
	if ((uintptr_t)addr < base)
		base = (uintptr_t)addr;
	if (watch_hi && (uintptr_t)addr <= base + watch_lo &&
	    (uintptr_t)addr + len >= base + watch_hi)
		watched_synced = true;
	return must_fail() ? -1 : (int)syscall(SYS_msync, addr, len, flags);
}

SUPPORT_INTERPOSE int fdatasync(int fd)
{
	return must_fail() ? -1 : (int)syscall(SYS_fdatasync, fd);
}

SUPPORT_INTERPOSE int fsync(int fd)
{
	return must_fail() ? -1 : (int)syscall(SYS_fsync, fd);
}

/* Evicts pages after they were read; the next read gets the medium's contents, zeros. */
static bool dropping;

static unsigned dropped;

static void drop(int fd, off_t off, size_t len)
{
	static const char zeros[8192];

	/* the descriptor that finds out the kind of file is read-only */
	if (dropping && len <= sizeof(zeros) &&
	    syscall(SYS_pwrite64, fd, zeros, len, off) == (long)len)
		dropped++;
}

SUPPORT_INTERPOSE ssize_t pread(int fd, void *buf, size_t len, off_t off)
{
	ssize_t n = syscall(SYS_pread64, fd, buf, len, off);

	if (n == (ssize_t)len && off <= 4096)
		drop(fd, off, len);
	return n;
}

static const char *path;

static void arm(unsigned at)
{
	syncs = 0;
	failing = at;
}

/* All modifying calls fail, all reads work. */
static void assert_poisoned(PMEMblkpool *p)
{
	for (int i = 0; i < 2; i++) {
		errno = 0;
		assert_int_equal(byteblock_put(p, 50 + i, 1), -1);
		assert_int_equal(errno, EIO);
		errno = 0;
		assert_int_equal(pmemblk_set_zero(p, i), -1);
		assert_int_equal(errno, EIO);
		errno = 0;
		assert_int_equal(pmemblk_set_error(p, i), -1);
		assert_int_equal(errno, EIO);
		assert_true(byteblock_get(p, 7) >= 0);
	}
	assert_non_null(strstr(pmemblk_errormsg(), path));
	assert_non_null(strstr(pmemblk_errormsg(), strerror(EIO)));
}

static PMEMblkpool *fresh_pool(bool laid_out)
{
	PMEMblkpool *p;

	arm(0);
	unlink(path);
	p = pmemblk_create(path, 512, SIZE, 0644);
	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	if (laid_out)
		for (int i = 0; i < 10; i++)
			assert_int_equal(byteblock_put(p, i, 1), 0);
	return p;
}

static PMEMblkpool *create_pool(void)
{
	return pmemblk_create(path, 512, SIZE, 0644);
}

static PMEMblkpool *open_pool(void)
{
	return pmemblk_open(path, 0);
}

/* Each sync of the attempt fails in turn, and with it the attempt; then it succeeds. */
static void fail_each_sync(PMEMblkpool *(*attempt)(void), bool leaves_file)
{
	PMEMblkpool *p = NULL;
	unsigned at;

	for (at = 1; at < 100; at++) {
		arm(at);
		errno = 0;
		p = attempt();
		if (p)
			break;
		assert_int_equal(errno, EIO);
		assert_non_null(strstr(pmemblk_errormsg(), path));
		assert_int_equal(access(path, F_OK), leaves_file ? 0 : -1);
	}
	assert_non_null(p);
	assert_true(syncs < at);
	pmemblk_close(p);
	assert_in_range(at, 2, 10);
}

static void a_failed_create_leaves_no_file(void **state)
{
	(void)state;
	unlink(path);
	fail_each_sync(create_pool, false);
}

static void a_failed_create_takes_back_what_it_stored_in_the_users_files(void **state)
{
	const char *set = support_path(false, "set");
	const char *part[2] = {support_path(false, "a"), support_path(false, "b")};
	uint64_t before[2];
	char text[512];
	unsigned at;

	(void)state;
	snprintf(text, sizeof(text), "PMEMPOOLSET\n9M %s\n9M %s\n", part[0], part[1]);
	support_write_file(set, text, strlen(text));
	for (int i = 0; i < 2; i++) {
		image_make_zero(part[i], 9 << 20);
		image_write(part[i], 4096, "my data", 8);
		before[i] = image_hash(part[i]);
	}
	for (at = 1; at < 100; at++) {
		PMEMblkpool *p;

		arm(at);
		errno = 0;
		p = pmemblk_create(set, 512, 0, 0644);
		if (p) {
			assert_true(syncs < at);
			pmemblk_close(p);
			break;
		}
		assert_int_equal(errno, EIO);
		assert_true(image_hash(part[0]) == before[0]);
		assert_true(image_hash(part[1]) == before[1]);
	}
	assert_in_range(at, 3, 12);
}

/* An operation on block 3, during which a sync fails. The block held byte 1 before. */
static int operate(PMEMblkpool *p, int operation)
{
	switch (operation) {
	case 0:
		return byteblock_put(p, 3, 2);
	case 1:
		return pmemblk_set_zero(p, 3);
	default:
		return pmemblk_set_error(p, 3);
	}
}

static bool is_new(PMEMblkpool *p, int operation)
{
	static const int bytes[] = {2, 0, -1};

	return byteblock_get(p, 3) == bytes[operation];
}

static void try_operation(int operation, bool laid_out)
{
	int old = laid_out ? 1 : 0;
	unsigned at;

	for (at = 1; at < 100; at++) {
		PMEMblkpool *p = fresh_pool(laid_out);
		int ret;

		arm(at);
		errno = 0;
		ret = operate(p, operation);
		if (ret == 0) {
			assert_true(syncs < at);
			assert_true(is_new(p, operation));
			arm(0);
			pmemblk_close(p);
			break;
		}
		assert_int_equal(errno, EIO);
		assert_poisoned(p);
		/* Nothing is synchronised again, and the pool stays marked as open. */
		assert_int_equal(syncs, at);
		pmemblk_close(p);
		assert_int_equal(image_get32(path, IMAGE_SDS + 16), 1);
		assert_int_equal(pmemblk_check(path, 0), 1);
		arm(0);
		p = pmemblk_open(path, 0);
		assert_non_null(p);
		assert_true(byteblock_get(p, 3) == old || is_new(p, operation));
		assert_int_equal(byteblock_get(p, 5), old);
		assert_int_equal(byteblock_put(p, 3, 9), 0);
		assert_int_equal(byteblock_get(p, 3), 9);
		pmemblk_close(p);
		assert_int_equal(image_get32(path, IMAGE_SDS + 16), 0);
	}
	assert_true(at < 100);
	/* Without a layout set_zero stores nothing. */
	assert_true(at > 1 || (operation == 1 && !laid_out));
}

/* With and without sigbus.catch. Set in the case, because cmocka has a handler in each step. */
static void try_operations(bool laid_out)
{
	for (int yes = 0; yes < 2; yes++) {
		assert_int_equal(pmemblk_ctl_set(NULL, "sigbus.catch", &yes), 0);
		for (int operation = 0; operation < 3; operation++)
			try_operation(operation, laid_out);
	}
	assert_int_equal(pmemblk_ctl_set(NULL, "sigbus.catch", &(int){0}), 0);
}

static void a_failed_write_poisons_the_pool(void **state)
{
	(void)state;
	try_operations(true);
}

static void a_failed_first_write_poisons_the_pool(void **state)
{
	(void)state;
	try_operations(false);
}

static void a_failed_close_leaves_the_pool_marked_as_open_and_whole(void **state)
{
	unsigned at;

	(void)state;
	for (at = 1; at < 100; at++) {
		PMEMblkpool *p = fresh_pool(true);

		assert_int_equal(byteblock_put(p, 3, 2), 0);
		arm(at);
		pmemblk_close(p);
		if (syncs < at)
			break;
		arm(0);
		assert_int_equal(pmemblk_check(path, 0), 1);
		p = pmemblk_open(path, 0);
		assert_non_null(p);
		assert_int_equal(byteblock_get(p, 3), 2);
		assert_int_equal(byteblock_get(p, 4), 1);
		pmemblk_close(p);
	}
	assert_in_range(at, 2, 10);
}

static void a_failed_open_is_an_error_and_may_be_tried_again(void **state)
{
	(void)state;
	pmemblk_close(fresh_pool(true));
	fail_each_sync(open_pool, true);
	assert_int_equal(pmemblk_check(path, 0), 1);
}

/* Each sync of a pool's life in turn; the set has new parts, which are written with fsync. */
static void a_sync_that_a_signal_interrupts_is_no_failure(void **state)
{
	const char *set = support_path(true, "set");
	const char *part[2] = {support_path(true, "a"), support_path(true, "b")};
	char text[512];
	unsigned at;

	(void)state;
	snprintf(text, sizeof(text), "PMEMPOOLSET\n9M %s\n9M %s\n", part[0], part[1]);
	support_write_file(set, text, strlen(text));
	failure = EINTR;
	for (at = 1; at < 100; at++) {
		PMEMblkpool *p;

		unlink(part[0]);
		unlink(part[1]);
		arm(at);
		p = pmemblk_create(set, 512, 0, 0644);
		if (!p)
			fail_msg("call %u: %s", at, pmemblk_errormsg());
		for (int i = 0; i < 2; i++) {
			errno = 4711;
			assert_int_equal(byteblock_put(p, i, i + 1), 0);
			assert_int_equal(pmemblk_set_zero(p, 2), 0);
			assert_int_equal(errno, 4711);
		}
		pmemblk_close(p);
		if (syncs < at)
			break;
	}
	failure = EIO;
	arm(0);
	assert_in_range(at, 8, 40);
}

/*
 * A page that the disk refused to write can be read until it is evicted. So open stores the bytes
 * that it has judged again, not the bytes that can be read now.
 */
static void an_open_stores_header_and_descriptor_again(void **state)
{
	unsigned char before[4096 + 48], after[sizeof(before)];
	PMEMblkpool *p;

	(void)state;
	pmemblk_close(fresh_pool(true));
	image_read(path, 0, before, sizeof(before));
	dropping = true;
	p = pmemblk_open(path, 0);
	dropping = false;
	assert_int_equal(dropped, 2);
	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	pmemblk_close(p);
	image_read(path, 0, after, sizeof(after));
	/* all but the shutdown state */
	assert_memory_equal(before, after, IMAGE_SDS);
	assert_memory_equal(before + 4088, after + 4088, sizeof(before) - 4088);
	assert_int_equal(pmemblk_check(path, 0), 1);
}

/* The original flushed the cleared map as if the file were persistent memory. */
static void B19_a_map_that_was_cleared_is_synchronised(void **state)
{
	PMEMblkpool *p;

	(void)state;
	/* Finds the place of the map of a pool of this size. */
	pmemblk_close(fresh_pool(true));
	watch_lo = IMAGE_DATA + image_get64(path, IMAGE_DATA + INFO_MAPOFF);
	watch_hi = IMAGE_DATA + image_get64(path, IMAGE_DATA + INFO_FLOGOFF);
	image_make_zero(path, SIZE);
	for (uint64_t off = watch_lo; off < watch_hi; off += 500)
		image_write(path, off, "garbage", 7);
	base = UINTPTR_MAX;
	p = pmemblk_create(path, 512, 0, 0);
	assert_non_null(p);
	watched_synced = false;
	assert_int_equal(byteblock_put(p, 0, 1), 0);
	assert_true(watched_synced);
	pmemblk_close(p);
	watch_hi = 0;
	assert_int_equal(pmemblk_check(path, 0), 1);
}

static void check_synchronises_nothing(void **state)
{
	(void)state;
	pmemblk_close(fresh_pool(true));
	arm(0);
	assert_int_equal(pmemblk_check(path, 0), 1);
	assert_int_equal(syncs, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_failed_create_leaves_no_file),
	    cmocka_unit_test(
		a_failed_create_takes_back_what_it_stored_in_the_users_files),
	    cmocka_unit_test(a_failed_write_poisons_the_pool),
	    cmocka_unit_test(a_failed_first_write_poisons_the_pool),
	    cmocka_unit_test(a_failed_close_leaves_the_pool_marked_as_open_and_whole),
	    cmocka_unit_test(a_failed_open_is_an_error_and_may_be_tried_again),
	    cmocka_unit_test(a_sync_that_a_signal_interrupts_is_no_failure),
	    cmocka_unit_test(an_open_stores_header_and_descriptor_again),
	    cmocka_unit_test(B19_a_map_that_was_cleared_is_synchronised),
	    cmocka_unit_test(check_synchronises_nothing),
	};

	unsetenv("PMEM_IS_PMEM_FORCE");
	path = support_path(false, "pool");
	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
