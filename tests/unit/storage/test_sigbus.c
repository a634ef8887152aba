/* SPDX-License-Identifier: BSD-3-Clause */
/* Media errors under an open pool. */
#include "sigbus_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

static void a_lost_data_page_fails_the_reads_of_its_block_only(void **state)
{
	(void)state;
	make_pool();
	lose_page(data_off(7));
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 100; i++)
			assert_int_equal(get(i), i == 7 ? -1 : i);
	assert_non_null(strstr(pmemblk_errormsg(), path));
	assert_non_null(strstr(pmemblk_errormsg(), "media error"));
	/*
	 * No modifying call met the page, so modifying calls go on; this one replaces the block.
	 */
	assert_int_equal(put(8, 88), 0);
	assert_int_equal(put(7, 77), 0);
	assert_int_equal(get(7), 77);
	assert_int_equal(get(8), 88);
	drop_pool();
}

/* Its place is taken by a file for a moment, which may get the descriptor 0. */
static void a_lost_page_keeps_no_descriptor(void **state)
{
	int input;
	unsigned n;

	(void)state;
	input = support_close_input();
	make_pool();
	n = support_count_descriptors();
	lose_page(data_off(7));
	for (int round = 0; round < 3; round++)
		assert_int_equal(get(7), -1);
	assert_int_equal(get(8), 8);
	assert_int_equal(support_count_descriptors(), n);
	assert_false(atomic_load(&pool->watch.all_lost));
	drop_pool();
	support_restore_input(input);
}

static void a_lost_map_page_fails_reads_and_writes(void **state)
{
	(void)state;
	make_pool();
	lose_page(map_off(0));
	assert_int_equal(get(3), -1);
	errno = 0;
	assert_int_equal(put(3, 1), -1);
	assert_int_equal(errno, EIO);
	/* Later modifying calls are refused, also for parts of the map that are whole. */
	assert_int_equal(get(3000), 0);
	errno = 0;
	assert_int_equal(put(3000, 1), -1);
	assert_int_equal(errno, EIO);
	errno = 0;
	assert_int_equal(pmemblk_set_zero(pool, 3000), -1);
	assert_int_equal(errno, EIO);
	errno = 0;
	assert_int_equal(pmemblk_set_error(pool, 3000), -1);
	assert_int_equal(errno, EIO);
	pmemblk_close(pool);
	pool = NULL;
	/* The file has not lost anything. */
	assert_int_equal(image_get32(path, IMAGE_SDS + 16), 1);
	assert_int_equal(pmemblk_check(path, 0), 1);
	pool = pmemblk_open(path, 0);
	assert_non_null(pool);
	for (int i = 0; i < 100; i++)
		assert_int_equal(get(i), i);
	drop_pool();
}

static int modify(int which, long long lba)
{
	static char block[BSIZE];
	const struct pmemblk_iovec iov = {block, lba, 1};

	switch (which) {
	case 0:
		return pmemblk_write(pool, block, lba);
	case 1:
		return pmemblk_set_zero(pool, lba);
	case 2:
		return pmemblk_set_error(pool, lba);
	case 3:
		return pmemblk_writev(pool, &iov, 1, NULL);
	default:
		return pmemblk_set_zero_range(pool, lba, 1, NULL);
	}
}

static void any_modifying_call_may_be_the_first_to_meet_a_lost_page(void **state)
{
	(void)state;
	for (int which = 0; which < 5; which++) {
		make_pool();
		lose_page(map_off(3));
		errno = 0;
		assert_int_equal(modify(which, 3), -1);
		assert_int_equal(errno, EIO);
		drop_pool();
	}
}

static void a_lost_flog_fails_writes_only(void **state)
{
	uint64_t flog = IMAGE_DATA + image_get64(path, IMAGE_DATA + INFO_FLOGOFF);

	(void)state;
	make_pool();
	for (int i = 0; i < 4; i++)
		lose_page(flog + 4096 * (uint64_t)i);
	errno = 0;
	assert_int_equal(put(3, 1), -1);
	assert_int_equal(errno, EIO);
	for (int i = 0; i < 100; i++)
		assert_int_equal(get(i), i);
	drop_pool();
}

/* The data are lost, so no map entry may name the block where they should be. */
static void a_lost_free_block_leaves_the_block_as_it_was(void **state)
{
	uint64_t off;
	int value = 9;

	(void)state;
	make_pool();
	off = data_off(7);
	assert_int_equal(put(7, 77), 0);
	lose_page(off);
	/* One of the next writes uses the block that the last one freed. */
	for (int next = 200; next < 210 && put(9, next) == 0; next++)
		value = next;
	errno = 0;
	assert_int_equal(put(9, 1), -1);
	assert_int_equal(errno, EIO);
	assert_non_null(strstr(pmemblk_errormsg(), "media error"));
	for (int i = 0; i < 100; i++)
		assert_int_equal(get(i), i == 7 ? 77 : i == 9 ? value : i);
	pmemblk_close(pool);
	assert_int_equal(pmemblk_check(path, 0), 1);
	pool = pmemblk_open(path, 0);
	assert_non_null(pool);
	assert_int_equal(get(9), value);
	drop_pool();
}

static void a_file_that_was_cut_off_fails_to_open_by_errno(void **state)
{
	(void)state;
	make_pool();
	assert_int_equal(truncate(path, 3 * 4096), 0);
	assert_int_equal(get(5), -1);
	errno = 0;
	assert_int_equal(put(5, 5), -1);
	assert_int_equal(errno, EIO);
	drop_pool();
}

static atomic_bool stop;
static atomic_long reads;

static void *keep_reading(void *arg)
{
	unsigned char block[BSIZE];

	(void)arg;
	while (!atomic_load(&stop)) {
		for (int i = 0; i < 100; i++) {
			int ret = pmemblk_read(pool, block, i);

			if (i == 7 ? ret != -1 || errno != EIO
				   : ret != 0 || block[0] != i || block[BSIZE - 1] != i)
				return (void *)1;
		}
		atomic_fetch_add(&reads, 1);
	}
	return NULL;
}

/* No thread ever takes the replacement for data. */
static void all_threads_see_the_error_and_nothing_else(void **state)
{
	pthread_t thread[3];

	(void)state;
	make_pool();
	atomic_store(&stop, false);
	atomic_store(&reads, 0);
	lose_page(data_off(7));
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, keep_reading, NULL), 0);
	while (atomic_load(&reads) < 300)
		sched_yield();
	atomic_store(&stop, true);
	for (int i = 0; i < 3; i++) {
		void *failed;

		assert_int_equal(pthread_join(thread[i], &failed), 0);
		assert_null(failed);
	}
	drop_pool();
}

/* A call may meet more lost pages than can be recorded: then the whole mapping counts as lost. */
static void a_block_of_very_many_lost_pages_fails_and_all_others_too(void **state)
{
	enum { LARGE = 80 * 4096 };
	unsigned char *block = calloc(1, LARGE);
	int no = 0;
	int yes = 1;

	(void)state;
	path = support_path(true, "large");
	set_catch(1);
	assert_int_equal(pmemblk_ctl_set(NULL, "fallocate.at_create", &no), 0);
	pool = pmemblk_create(path, LARGE, (size_t)200 << 20, 0644);
	if (!pool)
		fail_msg("%s", pmemblk_errormsg());
	assert_int_equal(pmemblk_ctl_set(NULL, "fallocate.at_create", &yes), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pmemblk_write(pool, block, i), 0);
	for (uint64_t at = 0; at < LARGE; at += 4096)
		lose_page(IMAGE_DATA + image_get64(path, IMAGE_DATA + INFO_DATAOFF) +
			  (uint64_t)(image_get32(path, map_off(0)) & 0x3fffffff) * LARGE +
			  at);
	/* ends the test if a thread waits for a replacement that no thread removes */
	alarm(60);
	for (int i = 0; i < 4; i++) {
		errno = 0;
		assert_int_equal(pmemblk_read(pool, block, i % 2), -1);
		assert_int_equal(errno, EIO);
	}
	alarm(0);
	free(block);
	drop_pool();
	unlink(path);
}

/* The kernel refuses to replace a part of a huge page. */
static void a_huge_page_is_replaced_as_a_whole(void **state)
{
	enum { UNIT = 4 * 4096 };
	static struct sigbus_watch w;
	int fd = memfd_create("lost", MFD_CLOEXEC);
	uintptr_t at = (uintptr_t)mmap(NULL, 3 * UNIT, PROT_NONE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile unsigned char *memory = (void *)((at + UNIT - 1) / UNIT * UNIT);

	(void)state;
	assert_true(mmap((void *)(uintptr_t)memory, 2 * UNIT, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
	close(fd);
	assert_int_equal(
	    sigbus_watch(&w, (void *)(uintptr_t)memory, 2 * UNIT - 4096, UNIT), 0);
	for (int round = 0; round < 2; round++) {
		uint64_t before = sigbus_epoch(&w);

		sigbus_enter(&w);
		/* one fault for each page, wherever it is accessed */
		for (int i = 0; i < 7; i++)
			assert_int_equal(memory[i * 4096 + 1], 0xff);
		assert_int_equal(w.epoch, before + 2);
		assert_true(sigbus_leave(&w));
	}
	sigbus_unwatch(&w);
	munmap((void *)at, 3 * UNIT);
}

/* The pages of other threads take all places. */
static void a_page_that_finds_no_room_is_waited_for_by_nobody(void **state)
{
	(void)state;
	make_pool();
	lose_page(data_off(7));
	for (unsigned i = 0; i < SIGBUS_PAGES; i++)
		pool->watch.replaced[i] = 1;
	alarm(60);
	assert_int_equal(get(7), -1);
	for (unsigned i = 0; i < SIGBUS_PAGES; i++)
		pool->watch.replaced[i] = 0;
	assert_int_equal(get(7), -1);
	assert_int_equal(get(8), -1);
	alarm(0);
	drop_pool();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_lost_data_page_fails_the_reads_of_its_block_only),
	    cmocka_unit_test(a_lost_page_keeps_no_descriptor),
	    cmocka_unit_test(a_lost_map_page_fails_reads_and_writes),
	    cmocka_unit_test(any_modifying_call_may_be_the_first_to_meet_a_lost_page),
	    cmocka_unit_test(a_lost_free_block_leaves_the_block_as_it_was),
	    cmocka_unit_test(a_lost_flog_fails_writes_only),
	    cmocka_unit_test(a_file_that_was_cut_off_fails_to_open_by_errno),
	    cmocka_unit_test(all_threads_see_the_error_and_nothing_else),
	    cmocka_unit_test(a_block_of_very_many_lost_pages_fails_and_all_others_too),
	    cmocka_unit_test(a_huge_page_is_replaced_as_a_whole),
	    cmocka_unit_test(a_page_that_finds_no_room_is_waited_for_by_nobody),
	};

	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
