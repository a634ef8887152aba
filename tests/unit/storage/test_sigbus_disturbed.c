/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls during which another thread meets a lost page: it may have been the replacement of that page
 * which they have read or changed.
 */
#include "sigbus_fixture.h"

#include <stdatomic.h>

#include "pool/watched.h"

/* What another thread does to the pool's watch when it meets a page. */
static void meet_page(struct pmemblk *p)
{
	atomic_fetch_add(&p->watch.epoch, 2);
}

static unsigned calls;
static unsigned disturbed; /* so many calls from the first one */

static int read_disturbed(struct pmemblk *p, void *buf, uint64_t lba)
{
	memset(buf, 7, BSIZE);
	if (calls++ < disturbed)
		meet_page(p);
	return lba == 5 ? 0 : -EIO;
}

static int read_block(unsigned n, uint64_t lba)
{
	static unsigned char block[BSIZE];

	calls = 0;
	disturbed = n;
	return pool_read_watched(pool, read_disturbed, block, lba);
}

static void a_read_is_repeated_until_nobody_disturbs_it(void **state)
{
	(void)state;
	make_pool();
	assert_int_equal(read_block(0, 5), 0);
	assert_int_equal(calls, 1);
	assert_int_equal(read_block(3, 5), 0);
	assert_int_equal(calls, 4);
	assert_int_equal(read_block(3, 6), -EIO);
	assert_int_equal(calls, 4);
	drop_pool();
}

static void a_read_that_is_disturbed_for_ever_fails(void **state)
{
	(void)state;
	make_pool();
	assert_int_equal(read_block(UINT32_MAX, 5), -EIO);
	assert_int_equal(calls, 100000);
	assert_non_null(strstr(pmemblk_errormsg(), "media error"));
	assert_non_null(strstr(pmemblk_errormsg(), path));
	drop_pool();
}

static const struct storage_ops *real;
static struct storage_ops disturbing;
static bool meets_in_fence;

static int disturbing_fence(struct storage *s, struct storage_step *step)
{
	if (meets_in_fence) {
		meets_in_fence = false;
		meet_page(pool);
	}
	return real->fence(s, step);
}

/* Another thread meets a page in the next call that stores something. */
static void disturb_next_call(void)
{
	real = pool->storage.ops;
	disturbing = *real;
	disturbing.fence = disturbing_fence;
	pool->storage.ops = &disturbing;
	meets_in_fence = true;
}

static int modify(int which, long long *failed)
{
	static char block[BSIZE];
	const struct pmemblk_iovec iov = {block, 3, 1};

	*failed = -1;
	switch (which) {
	case 0:
		return pmemblk_write(pool, block, 3);
	case 1:
		return pmemblk_set_zero(pool, 3);
	case 2:
		return pmemblk_set_error(pool, 3);
	case 3:
		return pmemblk_writev(pool, &iov, 1, failed);
	default:
		return pmemblk_set_zero_range(pool, 3, 1, failed);
	}
}

/* None of them is repeated, because nobody knows what has reached the file. */
static void a_change_that_is_disturbed_fails_and_so_do_all_later_ones(void **state)
{
	(void)state;
	for (int which = 0; which < 5; which++) {
		long long failed;

		make_pool();
		disturb_next_call();
		errno = 0;
		if (modify(which, &failed) != -1)
			fail_msg("call %d", which);
		assert_int_equal(errno, EIO);
		assert_int_equal(failed, -1);
		assert_false(meets_in_fence);
		assert_non_null(strstr(pmemblk_errormsg(), "media error"));
		assert_null(strstr(pmemblk_errormsg(), "earlier"));
		for (int later = 0; later < 5; later++) {
			errno = 0;
			assert_int_equal(modify(later, &failed), -1);
			assert_int_equal(errno, EIO);
			assert_non_null(strstr(pmemblk_errormsg(), "earlier"));
		}
		assert_int_equal(get(4), 4);
		drop_pool();
		assert_int_equal(image_get32(path, IMAGE_SDS + 16), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_read_is_repeated_until_nobody_disturbs_it),
	    cmocka_unit_test(a_read_that_is_disturbed_for_ever_fails),
	    cmocka_unit_test(a_change_that_is_disturbed_fails_and_so_do_all_later_ones),
	};

	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
