/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel copies the table of descriptors before the memory. In between another thread may
 * close the files of a set. Then the child has the files, and a record that says that they are
 * closed.
 */
#include "support.h"

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
	other = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_int_equal(dup2(other, number), number);
	assert_true(child_has(number));
	poolset_files_close(mine);
	poolset_free(mine);
	close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_child_closes_what_was_closed_while_it_was_forked),
	    cmocka_unit_test(a_file_that_has_its_number_now_is_not_closed),
	};

	path = support_path(false, "part");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)POOL_MIN_PART) != 0)
		return 1;
	close(fd);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
