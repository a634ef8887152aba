/* SPDX-License-Identifier: BSD-3-Clause */
/* The wait for a pool set that is in use, and locks that readers share. */
#include "wait_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* --- sets --------------------------------------------------------------------------------- */

static const char *write_set(const char *name, const char *first, const char *second)
{
	const char *path = support_path(true, name);
	char text[1024];
	int n = snprintf(text, sizeof(text), "PMEMPOOLSET\n9M %s\n9M %s\n",
			 support_path(true, first), support_path(true, second));

	support_write_file(path, text, (size_t)n);
	return path;
}

/*
 * One of the two sets has the files in the wrong order. The library finds this out when it has the
 * locks.
 */
static void sets_that_share_files_do_not_wait_for_each_other(void **state)
{
	const char *there = write_set("there.set", "x", "y");
	const char *back = write_set("back.set", "y", "x");
	pid_t child[NPROCESS];
	PMEMblkpool *p = pmemblk_create(there, BSIZE, 0, 0600);
	int status;

	(void)state;
	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	pmemblk_close(p);
	for (int i = 0; i < NPROCESS; i++) {
		child[i] = fork();
		assert_true(child[i] >= 0);
		if (child[i] != 0)
			continue;
		alarm(100);
		set_wait(-1);
		for (int k = 0; k < 10; k++) {
			p = pmemblk_open(i % 2 ? there : back, 0);
			REQUIRE(i % 2 ? p != NULL : !p && errno == EINVAL, "%s: %s",
				i % 2 ? there : back, pmemblk_errormsg());
			pmemblk_close(p);
		}
		_exit(0);
	}
	for (int i = 0; i < NPROCESS; i++) {
		assert_int_equal(waitpid(child[i], &status, 0), child[i]);
		assert_int_equal(status, 0);
	}
	unlink(support_path(true, "x"));
	unlink(support_path(true, "y"));
}

static void a_set_waits_for_its_second_file_and_keeps_no_lock_on_the_first(void **state)
{
	const char *set = write_set("pair.set", "first", "second");
	PMEMblkpool *p = pmemblk_create(set, BSIZE, 0, 0600);
	struct waiter w;
	int first = open(support_path(true, "first"), O_RDONLY | O_CLOEXEC);
	int second = open(support_path(true, "second"), O_RDONLY | O_CLOEXEC);

	(void)state;
	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	pmemblk_close(p);
	assert_int_equal(flock(second, LOCK_EX), 0);
	set_wait(-1);
	start(&w, set, open_it);
	/* The waiter tries again every few milliseconds, and must leave the lock free in between. */
	assert_int_equal(flock(first, LOCK_EX), 0);
	assert_int_equal(flock(first, LOCK_UN), 0);
	assert_int_equal(atomic_load(&w.err), -1);
	close(first);
	close(second);
	pmemblk_close(result(&w));
	unlink(support_path(true, "first"));
	unlink(support_path(true, "second"));
}

static void a_file_that_is_listed_twice_is_not_waited_for(void **state)
{
	const char *set = write_set("twice.set", "z", "z");
	int fd = open(support_path(true, "z"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_int_equal(ftruncate(fd, 9 * MIB), 0);
	close(fd);
	set_wait(-1);
	assert_null(pmemblk_open(set, 0));
	assert_int_equal(errno, EAGAIN);
	assert_non_null(strstr(pmemblk_errormsg(), "is listed twice"));
	unlink(support_path(true, "z"));
	assert_null(pmemblk_create(set, BSIZE, 0, 0600));
	assert_int_equal(errno, EAGAIN);
	assert_non_null(strstr(pmemblk_errormsg(), "is listed twice"));
}

/* --- network file systems ----------------------------------------------------------------- */

static void a_lock_that_wants_a_descriptor_for_writing_is_shared_by_readers(void **state)
{
	int on = 1;
	int off = 0;
	PMEMblkpool *p;

	(void)state;
	is_network = true;
	pmemblk_close(fixture_create(BSIZE, SIZE, 0600));
	p = pmemblk_open(fixture_path, 0);
	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	assert_int_equal(pmemblk_check(fixture_path, 0), -1);
	assert_int_equal(errno, EAGAIN);
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(fixture_path, 0), 1);
	assert_int_equal(pmemblk_ctl_set(NULL, "copy_on_write.at_open", &on), 0);
	p = pmemblk_open(fixture_path, 0);
	assert_int_equal(pmemblk_ctl_set(NULL, "copy_on_write.at_open", &off), 0);
	assert_non_null(p);
	assert_int_equal(pmemblk_check(fixture_path, 0), 1); /* both only read */
	assert_null(pmemblk_open(fixture_path, 0));
	assert_int_equal(errno, EAGAIN);
	pmemblk_close(p);
	is_network = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(sets_that_share_files_do_not_wait_for_each_other),
	    CASE(a_set_waits_for_its_second_file_and_keeps_no_lock_on_the_first),
	    CASE(a_file_that_is_listed_twice_is_not_waited_for),
	    CASE(a_lock_that_wants_a_descriptor_for_writing_is_shared_by_readers),
	};

	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
