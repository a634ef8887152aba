/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading, writing and the holes of sets, compared with a plain array of pages. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/pool_format.h"
#include "errormsg.h"
#include "poolset/files.h"
#include "poolset/io.h"

#define PATIENCE 20 /* seconds before a call counts as hanging */

enum { PAGE = 4096, NPART = 3, PAGES = 600, LENGTH = PAGES * PAGE };

/* Writes that store nothing before one fails. */
static int stuck;

/* The most bytes that a write stores; 0: all. Each second write is interrupted. */
static size_t most;
static bool is_interrupted;

SUPPORT_INTERPOSE ssize_t pwrite(int fd, const void *buf, size_t len, off_t off)
{
	if (most > 0) {
		is_interrupted = !is_interrupted;
		if (is_interrupted) {
			errno = EINTR;
			return -1;
		}
		len = len < most ? len : most;
	}
	if (stuck == 0)
		return syscall(SYS_pwrite64, fd, buf, len, off);
	if (--stuck > 0)
		return 0;
	errno = ENOSPC;
	return -1;
}

/* Errors of the next syncs, up to the first 0. */
static const int *sync_errors = (const int[]){0};
static unsigned nsync;

SUPPORT_INTERPOSE int fdatasync(int fd)
{
	nsync++;
	if (!*sync_errors)
		return (int)syscall(SYS_fdatasync, fd);
	errno = *sync_errors++;
	return -1;
}

static struct poolset *set;
static const char *paths[NPART];
static bool has_data[NPART * PAGES]; /* by page of the image */

static unsigned first_page(unsigned part)
{
	return part == 0 ? 0 : PAGES + (part - 1) * (PAGES - 1);
}

/* Each part but the first one has a header, which is no part of the image. */
static void store(unsigned part, unsigned page)
{
	static const char text[] = "text";
	int fd = open(paths[part], O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, text, sizeof(text), (off_t)page * PAGE),
			 sizeof(text));
	assert_int_equal(close(fd), 0);
	if (part == 0 || page > 0)
		has_data[first_page(part) + page - (part > 0)] = true;
}

static int make_set(void **state)
{
	char name[16];

	(void)state;
	memset(has_data, 0, sizeof(has_data));
	for (unsigned i = 0; i < NPART; i++) {
		snprintf(name, sizeof(name), "part%u", i);
		paths[i] = support_path(true, name);
		unlink(paths[i]);
		support_write_file(paths[i], "", 0);
		assert_int_equal(truncate(paths[i], LENGTH), 0);
	}
	assert_int_equal(poolset_single(paths[0], 0, &set), 0);
	for (unsigned i = 1; i < NPART; i++)
		assert_int_equal(poolset_add_part(set, strdup(paths[i]), 0, i), 0);
	return 0;
}

static void open_set(enum poolset_access access)
{
	int ret = poolset_files_open(set, access);

	if (ret != 0)
		fail_msg("%s", errormsg_get());
}

static int drop_set(void **state)
{
	(void)state;
	poolset_files_close(set);
	poolset_free(set);
	return 0;
}

static uint64_t next_in_array(uint64_t off, uint64_t end)
{
	while (off < end && !has_data[off / PAGE])
		off = (off / PAGE + 1) * PAGE;
	return off < end ? off : end;
}

static void assert_next(uint64_t off, uint64_t end)
{
	uint64_t found = poolset_io_next_data(set, off, end);

	if (found != next_in_array(off, end))
		fail_msg("[%llu, %llu): %llu instead of %llu", (unsigned long long)off,
			 (unsigned long long)end, (unsigned long long)found,
			 (unsigned long long)next_in_array(off, end));
}

static void check_many(void)
{
	const uint64_t size = poolset_files_image_size(set);
	uint64_t random = 11;

	assert_int_equal(size, (uint64_t)first_page(NPART) * PAGE);
	for (int i = 0; i < 20000; i++) {
		uint64_t a = support_random(&random) % (size + 1);
		uint64_t b = support_random(&random) % (size + 1);

		/* the ends of parts, and near them */
		if (i % 4 == 0)
			a = (uint64_t)first_page(1 + (unsigned)i / 4 % (NPART - 1)) *
				PAGE +
			    (uint64_t)(i / 8 % 3 - 1) * (i % 16 < 8 ? 1 : PAGE);
		if (i % 8 == 4)
			b = (uint64_t)first_page(1 + (unsigned)i / 8 % NPART) * PAGE;
		assert_next(a < b ? a : b, a < b ? b : a);
	}
	assert_next(0, size);
	/* in order: what follows data that were just found */
	for (uint64_t off = 0; off < size; off += PAGE) {
		assert_next(off, size);
		assert_next(off + PAGE - 1, size);
	}
}

static void a_set_without_data_has_none(void **state)
{
	(void)state;
	open_set(POOLSET_READ);
	check_many();
}

static void a_header_of_a_later_part_is_not_in_the_image(void **state)
{
	(void)state;
	store(1, 0);
	store(2, 0);
	open_set(POOLSET_READ);
	check_many();
}

static void data_are_found_in_every_part_and_at_their_ends(void **state)
{
	uint64_t random = 5;

	(void)state;
	for (unsigned part = 0; part < NPART; part++) {
		store(part, 1);
		store(part, PAGES - 1);
		for (int i = 0; i < 20; i++)
			store(part, (unsigned)(support_random(&random) % PAGES));
	}
	open_set(POOLSET_READ);
	check_many();
}

static void data_at_the_start_are_found_after_another_error(void **state)
{
	(void)state;
	store(0, 0);
	open_set(POOLSET_READ);
	errno = ENXIO; /* of a call before */
	assert_next(0, poolset_files_image_size(set));
}

static void without_a_standard_input_the_same_is_found(void **state)
{
	int input;

	(void)state;
	for (unsigned part = 0; part < NPART; part++)
		store(part, 50 + part);
	input = support_close_input();
	open_set(POOLSET_READ);
	assert_int_equal(set->part[0].fd, 0);
	check_many();
	poolset_files_close(set);
	support_restore_input(input);
}

static void a_write_is_read_back_and_marks_its_part(void **state)
{
	static char out[3 * PAGE];
	static char in[sizeof(out)];

	(void)state;
	open_set(POOLSET_WRITE);
	memset(out, 'w', sizeof(out));
	assert_int_equal(poolset_io_write(set, 1, 5 * PAGE + 7, out, sizeof(out)), 0);
	assert_false(set->part[0].is_stored);
	assert_true(set->part[1].is_stored);
	assert_int_equal(poolset_io_read(set, 1, 5 * PAGE + 7, in, sizeof(in)), 0);
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(poolset_io_read(set, 1, 5 * PAGE + 6, in, 1), 0);
	assert_int_equal(in[0], 0);
	assert_int_equal(poolset_io_clear(set, 1), 0);
	assert_int_equal(poolset_io_read(set, 1, 5 * PAGE + 7, in, 1), 0);
	assert_int_equal(in[0], 'w');
}

static void clear_removes_the_header_and_nothing_else(void **state)
{
	char page[PAGE];

	(void)state;
	store(1, 0);
	store(1, 1);
	open_set(POOLSET_WRITE);
	assert_int_equal(poolset_io_clear(set, 1), 0);
	assert_int_equal(poolset_io_read(set, 1, 0, page, sizeof(page)), 0);
	for (size_t i = 0; i < sizeof(page); i++)
		assert_int_equal(page[i], 0);
	assert_int_equal(poolset_io_read(set, 1, PAGE, page, sizeof(page)), 0);
	assert_int_equal(page[0], 't');
}

static void a_write_that_fails_is_reported(void **state)
{
	char page[PAGE] = "";

	(void)state;
	open_set(POOLSET_WRITE);
	stuck = 3;
	assert_int_equal(poolset_io_write(set, 1, 0, page, sizeof(page)), -EIO);
	stuck = 1;
	assert_int_equal(poolset_io_write(set, 1, 0, page, sizeof(page)), -ENOSPC);
	stuck = 1;
	assert_int_equal(poolset_io_clear(set, 1), -EIO);
	stuck = 0;
}

static void a_write_in_small_pieces_is_whole(void **state)
{
	char want[2 * PAGE + 1];
	char got[2 * PAGE + 1];
	unsigned char next = 7;

	(void)state;
	open_set(POOLSET_WRITE);
	for (size_t i = 0; i < sizeof(want); i++)
		want[i] = (char)(next = (unsigned char)(next * 5 + 1));
	for (most = 1; most <= 1000; most += 999) {
		size_t len = most == 1 ? 10 : sizeof(want);

		assert_int_equal(poolset_io_write(set, 1, 100, want, len), 0);
		assert_int_equal(poolset_io_read(set, 1, 100, got, len), 0);
		assert_memory_equal(got, want, len);
	}
	most = 0;
	assert_int_equal(poolset_io_read(set, 1, 0, got, 100), 0);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(got[i], 0);
	assert_int_equal(poolset_io_read(set, 1, 100 + sizeof(want), got, 100), 0);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(got[i], 0);
}

static void a_sync_that_is_interrupted_is_repeated(void **state)
{
	static const int twice[] = {EINTR, EINTR, 0};
	static const int then_failing[] = {EINTR, EIO, 0};
	char page[PAGE] = "";

	(void)state;
	open_set(POOLSET_WRITE);
	nsync = 0;
	sync_errors = twice;
	assert_int_equal(poolset_io_write(set, 1, 0, page, sizeof(page)), 0);
	assert_int_equal(nsync, 3);
	sync_errors = then_failing;
	assert_int_equal(poolset_io_write(set, 1, 0, page, sizeof(page)), -EIO);
	assert_int_equal(nsync, 5);
	assert_int_equal(*sync_errors, 0);
}

static void what_is_open_for_reading_is_not_written(void **state)
{
	char page[PAGE] = "text";

	(void)state;
	open_set(POOLSET_READ);
	assert_int_equal(poolset_io_write(set, 1, 0, page, sizeof(page)), -EBADF);
	assert_non_null(strstr(errormsg_get(), "for writing"));
	assert_false(set->part[1].is_stored);
	assert_int_equal(poolset_io_read(set, 1, 0, page, 1), 0);
	assert_int_equal(page[0], 0);
}

/* Or one that is not there: whoever reads there finds out. */
static void a_device_is_taken_to_have_data_everywhere(void **state)
{
	struct poolset_part *part = &set->part[1];

	(void)state;
	open_set(POOLSET_READ);
	for (int i = 0; i < 2; i++) {
		const int fd = part->fd;

		part->is_devdax = i == 0;
		part->fd = i == 0 ? fd : -1;
		for (unsigned page = PAGES; page < 2 * PAGES - 1; page++) {
			const uint64_t off = (uint64_t)page * PAGE;
			const uint64_t end = poolset_files_image_size(set);

			assert_int_equal(poolset_io_next_data(set, off, end), off);
		}
		part->is_devdax = false;
		part->fd = fd;
	}
}

static void parts_of_more_than_an_image_can_have_make_the_largest_one(void **state)
{
	(void)state;
	set->part[0].length = LENGTH;
	set->part[1].length = set->part[2].length = UINT64_C(1) << 63;
	assert_int_equal(poolset_files_image_size(set), UINT64_MAX - PAGE + 1);
}

static void behind_the_end_a_read_fails(void **state)
{
	char page[PAGE];

	(void)state;
	open_set(POOLSET_READ);
	assert_int_equal(poolset_io_read(set, 2, LENGTH - PAGE, page, sizeof(page)), 0);
	errno = EINTR; /* of a call before */
	alarm(PATIENCE);
	assert_int_equal(poolset_io_read(set, 2, LENGTH - PAGE + 1, page, sizeof(page)),
			 -EIO);
	alarm(0);
	assert_non_null(strstr(errormsg_get(), paths[2]));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make_set, drop_set)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_set_without_data_has_none),
	    CASE(a_header_of_a_later_part_is_not_in_the_image),
	    CASE(data_are_found_in_every_part_and_at_their_ends),
	    CASE(data_at_the_start_are_found_after_another_error),
	    CASE(without_a_standard_input_the_same_is_found),
	    CASE(a_write_that_fails_is_reported),
	    CASE(a_write_is_read_back_and_marks_its_part),
	    CASE(clear_removes_the_header_and_nothing_else),
	    CASE(a_write_in_small_pieces_is_whole),
	    CASE(a_sync_that_is_interrupted_is_repeated),
	    CASE(what_is_open_for_reading_is_not_written),
	    CASE(a_device_is_taken_to_have_data_everywhere),
	    CASE(parts_of_more_than_an_image_can_have_make_the_largest_one),
	    CASE(behind_the_end_a_read_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
