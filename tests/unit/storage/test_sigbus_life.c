/* SPDX-License-Identifier: BSD-3-Clause */
/* Media errors that a pool meets while it is opened, closed or taken over. */
#include "sigbus_fixture.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

/*
 * While this is not negative, installing the handler truncates the file to this length. By then
 * open has mapped the file, and has not read the mapping yet.
 */
static off_t cut_to = -1;

SUPPORT_INTERPOSE int sigaction(int sig, const struct sigaction *act,
				struct sigaction *old)
{
	static int (*real)(int, const struct sigaction *, struct sigaction *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "sigaction");
	if (act && cut_to >= 0) {
		assert_int_equal(truncate(path, cut_to), 0);
		cut_to = -1;
	}
	return real(sig, act, old);
}

static void an_open_that_meets_a_lost_page_fails(void **state)
{
	static const off_t lengths[] = {0, 3 * 4096};
	int yes = 1;
	int no = 0;

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(lengths); i++) {
		make_pool();
		pmemblk_close(pool);
		assert_int_equal(
		    pmemblk_ctl_set(NULL, "prefault.at_open", i % 2 ? &yes : &no), 0);
		cut_to = lengths[i / 2];
		errno = 0;
		assert_null(pmemblk_open(path, 0));
		assert_int_equal(errno, EIO);
		assert_non_null(strstr(pmemblk_errormsg(), "media error"));
		assert_non_null(strstr(pmemblk_errormsg(), path));
		assert_int_equal(cut_to, -1);
	}
	assert_int_equal(pmemblk_ctl_set(NULL, "prefault.at_open", &no), 0);
	set_catch(0);
}

/* The pool has met no media error before the close. */
static void close_stays_marked_as_open(void)
{
	pmemblk_close(pool);
	pool = NULL;
	assert_non_null(strstr(pmemblk_errormsg(), "could not be marked as closed"));
	assert_non_null(strstr(pmemblk_errormsg(), path));
	assert_int_equal(image_get32(path, IMAGE_SDS + 16), 1);
	assert_int_equal(pmemblk_check(path, 0), 1);
	pool = pmemblk_open(path, 0);
	assert_non_null(pool);
	for (int i = 0; i < 100; i++)
		assert_int_equal(get(i), i);
	drop_pool();
}

static void a_close_that_meets_a_lost_header_leaves_the_pool_marked_as_open(void **state)
{
	(void)state;
	make_pool();
	lose_page(0);
	close_stays_marked_as_open();
}

/* Emulators do not access what they flush. */
static void
a_close_that_meets_a_lost_map_page_leaves_the_pool_marked_as_open(void **state)
{
	(void)state;
	if (support_is_emulated())
		skip();
	make_pool();
	lose_page(map_off(0));
	close_stays_marked_as_open();
}

/* Runs in a child of the owner, which ends. */
static void take_over_and_tell(int answer)
{
	int ret;

	alarm(30);
	lose_page(IMAGE_DATA + image_get64(path, IMAGE_DATA + INFO_FLOGOFF));
	do
		ret = put(3, 77);
	while (ret != 0 && errno == EBUSY);
	if (ret == -1 && errno == EIO && strstr(pmemblk_errormsg(), "media error"))
		dprintf(answer, "y");
	_exit(0);
}

static void a_child_that_meets_a_lost_page_does_not_take_the_pool_over(void **state)
{
	int answer[2];
	int status;
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(answer, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		make_pool();
		if (fork() == 0)
			take_over_and_tell(answer[1]);
		_exit(0);
	}
	close(answer[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(read(answer[0], &byte, 1), 1);
	close(answer[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_open_that_meets_a_lost_page_fails),
	    cmocka_unit_test(
		a_close_that_meets_a_lost_header_leaves_the_pool_marked_as_open),
	    cmocka_unit_test(
		a_close_that_meets_a_lost_map_page_leaves_the_pool_marked_as_open),
	    cmocka_unit_test(a_child_that_meets_a_lost_page_does_not_take_the_pool_over),
	};

	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
