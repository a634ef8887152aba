/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A process may fork while another thread is in a call that opens files. The child must not keep
 * these files: it knows of no pool that it could close, and would keep the pool locked until its
 * end.
 */
#include "fork_fixture.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/syscall.h>

/* number of the lock at which to fork; an open takes two */
static unsigned forks_when_locked;
static bool forks_when_mapped;
static bool forks_when_opened;
static unsigned forks_when_freed; /* number of the call */
static bool forks_by_clone;	  /* the child runs no handlers */
static pid_t child;
static int parent_is_there[2];
static int child_is_there[2];

/* The child lives until the test is over. */
static void begin_fork(void)
{
	assert_int_equal(pipe(child_is_there), 0);
	child = forks_by_clone
		    ? (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL)
		    : fork();
	assert_true(child >= 0);
	if (child == 0) {
		alarm(30);
		hand_over(child_is_there[1]);
		close(parent_is_there[1]);
		await(parent_is_there[0]);
		_exit(0);
	}
}

/* Waits until the child's handlers have run. */
static void end_fork(void)
{
	assert_true(await(child_is_there[0]));
	close(child_is_there[0]);
	close(child_is_there[1]);
}

static void fork_now(void)
{
	begin_fork();
	end_fork();
}

/* Forks when the file is open and not recorded yet, so that the child has it. */
SUPPORT_INTERPOSE int open(const char *name, int flags, ...)
{
	va_list ap;
	mode_t mode;
	int fd;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	fd = (int)syscall(SYS_openat, AT_FDCWD, name, flags, mode);
	if (forks_when_opened && fd >= 0 && (flags & O_ACCMODE) == O_RDWR &&
	    strcmp(name, path) == 0) {
		forks_when_opened = false;
		begin_fork();
	}
	return fd;
}

SUPPORT_INTERPOSE int flock(int fd, int operation)
{
	int ret = (int)syscall(SYS_flock, fd, operation);

	if (operation != LOCK_UN && forks_when_locked && --forks_when_locked == 0)
		fork_now();
	return ret;
}

/* with these access rights in /proc/self/maps */
static bool is_mapped(const char *rights)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[4400];
	bool found = false;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		found = found || (strstr(line, path) && strstr(line, rights));
	fclose(maps);
	return found;
}

/* The program's function for memory. Forks when the pool is mapped and its files are still open. */
static void *allocate(size_t size)
{
	if (forks_when_mapped && is_mapped("rw-s ")) {
		forks_when_mapped = false;
		fork_now();
	}
	return malloc(size);
}

/* Forks a child at the n-th call; the child must not have a part of the pool's file. */
static void release(void *p)
{
	if (forks_when_freed && --forks_when_freed == 0) {
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			_exit(is_mapped("rw-"));
		assert_ends_well(child);
	}
	free(p);
}

static void make_pool(void)
{
	PMEMblkpool *p = create();

	assert_int_equal(byteblock_put(p, 3, 7), 0);
	pmemblk_close(p);
	assert_int_equal(pipe2(parent_is_there, O_CLOEXEC), 0);
}

/* While the child lives. */
static void assert_pool_is_free(void)
{
	PMEMblkpool *p = pmemblk_open(path, 0);

	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	pmemblk_close(p);
	assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
	close(parent_is_there[1]);
	assert_ends_well(child);
	close(parent_is_there[0]);
	unlink(path);
}

static void a_fork_during_a_check_leaves_the_pool_free(void **state)
{
	(void)state;
	for (unsigned nth = 1; nth <= 2; nth++) {
		make_pool();
		forks_when_locked = nth;
		assert_int_equal(pmemblk_check(path, 0), 1);
		assert_int_equal(forks_when_locked, 0);
		assert_pool_is_free();
	}
}

/* Such a child has the files, but not the lock. */
static void a_child_of_clone_does_not_keep_the_lock_of_a_check(void **state)
{
	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* a sanitizer does not know of such a child */
	for (unsigned nth = 1; nth <= 2; nth++) {
		make_pool();
		forks_by_clone = true;
		forks_when_locked = nth;
		assert_int_equal(pmemblk_check(path, 0), 1);
		assert_int_equal(forks_when_locked, 0);
		forks_by_clone = false;
		assert_pool_is_free();
	}
}

static void a_fork_while_a_pool_is_opened_leaves_it_free_after_the_close(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		PMEMblkpool *p;

		make_pool();
		forks_when_locked = i;
		forks_when_mapped = i == 0;
		p = pmemblk_open(path, 0);
		assert_non_null(p);
		assert_false(forks_when_locked || forks_when_mapped);
		assert_int_equal(byteblock_get(p, 3), 7);
		pmemblk_close(p);
		assert_pool_is_free();
	}
}

static void a_fork_while_a_pool_is_created_leaves_it_free_after_the_close(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		PMEMblkpool *p;

		assert_int_equal(pipe2(parent_is_there, O_CLOEXEC), 0);
		forks_when_locked = i == 0 ? 1 : 0;
		forks_when_mapped = i == 1;
		p = create();
		assert_false(forks_when_locked || forks_when_mapped);
		assert_int_equal(byteblock_put(p, 3, 7), 0);
		pmemblk_close(p);
		assert_pool_is_free();
	}
}

static void a_fork_during_an_open_that_fails_leaves_the_pool_free(void **state)
{
	(void)state;
	make_pool();
	forks_when_locked = 2;
	assert_null(pmemblk_open(path, 4096));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(forks_when_locked, 0);
	assert_pool_is_free();
}

static void a_fork_right_after_a_file_was_opened_leaves_the_pool_free(void **state)
{
	PMEMblkpool *p;

	(void)state;
	for (int i = 0; i < 2; i++) {
		if (i == 0)
			make_pool();
		else
			assert_int_equal(pipe2(parent_is_there, O_CLOEXEC), 0);
		forks_when_opened = true;
		p = i == 0 ? pmemblk_open(path, 0) : create();
		assert_non_null(p);
		assert_false(forks_when_opened);
		end_fork();
		assert_int_equal(byteblock_put(p, 3, 7), 0);
		pmemblk_close(p);
		assert_pool_is_free();
	}
}

/* The child does not know of the mapping, which belongs to no pool. */
static void a_fork_at_the_end_of_a_call_without_a_pool_copies_no_mapping(void **state)
{
	(void)state;
	make_pool();
	for (int checks = 0; checks < 2; checks++) {
		unsigned n = 0;

		do {
			forks_when_freed = ++n;
			if (checks)
				assert_int_equal(pmemblk_check(path, 0), 1);
			else
				assert_null(pmemblk_open(path, 4096));
		} while (forks_when_freed == 0);
		forks_when_freed = 0;
		assert_true(n > 3);
	}
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_fork_during_a_check_leaves_the_pool_free, new_path),
	    cmocka_unit_test_setup(a_child_of_clone_does_not_keep_the_lock_of_a_check,
				   new_path),
	    cmocka_unit_test_setup(
		a_fork_while_a_pool_is_opened_leaves_it_free_after_the_close, new_path),
	    cmocka_unit_test_setup(
		a_fork_while_a_pool_is_created_leaves_it_free_after_the_close, new_path),
	    cmocka_unit_test_setup(a_fork_during_an_open_that_fails_leaves_the_pool_free,
				   new_path),
	    cmocka_unit_test_setup(
		a_fork_right_after_a_file_was_opened_leaves_the_pool_free, new_path),
	    cmocka_unit_test_setup(
		a_fork_at_the_end_of_a_call_without_a_pool_copies_no_mapping, new_path),
	};

	pmemblk_set_funcs(allocate, release, realloc, strdup);
	return run_on_both("fork_files", tests, sizeof(tests) / sizeof(tests[0]));
}
