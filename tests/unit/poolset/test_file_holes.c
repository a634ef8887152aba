/* SPDX-License-Identifier: BSD-3-Clause */
/* What a call allocated becomes a hole again, unless somebody has stored something there. */
#include "support.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "poolset/file_holes.h"

#define PAGE 4096
#define NPAGE 16
#define SIZE (NPAGE * PAGE)

static int fd;

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

/* Every page but `kept` was allocated by the call. */
static void holes_come_back_around(unsigned kept)
{
	char byte;

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
		file_holes_note(&holes, fd);
		assert_int_equal(posix_fallocate(fd, 0, SIZE), 0);
		file_holes_restore(&holes, fd);
		holes_come_back_around(kept);
	}
}

static void what_was_stored_meanwhile_stays(void **state)
{
	(void)state;
	for (unsigned kept = 0; kept < NPAGE; kept++)
		for (int allocated = 0; allocated < 2; allocated++) {
			struct file_holes holes = {.n = 0};

			make_sparse();
			file_holes_note(&holes, fd);
			if (allocated)
				assert_int_equal(posix_fallocate(fd, 0, SIZE), 0);
			store(kept, "data");
			file_holes_restore(&holes, fd);
			holes_come_back_around(kept);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_there_before_stays),
	    cmocka_unit_test(what_was_stored_meanwhile_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
