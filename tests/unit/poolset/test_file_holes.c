/* SPDX-License-Identifier: BSD-3-Clause */
/* What a call allocated becomes a hole again, unless somebody has stored something there. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "kernel.h"
#include "poolset/file_holes.h"

#define PAGE 4096
#define NPAGE 16
#define SIZE (NPAGE * PAGE)
#define PATIENCE 30 /* seconds before a call counts as hanging */

static int fd;

/* A signal may interrupt a read, or cut it short. */
static bool is_disturbed;

SUPPORT_INTERPOSE ssize_t pread(int file, void *buf, size_t len, off_t off)
{
	static unsigned n;

	if (is_disturbed && ++n % 3 == 0) {
		errno = EINTR;
		return -1;
	}
	return syscall(SYS_pread64, file, buf, is_disturbed ? (len + 1) / 2 : len, off);
}

/* Every second call that punches a hole is interrupted. */
static bool is_punch_interrupted;
/* So many of these calls find no space. */
static unsigned nfull;
/* At this place they never find any; 0: everywhere they do. */
static off_t full_place;

SUPPORT_INTERPOSE int fallocate(int file, int mode, off_t off, off_t len)
{
	static unsigned n;

	if (mode & FALLOC_FL_PUNCH_HOLE) {
		if (is_punch_interrupted && ++n % 2) {
			errno = EINTR;
			return -1;
		}
		if (nfull > 0 || (full_place && off == full_place)) {
			nfull -= nfull > 0;
			errno = ENOSPC;
			return -1;
		}
	}
	return (int)syscall(SYS_fallocate, file, mode, off, len);
}

static void store(unsigned page, const char *text)
{
	assert_int_equal(pwrite(fd, text, strlen(text), page * PAGE), strlen(text));
}

static bool is_hole(unsigned page)
{
	return lseek(fd, page * PAGE, SEEK_HOLE) == page * PAGE;
}

static void make_sparse(void)
{
	fd = open(support_path(true, "sparse"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
}

static int64_t count_blocks(void)
{
	struct stat st;

	assert_int_equal(fsync(fd), 0);
	assert_int_equal(fstat(fd, &st), 0);
	return st.st_blocks;
}

/*
 * Every page but `kept` was allocated by the call. tmpfs also calls a page a hole that is allocated
 * and was never written.
 */
static void holes_come_back_around(unsigned kept)
{
	char byte;

	assert_int_equal(count_blocks(), PAGE / 512);
	for (unsigned page = 0; page < NPAGE; page++) {
		assert_int_equal(is_hole(page), page != kept);
		assert_int_equal(pread(fd, &byte, 1, page * PAGE), 1);
		assert_int_equal(byte, page == kept ? 'd' : 0);
	}
	close(fd);
}

static void what_was_there_before_stays(void **state)
{
	(void)state;
	for (unsigned kept = 0; kept < NPAGE; kept++) {
		struct file_holes holes = {.n = 0};

		make_sparse();
		store(kept, "data");
		assert_int_equal(file_holes_note(&holes, fd), 0);
		assert_int_equal(posix_fallocate(fd, 0, SIZE), 0);
		file_holes_restore(&holes, fd);
		file_holes_free(&holes);
		holes_come_back_around(kept);
	}
}

static unsigned ngrow; /* calls of fail_to_grow() since it was set to 0 */
static unsigned failing_growth;

static void *fail_to_grow(void *p, size_t size)
{
	return ++ngrow == failing_growth ? NULL : realloc(p, size);
}

/* Otherwise holes that are missing in the list would stay allocated. */
static void missing_memory_for_any_hole_is_an_error(void **state)
{
	enum { MANY = 50 };

	(void)state;
	alloc_set_funcs(NULL, NULL, fail_to_grow, NULL);
	for (failing_growth = 1; failing_growth <= 2; failing_growth++) {
		struct file_holes holes = {.n = 0};

		make_sparse();
		assert_int_equal(ftruncate(fd, MANY * PAGE), 0);
		for (unsigned page = 1; page < MANY; page += 2)
			store(page, "data");
		ngrow = 0;
		assert_int_equal(file_holes_note(&holes, fd), -ENOMEM);
		assert_int_equal(ngrow, failing_growth);
		/* those that it has noted are sound */
		assert_int_equal(holes.n, failing_growth == 1 ? 0 : 16);
		assert_int_equal(posix_fallocate(fd, 0, MANY * PAGE), 0);
		file_holes_restore(&holes, fd);
		assert_int_equal(count_blocks(), (MANY - holes.n) * PAGE / 512);
		file_holes_free(&holes);
		close(fd);
	}
	alloc_set_funcs(NULL, NULL, NULL, NULL);
}

/* Allocates the file, which has at least so many blocks then, and gives its holes back. */
static void fill_and_restore(struct file_holes *holes, off_t length, int64_t blocks)
{
	assert_int_equal(posix_fallocate(fd, 0, length), 0);
	assert_true(count_blocks() >= blocks);
	file_holes_restore(holes, fd);
	file_holes_free(holes);
}

/* The user has reserved the space, and nobody has written to it. */
static void what_was_allocated_before_stays_allocated(void **state)
{
	struct file_holes holes = {.n = 0};
	struct fiemap map = {.fm_length = SIZE};
	int64_t before;
	int64_t after;

	(void)state;
	fd = open(support_path(false, "reserved"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 16 * SIZE), 0);
	if (syscall(SYS_ioctl, fd, FS_IOC_FIEMAP, &map) != 0 ||
	    fallocate(fd, 0, SIZE, 2 * SIZE) != 0) {
		close(fd);
		skip(); /* the file system cannot tell, or cannot allocate */
	}
	assert_int_equal(fallocate(fd, 0, 7 * SIZE, SIZE), 0);
	before = count_blocks();
	assert_int_equal(file_holes_note(&holes, fd), 0);
	fill_and_restore(&holes, 16 * SIZE, before + SIZE / 512);
	after = count_blocks();
	/* a list of more extents may take a block of its own */
	assert_true(after >= before && after < before + SIZE / 512 / 2);
	close(fd);
}

/* The same directly behind what was written. */
static void what_was_allocated_behind_data_stays_allocated(void **state)
{
	static const char data[SIZE] = "data";
	struct file_holes holes = {.n = 0};
	struct fiemap map = {.fm_length = SIZE};
	int64_t before;

	(void)state;
	fd = open(support_path(false, "reserved"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4 * SIZE), 0);
	if (syscall(SYS_ioctl, fd, FS_IOC_FIEMAP, &map) != 0 ||
	    fallocate(fd, 0, SIZE, SIZE) != 0) {
		close(fd);
		skip(); /* the file system cannot tell, or cannot allocate */
	}
	assert_int_equal(pwrite(fd, data, SIZE, 0), SIZE);
	before = count_blocks();
	assert_int_equal(file_holes_note(&holes, fd), 0);
	fill_and_restore(&holes, 4 * SIZE, before + 2 * SIZE / 512);
	assert_true(count_blocks() >= before);
	assert_true(count_blocks() < before + SIZE / 512 / 2);
	close(fd);
}

/* Then the file has as many blocks as if it had no hole. */
static void only_the_hole_comes_back(unsigned hole)
{
	struct file_holes holes = {.n = 0};
	int64_t before;

	make_sparse();
	for (unsigned page = 0; page < NPAGE; page++)
		if (page != hole)
			store(page, "data");
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, SIZE, 2 * SIZE) != 0) {
		close(fd);
		skip(); /* the file system cannot allocate */
	}
	before = count_blocks();
	assert_true(before >= SIZE / 512);
	assert_int_equal(file_holes_note(&holes, fd), 0);
	fill_and_restore(&holes, SIZE, before + 1);
	assert_int_equal(count_blocks(), before);
	close(fd);
}

static void a_hole_comes_back_if_space_is_reserved_behind_the_end(void **state)
{
	(void)state;
	only_the_hole_comes_back(3);
	only_the_hole_comes_back(NPAGE - 1);
}

/* Blocks that were written here and there. */
static void each_of_a_thousand_holes_comes_back(void **state)
{
	struct file_holes holes = {.n = 0};
	int64_t before;

	(void)state;
	make_sparse();
	for (unsigned page = 1; page < 2000; page += 2)
		store(page, "data");
	before = count_blocks();
	assert_int_equal(file_holes_note(&holes, fd), 0);
	assert_int_equal(holes.n, 1000);
	fill_and_restore(&holes, 2000 * PAGE, before + 1000 * PAGE / 512);
	assert_int_equal(count_blocks(), before);
	close(fd);
}

static void what_was_stored_meanwhile_stays(void **state)
{
	(void)state;
	for (unsigned kept = 0; kept < NPAGE; kept++)
		for (int allocated = 0; allocated < 2; allocated++) {
			struct file_holes holes = {.n = 0};

			make_sparse();
			assert_int_equal(file_holes_note(&holes, fd), 0);
			if (allocated)
				assert_int_equal(posix_fallocate(fd, 0, SIZE), 0);
			store(kept, "data");
			errno = 0; /* no error of the past */
			file_holes_restore(&holes, fd);
			file_holes_free(&holes);
			holes_come_back_around(kept);
		}
}

static void the_end_of_a_page_stays_when_reads_are_short(void **state)
{
	struct file_holes holes = {.n = 0};
	char byte;

	(void)state;
	make_sparse();
	assert_int_equal(file_holes_note(&holes, fd), 0);
	assert_int_equal(posix_fallocate(fd, 0, SIZE), 0);
	assert_int_equal(pwrite(fd, "data", 4, 8 * PAGE - 4), 4);
	is_disturbed = true;
	file_holes_restore(&holes, fd);
	file_holes_free(&holes);
	is_disturbed = false;
	assert_int_equal(pread(fd, &byte, 1, 8 * PAGE - 4), 1);
	assert_int_equal(byte, 'd');
	for (unsigned page = 0; page < NPAGE; page++)
		assert_int_equal(is_hole(page), page != 7);
	close(fd);
}

/* Whatever else is in the page. */
static void the_first_and_the_last_byte_of_a_page_count(void **state)
{
	(void)state;
	for (int disturbed = 0; disturbed < 2; disturbed++) {
		struct file_holes holes = {.n = 0};
		char byte;

		make_sparse();
		assert_int_equal(file_holes_note(&holes, fd), 0);
		assert_int_equal(posix_fallocate(fd, 0, SIZE), 0);
		store(8, "d");
		assert_int_equal(pwrite(fd, "d", 1, 11 * PAGE - 1), 1);
		is_disturbed = disturbed;
		file_holes_restore(&holes, fd);
		is_disturbed = false;
		file_holes_free(&holes);
		assert_int_equal(pread(fd, &byte, 1, 8 * PAGE), 1);
		assert_int_equal(byte, 'd');
		assert_int_equal(pread(fd, &byte, 1, 11 * PAGE - 1), 1);
		assert_int_equal(byte, 'd');
		assert_int_equal(count_blocks(), 2 * PAGE / 512);
		close(fd);
	}
}

/* They are no hole: the user has allocated them. */
static void pages_of_zeros_between_holes_stay(void **state)
{
	struct file_holes holes = {.n = 0};
	const char zero[PAGE] = "";
	int64_t before;

	(void)state;
	make_sparse();
	for (unsigned page = 1; page < NPAGE; page += 2)
		assert_int_equal(pwrite(fd, zero, PAGE, page * PAGE), PAGE);
	before = count_blocks();
	assert_int_equal(file_holes_note(&holes, fd), 0);
	fill_and_restore(&holes, SIZE, before + SIZE / 2 / 512);
	assert_int_equal(count_blocks(), before);
	close(fd);
}

/* Gives back the holes of a file whose pages with odd numbers are written; so many pages stay. */
static void only_this_many_stay(unsigned kept)
{
	struct file_holes holes = {.n = 0};
	int64_t before;

	make_sparse();
	for (unsigned page = 1; page < NPAGE; page += 2)
		store(page, "data");
	before = count_blocks();
	assert_int_equal(file_holes_note(&holes, fd), 0);
	assert_int_equal(holes.n, NPAGE / 2);
	fill_and_restore(&holes, SIZE, before + SIZE / 2 / 512);
	assert_int_equal(count_blocks(), before + kept * (PAGE / 512));
	close(fd);
}

/* On some file systems a signal interrupts the call. */
static void holes_come_back_if_calls_are_interrupted(void **state)
{
	(void)state;
	is_punch_interrupted = true;
	only_this_many_stay(0);
	is_punch_interrupted = false;
}

/* On a full disk the first calls may find no space for the log, until others have freed some. */
static void holes_come_back_if_there_is_no_space_at_first(void **state)
{
	(void)state;
	nfull = 3;
	only_this_many_stay(0);
	assert_int_equal(nfull, 0);
	nfull = 2 * (NPAGE / 2);
	only_this_many_stay(0);
	assert_int_equal(nfull, 0);
}

static void a_disk_that_stays_full_is_tried_three_times(void **state)
{
	(void)state;
	nfull = 3 * (NPAGE / 2);
	only_this_many_stay(NPAGE / 2);
	assert_int_equal(nfull, 0);
}

static void a_hole_that_is_not_freed_keeps_no_other_one(void **state)
{
	(void)state;
	full_place = 4 * PAGE;
	only_this_many_stay(1);
	full_place = 0;
}

/* The last page is read behind the end, and punched as a whole. */
static void a_length_within_a_page_leaves_no_block_there(void **state)
{
	struct file_holes holes = {.n = 0};
	struct stat st;
	int64_t before;

	(void)state;
	make_sparse();
	store(0, "data");
	assert_int_equal(ftruncate(fd, SIZE - 100), 0);
	before = count_blocks();
	assert_int_equal(file_holes_note(&holes, fd), 0);
	assert_int_equal(posix_fallocate(fd, 0, SIZE - 100), 0);
	/* the page is no hole any more */
	assert_int_equal(pwrite(fd, "", 1, SIZE - 200), 1);
	/* interrupted calls before the end is met, which is no interruption */
	is_punch_interrupted = true;
	alarm(PATIENCE);
	file_holes_restore(&holes, fd);
	alarm(0);
	is_punch_interrupted = false;
	file_holes_free(&holes);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, SIZE - 100);
	assert_int_equal(count_blocks(), before);
	close(fd);
}

static void a_hole_of_one_byte_in_the_last_page_comes_back(void **state)
{
	struct file_holes holes = {.n = 0};
	const off_t length = SIZE - PAGE + 1;
	int64_t before;

	(void)state;
	make_sparse();
	store(0, "data");
	assert_int_equal(ftruncate(fd, length), 0);
	before = count_blocks();
	alarm(PATIENCE);
	assert_int_equal(file_holes_note(&holes, fd), 0);
	alarm(0);
	assert_int_equal(holes.n, 1);
	fill_and_restore(&holes, length, before + 1);
	assert_int_equal(count_blocks(), before);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_there_before_stays),
	    cmocka_unit_test(missing_memory_for_any_hole_is_an_error),
	    cmocka_unit_test(what_was_allocated_before_stays_allocated),
	    cmocka_unit_test(what_was_allocated_behind_data_stays_allocated),
	    cmocka_unit_test(a_hole_comes_back_if_space_is_reserved_behind_the_end),
	    cmocka_unit_test(each_of_a_thousand_holes_comes_back),
	    cmocka_unit_test(what_was_stored_meanwhile_stays),
	    cmocka_unit_test(the_end_of_a_page_stays_when_reads_are_short),
	    cmocka_unit_test(the_first_and_the_last_byte_of_a_page_count),
	    cmocka_unit_test(pages_of_zeros_between_holes_stay),
	    cmocka_unit_test(holes_come_back_if_calls_are_interrupted),
	    cmocka_unit_test(holes_come_back_if_there_is_no_space_at_first),
	    cmocka_unit_test(a_disk_that_stays_full_is_tried_three_times),
	    cmocka_unit_test(a_hole_that_is_not_freed_keeps_no_other_one),
	    cmocka_unit_test(a_length_within_a_page_leaves_no_block_there),
	    cmocka_unit_test(a_hole_of_one_byte_in_the_last_page_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
