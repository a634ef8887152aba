/* SPDX-License-Identifier: BSD-3-Clause */
/* Pools in files without write permission: calls that do not change them work. */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "pool_fixture.h"

#define NOBODY 65534

/*
 * Runs a case as a user who may only read the pool's file. The case returns 0 or a line number.
 */
static void as_reader(int (*run)(void))
{
	int status;
	pid_t pid;

	assert_int_equal(chmod(fixture_path, 0444), 0);
	assert_int_equal(chmod(support_tmpdir(true), 0711), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 ||
				       setuid(NOBODY) != 0))
			_exit(255);
		_exit(run());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) != 0)
		fail_msg("failed in line %d", WEXITSTATUS(status));
}

#define WANT(condition)                                                                  \
	do {                                                                             \
		if (!(condition))                                                        \
			return __LINE__;                                                 \
	} while (0)

static void make(void)
{
	unsigned char block[512];
	PMEMblkpool *p = fixture_create(512, SIZE, 0644);

	memset(block, 'x', sizeof(block));
	assert_int_equal(pmemblk_write(p, block, 7), 0);
	pmemblk_close(p);
}

static int check(void)
{
	WANT(pmemblk_check(fixture_path, 512) == 1);
	WANT(pmemblk_check(fixture_path, 0) == 1);
	return 0;
}

static void check_needs_no_right_to_write(void **state)
{
	(void)state;
	make();
	as_reader(check);
}

static int open_copy(void)
{
	unsigned char block[512];
	PMEMblkpool *p;
	int on = 1;

	WANT(pmemblk_ctl_set(NULL, "copy_on_write.at_open", &on) == 0);
	p = pmemblk_open(fixture_path, 0);
	WANT(p);
	WANT(pmemblk_read(p, block, 7) == 0 && block[0] == 'x' && block[511] == 'x');
	memset(block, 'y', sizeof(block));
	WANT(pmemblk_write(p, block, 7) == 0);
	memset(block, 0, sizeof(block));
	WANT(pmemblk_read(p, block, 7) == 0 && block[0] == 'y');
	/* The pool is locked like any other. */
	WANT(!pmemblk_open(fixture_path, 0) && errno == EAGAIN);
	pmemblk_close(p);
	p = pmemblk_open(fixture_path, 0);
	WANT(p);
	WANT(pmemblk_read(p, block, 7) == 0 && block[0] == 'x');
	pmemblk_close(p);
	return 0;
}

static void copy_on_write_needs_no_right_to_write(void **state)
{
	unsigned char *before;
	unsigned char *after;
	size_t len;

	(void)state;
	make();
	before = support_read_file(fixture_path, &len);
	as_reader(open_copy);
	after = support_read_file(fixture_path, &len);
	assert_memory_equal(before, after, len);
	free(before);
	free(after);
}

static int open_plain(void)
{
	WANT(!pmemblk_open(fixture_path, 0) && errno == EACCES);
	WANT(strstr(pmemblk_errormsg(), "Permission denied"));
	return 0;
}

static void opening_for_writing_does(void **state)
{
	(void)state;
	make();
	as_reader(open_plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    FIXTURE_CASE(check_needs_no_right_to_write),
	    FIXTURE_CASE(copy_on_write_needs_no_right_to_write),
	    FIXTURE_CASE(opening_for_writing_does),
	};

	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
