/* SPDX-License-Identifier: BSD-3-Clause */
/* What attributes of the kernel hold, and numbers among them. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compiler.h"
#include "sysfs.h"

static void numbers_are_read_and_other_texts_are_refused(void **state)
{
	static const struct {
		const char *text;
		int ret;
		uint64_t value;
	} rows[] = {
	    {"12\n", 0, 12},
	    {"0\n", 0, 0},
	    {"12345\n", 0, 12345},
	    {"7", 0, 7}, /* nothing of the text before it */
	    {"9\n", 0, 9},
	    {"99", 0, 99},
	    {"0x1f\n", 0, 31},
	    {"18446744073709551615\n", 0, UINT64_MAX},
	    {"18446744073709551616\n", -EINVAL, 0},
	    {"000000000000000000000000000012", 0, 10},
	    {"0000000000000000000000000000000000000012\n", -EINVAL, 0}, /* not 0 */
	    {"1111111111111111111111111111111111111111\n", -EINVAL, 0},
	    {"12x\n", -EINVAL, 0},
	    {"12 \n", -EINVAL, 0},
	    {" 12\n", -EINVAL, 0},
	    {"-1\n", -EINVAL, 0},
	    {"+1\n", -EINVAL, 0},
	    {"x", -EINVAL, 0},
	    {"\n", -EINVAL, 0},
	    {"", -EINVAL, 0},
	};
	const char *path = support_path(true, "number");
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		support_write_file(path, rows[i].text, strlen(rows[i].text));
		if (sysfs_read_number(path, &value) != rows[i].ret)
			fail_msg("row %zu", i);
		if (rows[i].ret == 0)
			assert_int_equal(value, rows[i].value);
	}
	assert_int_equal(sysfs_read_number(support_path(true, "none"), &value), -ENOENT);
	assert_int_equal(sysfs_read_number(support_tmpdir(true), &value), -EISDIR);
}

static void no_more_is_read_than_there_is_room_for(void **state)
{
	const char *path = support_path(true, "long");
	char buf[8];

	(void)state;
	support_write_file(path, "0123456789", 10);
	memset(buf, '-', sizeof(buf));
	assert_int_equal(sysfs_read(path, buf, 4), 4);
	assert_memory_equal(buf, "0123----", 8);
	support_write_file(path, "ab", 2);
	errno = EINTR; /* of some call before */
	alarm(20);
	assert_int_equal(sysfs_read(path, buf, sizeof(buf)), 2);
	alarm(0);
	assert_memory_equal(buf, "ab23----", 8);
}

static int open_flags; /* of the last call */

SUPPORT_INTERPOSE int open(const char *name, int flags, ...)
{
	open_flags = flags;
	return (int)syscall(SYS_openat, AT_FDCWD, name, flags, 0);
}

/* Another thread may start one meanwhile. */
static void programs_that_are_started_do_not_inherit_the_file(void **state)
{
	const char *path = support_path(true, "short");
	char buf[8];

	(void)state;
	support_write_file(path, "ab", 2);
	open_flags = 0;
	assert_int_equal(sysfs_read(path, buf, sizeof(buf)), 2);
	assert_true(open_flags & O_CLOEXEC);
}

/* One byte comes at a time, or a signal. */
static bool reads_badly;

SUPPORT_INTERPOSE ssize_t read(int fd, void *buf, size_t len)
{
	static unsigned n;

	if (reads_badly && n++ % 2) {
		errno = EINTR;
		return -1;
	}
	return syscall(SYS_read, fd, buf, reads_badly && len > 1 ? 1 : len);
}

static void the_room_is_the_same_however_the_bytes_come(void **state)
{
	const char *path = support_path(true, "long");
	char buf[12];

	(void)state;
	support_write_file(path, "0123456789abcdef", 16);
	memset(buf, '-', sizeof(buf));
	reads_badly = true;
	assert_int_equal(sysfs_read(path, buf, 9), 9);
	assert_memory_equal(buf, "012345678---", 12);
	support_write_file(path, "abc", 3);
	assert_int_equal(sysfs_read(path, buf, sizeof(buf)), 3);
	reads_badly = false;
	assert_memory_equal(buf, "abc345678---", 12);
}

static void without_a_standard_input_the_same_is_read(void **state)
{
	const char *path = support_path(true, "number");
	int input;
	uint64_t value = 0;

	(void)state;
	support_write_file(path, "12\n", 3);
	input = support_close_input();
	assert_int_equal(sysfs_read_number(path, &value), 0);
	assert_int_equal(value, 12);
	assert_int_equal(fcntl(0, F_GETFD), -1);
	support_restore_input(input);
}

static void a_path_that_does_not_fit_is_an_error(void **state)
{
	static char name[PATH_MAX];
	static char longer[PATH_MAX + 100];
	static struct {
		char path[PATH_MAX];
		char behind[200];
	} room_for;
	char path[PATH_MAX];
	size_t room = PATH_MAX - strlen(sysfs_root) - 1;

	(void)state;
	memset(name, 'x', sizeof(name));
	name[room - 1] = '\0';
	assert_int_equal(sysfs_path(path, "%s", name), 0);
	assert_int_equal(strlen(path), PATH_MAX - 1);
	name[room - 1] = 'x';
	name[room] = '\0';
	assert_int_equal(sysfs_path(path, "%s", name), -ENAMETOOLONG);
	memset(name, 'x', sizeof(name));
	name[PATH_MAX - 1] = '\0';
	sysfs_root = name;
	assert_int_equal(sysfs_path(path, "%s", ""), -ENAMETOOLONG);
	name[PATH_MAX - 2] = '\0';
	assert_int_equal(sysfs_path(path, "%s", ""), 0);
	assert_int_equal(strlen(path), PATH_MAX - 1);
	memset(longer, 'x', sizeof(longer) - 1);
	memset(&room_for, '-', sizeof(room_for));
	sysfs_root = longer;
	assert_int_equal(sysfs_path(room_for.path, "%s", ""), -ENAMETOOLONG);
	for (size_t i = 0; i < sizeof(room_for.behind); i++)
		assert_int_equal(room_for.behind[i], '-');
	sysfs_root = "/sys";
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_are_read_and_other_texts_are_refused),
	    cmocka_unit_test(no_more_is_read_than_there_is_room_for),
	    cmocka_unit_test(programs_that_are_started_do_not_inherit_the_file),
	    cmocka_unit_test(the_room_is_the_same_however_the_bytes_come),
	    cmocka_unit_test(without_a_standard_input_the_same_is_read),
	    cmocka_unit_test(a_path_that_does_not_fit_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
