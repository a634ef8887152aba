/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel copies the table of descriptors before the memory. In between another thread may
 * close the files of a set. Then the child has the files, and a record that says that they are
 * closed.
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pool_format.h"
#include "poolset/files.h"
#include "poolset/poolset.h"

static struct poolset *set;
static const char *path;
static int fd = -1;

/* Runs after the library's handler, because it was registered first. */
static void close_set(void)
{
	if (!set)
		return;
	fd = set->part[0].fd;
	poolset_files_close(set);
	poolset_free(set);
	set = NULL;
	/* as if the table had been copied before the close */
	if (open(path, O_RDWR) != fd) /* the lowest free number */
		abort();
}

static void register_handler(void)
{
	pthread_atfork(close_set, NULL, NULL);
}

/* Runs before the constructors of all libraries. */
__attribute__((section(".preinit_array"),
	       used)) static void (*const first)(void) = register_handler;

static void open_set(void)
{
	assert_int_equal(poolset_single(path, 0, &set), 0);
	assert_int_equal(poolset_files_open(set, POOLSET_WRITE), 0);
}

static bool child_has(int number)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fcntl(number < 0 ? fd : number, F_GETFD) != -1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) != 0;
}

/* The emulator takes the advice to clear a page in children, and does not. */
static void a_child_closes_what_was_closed_while_it_was_forked(void **state)
{
	(void)state;
	if (support_is_emulated())
		skip();
	open_set();
	assert_false(child_has(-1));
	/* by then it is only a number, which may be anybody's */
	assert_true(child_has(fd));
	open_set();
	poolset_files_close(set);
	poolset_free(set);
	set = NULL;
	assert_true(child_has(fd));
	close(fd);
}

static void a_file_that_has_its_number_now_is_not_closed(void **state)
{
	struct poolset *mine;
	int number;
	int other;

	(void)state;
	open_set();
	mine = set;
	set = NULL;
	number = mine->part[0].fd;
	for (int i = 0; i < 2; i++) {
		/* on another file system, and on the same one */
		other = i == 0 ? open("/dev/null", O_RDWR | O_CLOEXEC)
			       : open(support_path(false, "other"),
				      O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		assert_int_equal(dup2(other, number), number);
		close(other);
		assert_true(child_has(number));
	}
	poolset_files_close(mine);
	poolset_free(mine);
}

/* A program's handler has closed the file. */
static void errno_is_the_same_in_the_child(void **state)
{
	struct poolset *mine;
	int number;
	int status;
	pid_t pid;

	(void)state;
	open_set();
	mine = set;
	set = NULL;
	number = mine->part[0].fd;
	close(number);
	errno = 4711;
	pid = fork();
	if (pid == 0)
		_exit(errno != 4711);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(open("/dev/null", O_RDWR | O_CLOEXEC), number);
	poolset_files_close(mine);
	poolset_free(mine);
}

static struct poolset *open_again(void)
{
	struct poolset *other;

	assert_int_equal(poolset_single(path, 0, &other), 0);
	assert_int_equal(poolset_files_open(other, POOLSET_WRITE), -EAGAIN);
	poolset_free(other);
	assert_int_equal(poolset_single(support_path(false, "part2"), 0, &other), 0);
	assert_int_equal(poolset_files_open(other, POOLSET_WRITE), 0);
	return other;
}

/* Two calls at the same time, one of which ends. */
static void a_child_closes_the_files_of_the_calls_that_go_on(void **state)
{
	(void)state;
	if (support_is_emulated())
		skip();
	for (int i = 0; i < 2; i++) {
		struct poolset *both[2];
		int number;

		open_set();
		both[0] = set;
		set = NULL;
		both[1] = open_again();
		number = both[!i]->part[0].fd;
		poolset_files_close(both[i]);
		assert_false(child_has(number));
		poolset_files_close(both[!i]);
		poolset_free(both[0]);
		poolset_free(both[1]);
	}
}

static void a_child_closes_descriptor_0_as_well(void **state)
{
	int input;
	struct poolset *mine;

	(void)state;
	if (support_is_emulated())
		skip();
	input = support_close_input();
	open_set();
	mine = set;
	set = NULL;
	assert_int_equal(mine->part[0].fd, 0);
	assert_false(child_has(0));
	poolset_files_close(mine);
	poolset_free(mine);
	support_restore_input(input);
}

static void calls_leave_no_shared_memory_behind(void **state)
{
	unsigned before = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		open_set();
		poolset_files_close(set);
		poolset_free(set);
		set = NULL;
		if (i == 0)
			before = support_count_mappings("/dev/zero");
	}
	assert_int_equal(support_count_mappings("/dev/zero"), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_child_closes_what_was_closed_while_it_was_forked),
	    cmocka_unit_test(a_file_that_has_its_number_now_is_not_closed),
	    cmocka_unit_test(errno_is_the_same_in_the_child),
	    cmocka_unit_test(a_child_closes_the_files_of_the_calls_that_go_on),
	    cmocka_unit_test(a_child_closes_descriptor_0_as_well),
	    cmocka_unit_test(calls_leave_no_shared_memory_behind),
	};

	path = support_path(false, "part2");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)POOL_MIN_PART) != 0)
		return 1;
	close(fd);
	path = support_path(false, "part");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)POOL_MIN_PART) != 0)
		return 1;
	close(fd);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
