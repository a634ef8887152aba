/* SPDX-License-Identifier: BSD-3-Clause */
/* Many blocks in one call: the results, the errors, and which block *failed names. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "image.h"
#include "pool_fixture.h"

#ifndef PMEMBLK_HAVE_BATCHES
#error "the macro that sources ask for"
#endif

enum { BSIZE = 512, MANY = 300, BEFORE = 1234 };

static unsigned char data[MANY * BSIZE];

/* A sync that fails; 0: none. */
static unsigned syncs;
static unsigned failing;

SUPPORT_INTERPOSE int msync(void *addr, size_t len, int flags)
{
	if (++syncs == failing) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_msync, addr, len, flags);
}

static void fill(unsigned char *block, long long blockno, int round)
{
	for (unsigned i = 0; i < BSIZE; i++)
		block[i] = (unsigned char)(blockno * 7 + round + (i == 9));
}

static bool holds(PMEMblkpool *p, long long blockno, int round)
{
	unsigned char block[BSIZE];
	unsigned char want[BSIZE] = {0};

	if (round)
		fill(want, blockno, round);
	return pmemblk_read(p, block, blockno) == 0 && memcmp(block, want, BSIZE) == 0;
}

/* One run with the blocks first, first + 1, and so on. */
static struct pmemblk_iovec run_of(long long first, size_t n, int round)
{
	for (size_t i = 0; i < n; i++)
		fill(data + i * BSIZE, first + (long long)i, round);
	return (struct pmemblk_iovec){data, first, n};
}

/*
 * The call must return -1 with this errno, *failed must be `blamed`, and the message must name
 * the pool.
 */
static void assert_fails(int ret, int err, const long long *failed, long long blamed)
{
	assert_int_equal(ret, -1);
	assert_int_equal(errno, err);
	assert_int_equal(*failed, blamed);
	assert_non_null(strstr(pmemblk_errormsg(), fixture_path));
}

static void what_one_call_writes_another_one_reads(void **state)
{
	static unsigned char back[MANY * BSIZE];
	PMEMblkpool *p = fixture_create(BSIZE, SIZE, 0644);
	struct pmemblk_iovec whole = run_of(1000, MANY, 1);
	struct pmemblk_iovec parts[3];
	long long last = (long long)pmemblk_nblock(p) - 1;
	long long failed = 5;

	(void)state;
	errno = BEFORE;
	assert_int_equal(pmemblk_writev(p, &whole, 1, &failed), 0);
	assert_int_equal(failed, -1);
	failed = 5;
	whole.buf = back;
	assert_int_equal(pmemblk_readv(p, &whole, 1, &failed), 0);
	assert_int_equal(failed, -1);
	assert_memory_equal(back, data, sizeof(back));
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(fixture_path, BSIZE), 1);

	/* in parts, in another order, and blocks at both ends */
	p = fixture_open();
	parts[0] = (struct pmemblk_iovec){back + 100 * BSIZE, 1100, MANY - 100};
	parts[1] = (struct pmemblk_iovec){NULL, -5, 0};
	parts[2] = (struct pmemblk_iovec){back, 1000, 100};
	memset(back, 0, sizeof(back));
	assert_int_equal(pmemblk_readv(p, parts, 3, NULL), 0);
	assert_memory_equal(back, data, sizeof(back));
	fill(back, 0, 2);
	fill(back + BSIZE, last, 2);
	parts[0] = (struct pmemblk_iovec){back + BSIZE, last, 1};
	parts[2] = (struct pmemblk_iovec){back, 0, 1};
	assert_int_equal(pmemblk_writev(p, parts, 3, NULL), 0);
	assert_true(holds(p, 0, 2) && holds(p, last, 2) && holds(p, 1000, 1));
	assert_int_equal(errno, BEFORE);
	assert_string_equal(pmemblk_errormsg(), "");
	pmemblk_close(p);
}

static void of_the_same_block_the_last_one_stays(void **state)
{
	unsigned char block[3][BSIZE];
	PMEMblkpool *p = fixture_create(BSIZE, SIZE, 0644);
	struct pmemblk_iovec iov[MANY];

	(void)state;
	for (int i = 0; i < 3; i++)
		fill(block[i], 7, i + 1);
	for (int n = 2; n <= MANY; n += 149) {
		for (int i = 0; i < n; i++)
			iov[i] = (struct pmemblk_iovec){block[(i + 300 - n) % 3], 7, 1};
		assert_int_equal(pmemblk_writev(p, iov, (size_t)n, NULL), 0);
		assert_true(holds(p, 7, 1 + 299 % 3));
	}
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(fixture_path, BSIZE), 1);
}

static void a_range_becomes_zero(void **state)
{
	PMEMblkpool *p = fixture_create(BSIZE, SIZE, 0644);
	struct pmemblk_iovec iov = run_of(10, MANY, 1);
	long long failed = 5;

	(void)state;
	/* all blocks, before any was written */
	assert_int_equal(pmemblk_set_zero_range(p, 0, pmemblk_nblock(p), &failed), 0);
	assert_int_equal(failed, -1);
	assert_int_equal(pmemblk_writev(p, &iov, 1, NULL), 0);
	assert_int_equal(pmemblk_set_error(p, 20), 0);
	assert_int_equal(pmemblk_set_zero_range(p, 11, MANY - 2, NULL), 0);
	assert_true(holds(p, 10, 1) && holds(p, 10 + MANY - 1, 1));
	for (int i = 11; i < 10 + MANY - 1; i++)
		assert_true(holds(p, i, 0));
	assert_int_equal(pmemblk_set_zero_range(p, 0, pmemblk_nblock(p), NULL), 0);
	assert_true(holds(p, 10, 0));
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(fixture_path, BSIZE), 1);
}

/* The element is wrong, alone or in front of a good one. */
static void assert_refused(PMEMblkpool *p, struct pmemblk_iovec wrong, int err,
			   long long blamed)
{
	struct pmemblk_iovec iov[2] = {wrong, {data, 3, 1}};

	for (size_t n = 1; n <= 2; n++) {
		long long failed = 5;

		assert_fails(pmemblk_writev(p, iov, n, &failed), err, &failed, blamed);
		failed = 5;
		assert_fails(pmemblk_readv(p, iov, n, &failed), err, &failed, blamed);
	}
	assert_true(holds(p, 3, 0));
}

/* If anything is wrong with the second element, the first one is not written either. */
static void all_is_checked_before_anything_is_written(void **state)
{
	PMEMblkpool *p = fixture_create(BSIZE, SIZE, 0644);
	long long n = (long long)pmemblk_nblock(p);
	const struct {
		struct pmemblk_iovec second;
		int err;
		long long blamed;
	} wrong[] = {
	    {{data, n, 1}, EINVAL, n},
	    {{data, n - 1, 2}, EINVAL, n},
	    {{data, -1, 1}, EINVAL, -1},
	    {{data, INT64_MIN, SIZE_MAX}, EINVAL, INT64_MIN},
	    {{data, INT64_MAX, 3}, EINVAL, INT64_MAX},
	    {{data, 1, SIZE_MAX}, EINVAL, n},
	    {{data, 0, (size_t)n + 1}, EINVAL, n},
	    {{NULL, 4, 1}, EFAULT, 4},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct pmemblk_iovec iov[2] = {run_of(3, 1, 1), wrong[i].second};
		unsigned char block[BSIZE] = {0};
		long long failed = 5;

		assert_fails(pmemblk_writev(p, iov, 2, &failed), wrong[i].err, &failed,
			     wrong[i].blamed);
		assert_int_equal(pmemblk_writev(p, iov, 2, NULL), -1);
		assert_true(holds(p, 3, 0));
		iov[0].buf = block;
		fill(block, 3, 9);
		failed = 5;
		assert_fails(pmemblk_readv(p, iov, 2, &failed), wrong[i].err, &failed,
			     wrong[i].blamed);
		assert_int_equal(block[0], (unsigned char)(3 * 7 + 9));
		assert_refused(p, wrong[i].second, wrong[i].err, wrong[i].blamed);
		failed = 5;
		if (wrong[i].err == EINVAL)
			assert_fails(pmemblk_set_zero_range(p, wrong[i].second.blockno,
							    wrong[i].second.nblock,
							    &failed),
				     EINVAL, &failed, wrong[i].blamed);
	}
	for (int i = 0; i < 2; i++) {
		const struct pmemblk_iovec *iov =
		    i ? &(struct pmemblk_iovec){data, 0, 1} : NULL;
		size_t many = i ? SIZE_MAX / 16 : 1;
		long long failed = 5;

		assert_fails(pmemblk_writev(p, iov, many, &failed), i ? EINVAL : EFAULT,
			     &failed, -1);
		assert_fails(pmemblk_readv(p, iov, many, &failed), i ? EINVAL : EFAULT,
			     &failed, -1);
	}
	pmemblk_close(p);
}

static void without_blocks_nothing_is_done(void **state)
{
	PMEMblkpool *p = fixture_create(BSIZE, SIZE, 0644);
	struct pmemblk_iovec none[2] = {{NULL, INT64_MAX, 0}, {NULL, -1, 0}};
	long long failed = 5;
	int old;

	(void)state;
	errno = BEFORE;
	assert_int_equal(pmemblk_writev(p, NULL, 0, &failed), 0);
	assert_int_equal(failed, -1);
	failed = 5;
	assert_int_equal(pmemblk_readv(p, NULL, 0, &failed), 0);
	assert_int_equal(failed, -1);
	failed = 5;
	assert_int_equal(pmemblk_set_zero_range(p, -1, 0, &failed), 0);
	assert_int_equal(failed, -1);
	assert_int_equal(pmemblk_writev(p, NULL, 0, NULL), 0);
	assert_int_equal(pmemblk_readv(p, NULL, 0, NULL), 0);
	assert_int_equal(pmemblk_writev(p, none, 2, NULL), 0);
	assert_int_equal(pmemblk_readv(p, none, 2, NULL), 0);
	assert_int_equal(pmemblk_set_zero_range(p, -1, 0, NULL), 0);
	assert_int_equal(errno, BEFORE);
	/* the thread can still be cancelled */
	assert_int_equal(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old), 0);
	assert_int_equal(old, PTHREAD_CANCEL_ENABLE);
	pmemblk_close(p);
}

static void set_catch(int value)
{
	assert_int_equal(pmemblk_ctl_set(NULL, "sigbus.catch", &value), 0);
}

static void a_block_in_error_is_named(void **state)
{
	static unsigned char back[MANY * BSIZE];

	(void)state;
	for (int catches = 0; catches < 2; catches++) {
		struct pmemblk_iovec iov = run_of(0, MANY, 1);
		long long failed = 5;
		PMEMblkpool *p;

		set_catch(catches);
		p = fixture_create(BSIZE, SIZE, 0644);
		assert_int_equal(pmemblk_writev(p, &iov, 1, &failed), 0);
		assert_int_equal(pmemblk_set_error(p, 123), 0);
		iov.buf = back;
		assert_fails(pmemblk_readv(p, &iov, 1, &failed), EIO, &failed, 123);
		assert_memory_equal(back, data, 123 * BSIZE);
		/* after a write the block is valid again */
		iov.buf = data;
		assert_int_equal(pmemblk_writev(p, &iov, 1, &failed), 0);
		assert_true(holds(p, 123, 1));
		pmemblk_close(p);
		unlink(fixture_path);
	}
	set_catch(0);
}

/* Its map entry names a data block that does not exist. */
static void a_damaged_block_is_named(void **state)
{
	(void)state;
	for (int catches = 0; catches < 2; catches++) {
		struct pmemblk_iovec iov = run_of(0, MANY, 1);
		long long failed = 5;
		PMEMblkpool *p;
		uint64_t map;

		set_catch(catches);
		p = fixture_create(BSIZE, SIZE, 0644);
		assert_int_equal(pmemblk_writev(p, &iov, 1, NULL), 0);
		pmemblk_close(p);
		map = IMAGE_DATA + image_get64(fixture_path, IMAGE_DATA + INFO_MAPOFF);
		image_put32(fixture_path, map + 4 * 7, 0xffffffff);
		p = fixture_open();
		assert_fails(pmemblk_writev(p, &iov, 1, &failed), EIO, &failed, 7);
		failed = 5;
		assert_fails(pmemblk_set_zero_range(p, 5, 10, &failed), EIO, &failed, 7);
		/* that says nothing about the others */
		iov = run_of(8, 2, 2);
		assert_int_equal(pmemblk_writev(p, &iov, 1, NULL), 0);
		assert_true(holds(p, 9, 2));
		pmemblk_close(p);
		unlink(fixture_path);
	}
	set_catch(0);
}

static void a_read_only_pool_is_read(void **state)
{
	PMEMblkpool *p = fixture_create(BSIZE, SIZE, 0644);
	struct pmemblk_iovec iov = run_of(0, 10, 1);
	unsigned char back[10 * BSIZE];
	long long failed = 5;

	(void)state;
	assert_int_equal(pmemblk_writev(p, &iov, 1, NULL), 0);
	pmemblk_close(p);
	image_put32(fixture_path, IMAGE_RO_COMPAT, 0x100);
	image_seal_header(fixture_path, 0);
	p = fixture_open();
	assert_fails(pmemblk_writev(p, &iov, 1, &failed), EROFS, &failed, -1);
	failed = 5;
	assert_fails(pmemblk_set_zero_range(p, 0, 1, &failed), EROFS, &failed, -1);
	iov.buf = back;
	assert_int_equal(pmemblk_readv(p, &iov, 1, NULL), 0);
	assert_memory_equal(back, data, sizeof(back));
	pmemblk_close(p);
}

/* A batch of 300 blocks has three chunks of two syncs. */
static void fail_sync(unsigned at)
{
	PMEMblkpool *p = fixture_create(BSIZE, SIZE, 0644);
	struct pmemblk_iovec iov = run_of(0, MANY, 1);
	unsigned char block[BSIZE];
	long long failed = 5;

	assert_int_equal(pmemblk_write(p, data, 999), 0);
	syncs = 0;
	failing = at;
	if (at <= 6)
		assert_fails(pmemblk_writev(p, &iov, 1, &failed), EIO, &failed, -1);
	else
		assert_fails(pmemblk_writev(p, &iov, 1, &failed) +
				 pmemblk_set_zero_range(p, 0, 1, &failed),
			     EIO, &failed, -1);
	failing = 0;
	failed = 5;
	assert_fails(pmemblk_writev(p, &iov, 1, &failed), EIO, &failed, -1);
	failed = 5;
	assert_fails(pmemblk_set_zero_range(p, 0, 1, &failed), EIO, &failed, -1);
	assert_int_equal(pmemblk_read(p, block, 0), 0);
	pmemblk_close(p);
	p = fixture_open();
	/* each block is old or new; blocks of complete chunks are new */
	for (long long i = at > 6; i < MANY; i++)
		assert_true(holds(p, i, 1) ||
			    (i >= (at - 1) / 2 * 128 && holds(p, i, 0)));
	assert_int_equal(pmemblk_writev(p, &iov, 1, NULL), 0);
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(fixture_path, BSIZE), 1);
	unlink(fixture_path);
}

static void a_failing_sync_is_nobodys_fault(void **state)
{
	(void)state;
	for (int catches = 0; catches < 2; catches++) {
		set_catch(catches);
		for (unsigned at = 1; at <= 7; at++)
			fail_sync(at);
	}
	set_catch(0);
}

static void a_lost_page_is_survived(void **state)
{
	struct pmemblk_iovec iov = run_of(0, 10, 1);
	long long failed = 5;
	PMEMblkpool *p;

	(void)state;
	set_catch(1);
	p = fixture_create(BSIZE, SIZE, 0644);
	assert_int_equal(pmemblk_writev(p, &iov, 1, NULL), 0);
	assert_int_equal(pmemblk_readv(p, &iov, 1, NULL), 0);
	assert_int_equal(pmemblk_set_zero_range(p, 1, 2, NULL), 0);
	assert_int_equal(truncate(fixture_path, SIZE / 2), 0);
	assert_fails(pmemblk_readv(p, &iov, 1, &failed), EIO, &failed, 0);
	failed = 5;
	assert_fails(pmemblk_writev(p, &iov, 1, &failed), EIO, &failed, -1);
	assert_null(strstr(pmemblk_errormsg(), "earlier"));
	failed = 5;
	assert_fails(pmemblk_writev(p, &iov, 1, &failed), EIO, &failed, -1);
	assert_non_null(strstr(pmemblk_errormsg(), "earlier"));
	failed = 5;
	assert_fails(pmemblk_set_zero_range(p, 0, 5, &failed), EIO, &failed, -1);
	assert_non_null(strstr(pmemblk_errormsg(), "earlier"));
	pmemblk_close(p);
	set_catch(0);
}

static int run_child(PMEMblkpool *p)
{
	unsigned char back[10 * BSIZE];
	struct pmemblk_iovec iov = {back, 0, 10};
	long long failed = 5;

	if (pmemblk_readv(p, &iov, 1, &failed) != 0 || failed != -1 ||
	    memcmp(back, data, sizeof(back)) != 0)
		return 1;
	iov.blockno = 999999999;
	if (pmemblk_readv(p, &iov, 1, &failed) != -1 || errno != EINVAL ||
	    failed != 999999999)
		return 2;
	iov.blockno = 0;
	if (pmemblk_writev(p, &iov, 1, &failed) != -1 || errno != EBUSY || failed != -1)
		return 3;
	if (pmemblk_set_zero_range(p, 0, 2, &failed) != -1 || errno != EBUSY)
		return 4;
	pmemblk_close(p);
	return 0;
}

static void a_forked_child_reads_and_does_not_write(void **state)
{
	PMEMblkpool *p = fixture_create(BSIZE, SIZE, 0644);
	struct pmemblk_iovec iov = run_of(0, 10, 1);
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(pmemblk_writev(p, &iov, 1, NULL), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run_child(p));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(pmemblk_set_zero_range(p, 0, 10, NULL), 0);
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(fixture_path, BSIZE), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    FIXTURE_CASE(what_one_call_writes_another_one_reads),
	    FIXTURE_CASE(of_the_same_block_the_last_one_stays),
	    FIXTURE_CASE(a_range_becomes_zero),
	    FIXTURE_CASE(all_is_checked_before_anything_is_written),
	    FIXTURE_CASE(without_blocks_nothing_is_done),
	    FIXTURE_CASE(a_block_in_error_is_named),
	    FIXTURE_CASE(a_damaged_block_is_named),
	    FIXTURE_CASE(a_read_only_pool_is_read),
	    FIXTURE_CASE(a_failing_sync_is_nobodys_fault),
	    FIXTURE_CASE(a_lost_page_is_survived),
	    FIXTURE_CASE(a_forked_child_reads_and_does_not_write),
	};

	support_assert_ours((const void *)(uintptr_t)&pmemblk_writev, "pmemblk_writev");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
