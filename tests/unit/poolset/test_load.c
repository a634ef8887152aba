/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A path may become something else between the moment when its type is found out and its open.
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "errormsg.h"
#include "pool/open.h"
#include "poolset/files.h"
#include "poolset/load.h"

#define PATIENCE 30 /* seconds before a call counts as hanging */

static const char *victim; /* becomes a fifo at its next open; `spared` opens go before */
static unsigned spared;

static int refuses_writers; /* the errno of each open for writing; 0: as usual */

static void become_fifo(const char *path)
{
	if (!victim || strcmp(path, victim) != 0 || spared-- > 0)
		return;
	if (unlink(path) != 0 || mkfifo(path, 0600) != 0)
		abort();
	victim = NULL;
}

SUPPORT_INTERPOSE int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	become_fifo(path);
	if (refuses_writers && (flags & O_ACCMODE) != O_RDONLY) {
		errno = refuses_writers;
		return -1;
	}
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static enum next_read { READ_ALL, READ_INTERRUPTED, READ_NOTHING } next_read;

SUPPORT_INTERPOSE ssize_t pread(int fd, void *buf, size_t len, off_t off)
{
	enum next_read how = next_read;

	next_read = READ_ALL;
	if (how == READ_NOTHING)
		return 0;
	if (how == READ_INTERRUPTED) {
		errno = EINTR;
		return -1;
	}
	return syscall(SYS_pread64, fd, buf, len, off);
}

static const char *make_file(const char *name)
{
	const char *path = support_path(true, name);

	unlink(path);
	support_write_file(path, "", 0);
	assert_int_equal(truncate(path, 17 << 20), 0);
	return path;
}

/* The first open is that of poolset_load(), the second one that of the part. */
static void a_path_that_becomes_a_fifo_keeps_nobody_waiting(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const char *path = make_file("victim");

		victim = path;
		spared = i;
		alarm(PATIENCE);
		assert_int_equal(pool_check(path, 0), -EINVAL);
		alarm(0);
		assert_null(victim);
		assert_non_null(strstr(errormsg_get(), "not a regular file any more"));
		unlink(path);
	}
}

static void who_mends_may_read_what_cannot_be_written(void **state)
{
	static const int errors[] = {EACCES, EPERM, EROFS, ETXTBSY};
	struct poolset *set;
	const char *path = make_file("read_only");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		refuses_writers = errors[i];
		assert_int_equal(poolset_single(path, 0, &set), 0);
		assert_int_equal(poolset_files_open(set, POOLSET_WRITE), -errors[i]);
		assert_int_equal(poolset_files_open(set, POOLSET_MEND), 0);
		assert_int_equal(poolset_files_check_writable(set), -errors[i]);
		assert_non_null(strstr(errormsg_get(), "for writing"));
		poolset_files_close(set);
		poolset_free(set);
	}
	assert_int_equal(poolset_single(path, 0, &set), 0);
	refuses_writers = EMFILE;
	assert_int_equal(poolset_files_open(set, POOLSET_MEND), -EMFILE);
	refuses_writers = 0;
	assert_int_equal(poolset_files_open(set, POOLSET_MEND), 0);
	assert_int_equal(poolset_files_check_writable(set), 0);
	poolset_files_close(set);
	poolset_free(set);
}

static void an_interrupted_read_of_a_set_file_begins_again(void **state)
{
	struct poolset *set = NULL;

	(void)state;
	next_read = READ_INTERRUPTED;
	assert_int_equal(poolset_load(make_file("file"), false, NULL, &set), 0);
	poolset_free(set);
}

static void a_file_that_is_cut_off_while_it_is_read_is_named(void **state)
{
	static const int past[] = {EIO, EINTR}; /* errors of calls before */
	struct poolset *set = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(past); i++) {
		const char *path = make_file("file");

		next_read = READ_NOTHING;
		errno = past[i];
		assert_int_equal(poolset_load(path, false, NULL, &set), -EINVAL);
		assert_non_null(strstr(errormsg_get(), "changed while it was read"));
	}
}

/* It has a set file's signature, and nothing else. */
static void the_shortest_set_file_is_one(void **state)
{
	struct poolset *set = NULL;
	const char *path = make_file("shortest");
	int ret;

	(void)state;
	support_write_file(path, "PMEMPOOLSET", 11);
	ret = poolset_load(path, false, NULL, &set);
	if (ret == 0) {
		assert_true(set->is_file);
		poolset_free(set);
	} else {
		assert_int_equal(ret, -EINVAL);
	}
	support_write_file(path, "PMEMPOOLSE", 10);
	assert_int_equal(poolset_load(path, false, NULL, &set), 0);
	assert_false(set->is_file);
	poolset_free(set);
}

static void a_directory_is_no_part(void **state)
{
	const char *path = make_file("directory");
	struct poolset *set;

	(void)state;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(poolset_single(path, 0, &set), 0);
	assert_int_equal(poolset_files_open(set, POOLSET_WRITE), -EINVAL);
	assert_non_null(strstr(errormsg_get(), " is a directory"));
	poolset_files_close(set);
	poolset_free(set);
	assert_int_equal(rmdir(path), 0);
}

/* The number may be that of another thread's file by then. */
static void what_is_closed_is_not_closed_again(void **state)
{
	const char *path = make_file("closed");
	struct poolset *set;
	int fd;
	int number;

	(void)state;
	assert_int_equal(poolset_single(path, 0, &set), 0);
	assert_int_equal(poolset_files_open(set, POOLSET_WRITE), 0);
	number = set->part[0].fd;
	poolset_files_close(set);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fd, number);
	poolset_files_unlock_and_close(set);
	assert_int_not_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(close(fd), 0);
	poolset_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_path_that_becomes_a_fifo_keeps_nobody_waiting),
	    cmocka_unit_test(who_mends_may_read_what_cannot_be_written),
	    cmocka_unit_test(an_interrupted_read_of_a_set_file_begins_again),
	    cmocka_unit_test(a_file_that_is_cut_off_while_it_is_read_is_named),
	    cmocka_unit_test(the_shortest_set_file_is_one),
	    cmocka_unit_test(a_directory_is_no_part),
	    cmocka_unit_test(what_is_closed_is_not_closed_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
