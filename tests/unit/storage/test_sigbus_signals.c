/* SPDX-License-Identifier: BSD-3-Clause */
/* While pools survive media errors: every other SIGBUS does what it did without the library. */
#include "sigbus_fixture.h"

#include <dlfcn.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static volatile sig_atomic_t own_calls;
static void *volatile own_page;

static void own_handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	own_calls++;
	/* memcpy() does not always access the first byte first */
	if ((void *)((uintptr_t)info->si_addr & ~(uintptr_t)4095) == own_page)
		mmap(own_page, 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void other_errors_go_to_the_programs_handler(void **state)
{
	struct sigaction own = {.sa_flags = SA_SIGINFO};
	struct sigaction old;
	struct sigaction now;
	int fd = memfd_create("lost", MFD_CLOEXEC);

	(void)state;
	make_pool();
	pmemblk_close(pool);
	own.sa_sigaction = own_handler;
	assert_int_equal(sigaction(SIGBUS, &own, &old), 0);
	pool = pmemblk_open(path, 0);
	assert_non_null(pool);
	own_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	own_calls = 0;
	assert_int_equal(*(volatile char *)own_page, 0);
	assert_int_equal(own_calls, 1);
	lose_page(data_off(7));
	assert_int_equal(get(7), -1);
	assert_int_equal(own_calls, 1);
	/* The library does not handle an access to the pool that the program makes itself. */
	own_page = pool->map.base + (data_off(7) & ~(uint64_t)4095);
	assert_int_equal(*(volatile char *)own_page, 0);
	assert_int_equal(own_calls, 2);
	pmemblk_close(pool);
	pool = NULL;
	assert_int_equal(sigaction(SIGBUS, &old, &now), 0);
	assert_true(now.sa_sigaction == own_handler);
	drop_pool();
}

/* A page that raises SIGBUS, as close below or above the pool as there is room. */
static char *lost_page_beside_the_pool(bool below)
{
	int fd = memfd_create("lost", MFD_CLOEXEC);
	uintptr_t at = (uintptr_t)pool->map.base;
	char *page = MAP_FAILED;

	at = below ? at - 4096 : at + pool->map.size;
	for (int i = 0; i < 100000 && page == MAP_FAILED; i++) {
		page = mmap((void *)at, 4096, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
		at = below ? at - 4096 : at + 4096;
	}
	close(fd);
	assert_true(page != MAP_FAILED);
	return page;
}

/* During a call the library handles only faults in the pool's own pages. */
static void a_fault_in_the_callers_buffer_goes_to_the_programs_handler(void **state)
{
	struct sigaction own = {.sa_flags = SA_SIGINFO};
	struct sigaction old;

	(void)state;
	make_pool();
	pmemblk_close(pool);
	own.sa_sigaction = own_handler;
	assert_int_equal(sigaction(SIGBUS, &own, &old), 0);
	pool = pmemblk_open(path, 0);
	assert_non_null(pool);
	for (int below = 0; below < 2; below++) {
		char *buf = lost_page_beside_the_pool(below);

		own_page = buf;
		own_calls = 0;
		assert_int_equal(pmemblk_write(pool, buf, 3), 0);
		assert_int_equal(own_calls, 1);
		assert_int_equal(get(3), 0);
		munmap(buf, 4096);
		buf = lost_page_beside_the_pool(below);
		own_page = buf;
		assert_int_equal(pmemblk_read(pool, buf, 4), 0);
		assert_int_equal(own_calls, 2);
		assert_int_equal(buf[0], 4);
		munmap(buf, 4096);
	}
	pmemblk_close(pool);
	pool = NULL;
	assert_int_equal(sigaction(SIGBUS, &old, NULL), 0);
	drop_pool();
}

/*
 * While this is set, installing the handler truncates the file, which is mapped but not read yet.
 */
static bool cuts_file;

SUPPORT_INTERPOSE int sigaction(int sig, const struct sigaction *act,
				struct sigaction *old)
{
	static int (*real)(int, const struct sigaction *, struct sigaction *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "sigaction");
	if (cuts_file && act) {
		cuts_file = false;
		assert_int_equal(truncate(path, 3 * 4096), 0);
	}
	return real(sig, act, old);
}

static void a_check_that_meets_a_lost_page_fails_and_leaves_nothing_behind(void **state)
{
	struct sigaction own = {.sa_flags = SA_SIGINFO};
	struct sigaction old;
	char *page;

	(void)state;
	make_pool();
	pmemblk_close(pool);
	own.sa_sigaction = own_handler;
	assert_int_equal(sigaction(SIGBUS, &own, &old), 0);
	cuts_file = true;
	errno = 0;
	assert_int_equal(pmemblk_check(path, 0), -1);
	assert_int_equal(errno, EIO);
	assert_non_null(strstr(pmemblk_errormsg(), "media error"));
	assert_false(cuts_file);
	/* Another pool is watched, but no thread is in a call on it. */
	unlink(path);
	pool = pmemblk_create(path, BSIZE, SIZE, 0644);
	assert_non_null(pool);
	lose_page(0x3000);
	page = (char *)pool->map.base + 0x3000;
	own_page = page;
	own_calls = 0;
	assert_int_equal(*(volatile char *)page, 0);
	assert_int_equal(own_calls, 1);
	pmemblk_close(pool);
	pool = NULL;
	assert_int_equal(sigaction(SIGBUS, &old, NULL), 0);
	drop_pool();
}

static void without_the_setting_the_signal_stays(void **state)
{
	struct sigaction now;
	pid_t pid;
	int status;

	(void)state;
	make_pool();
	pmemblk_close(pool);
	set_catch(0);
	pool = pmemblk_open(path, 0);
	assert_non_null(pool);
	assert_int_equal(sigaction(SIGBUS, NULL, &now), 0);
	pid = fork();
	if (pid == 0) {
		signal(SIGBUS, SIG_DFL);
		lose_page(data_off(7));
		get(7);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	drop_pool();
}

static void leave(int sig)
{
	_exit(10 + (sig == SIGBUS));
}

static void leave_otherwise(int sig)
{
	_exit(20 + (sig == SIGBUS));
}

static void leave_with_info(int sig, siginfo_t *info, void *context)
{
	_exit(30 + (sig == SIGBUS && info && context));
}

static void leave_otherwise_with_info(int sig, siginfo_t *info, void *context)
{
	_exit(40 + (sig == SIGBUS && info && context));
}

/* Otherwise calls that it interrupts would fail, or go on, where they did not before. */
static void calls_are_restarted_if_the_programs_handler_wants_it(void **state)
{
	static const int flags[] = {0, (int)SA_RESTART, SA_SIGINFO,
				    SA_SIGINFO | (int)SA_RESTART};
	struct sigaction old;
	struct sigaction now;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		struct sigaction own = {.sa_handler = leave};

		own.sa_flags = flags[i];
		if (flags[i] & SA_SIGINFO)
			own.sa_sigaction = own_handler;
		assert_int_equal(sigaction(SIGBUS, &own, &old), 0);
		make_pool();
		assert_int_equal(sigaction(SIGBUS, NULL, &now), 0);
		assert_int_equal(now.sa_flags & (int)SA_RESTART,
				 flags[i] & (int)SA_RESTART);
		drop_pool();
		assert_int_equal(sigaction(SIGBUS, &old, NULL), 0);
	}
}

/* Forks a child with the handler `now`, which reads a lost block. */
static int read_in_child(const struct sigaction *now)
{
	struct sigaction last;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		sigaction(SIGBUS, now, NULL);
		lose_page(data_off(7));
		if (get(7) != -1)
			_exit(2);
		/* the last pool takes our handler away */
		pmemblk_close(pool);
		sigaction(SIGBUS, NULL, &last);
		_exit(last.sa_handler == now->sa_handler ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/*
 * The kernel copies handlers before memory. So a child may have the handler of before a change of
 * another thread, and the memory of after it.
 */
static void a_child_with_the_handler_of_before_gets_ours_again(void **state)
{
	struct sigaction before[] = {{.sa_handler = leave}, {.sa_flags = SA_SIGINFO}};
	struct sigaction since[] = {{.sa_handler = leave_otherwise},
				    {.sa_flags = SA_SIGINFO}};
	struct sigaction old;

	(void)state;
	before[1].sa_sigaction = leave_with_info;
	since[1].sa_sigaction = leave_otherwise_with_info;
	for (unsigned i = 0; i < ARRAY_SIZE(before); i++) {
		assert_int_equal(sigaction(SIGBUS, &before[i], &old), 0);
		make_pool();
		assert_int_equal(read_in_child(&before[i]), 0);
		/* What the program has installed since stays. */
		assert_int_equal(read_in_child(&since[0]), 21);
		assert_int_equal(read_in_child(&since[1]), 41);
		drop_pool();
		assert_int_equal(sigaction(SIGBUS, &old, NULL), 0);
	}
}

/* It may have been forked between the change of the handler and that of the memory. */
static void a_child_does_not_take_our_handler_for_the_programs(void **state)
{
	struct sigaction own = {.sa_handler = leave};
	struct sigaction ours;
	struct sigaction old;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(sigaction(SIGBUS, &own, &old), 0);
	make_pool();
	assert_int_equal(sigaction(SIGBUS, NULL, &ours), 0);
	drop_pool();
	pid = fork();
	if (pid == 0) {
		sigaction(SIGBUS, &ours, NULL);
		create_pool("own");
		raise(SIGBUS);
		_exit(3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 11);
	assert_int_equal(sigaction(SIGBUS, &old, NULL), 0);
}

/* The first process of a container: without a handler, the kernel sends it no SIGBUS. */
static void a_sent_signal_does_not_end_the_first_process(void **state)
{
	int pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		signal(SIGBUS, SIG_DFL); /* not cmocka's */
		if (unshare(CLONE_NEWPID) != 0 &&
		    unshare(CLONE_NEWPID | CLONE_NEWUSER) != 0)
			_exit(77);
		pid = fork();
		if (pid == 0) {
			make_pool();
			if (fork() == 0) {
				kill(getppid(), SIGBUS);
				_exit(0);
			}
			while (wait(NULL) < 0)
				;
			lose_page(data_off(7));
			_exit(getpid() == 1 && get(7) == -1 && get(8) == 8 ? 11 : 3);
		}
		waitpid(pid, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(other_errors_go_to_the_programs_handler),
	    cmocka_unit_test(a_fault_in_the_callers_buffer_goes_to_the_programs_handler),
	    cmocka_unit_test(
		a_check_that_meets_a_lost_page_fails_and_leaves_nothing_behind),
	    cmocka_unit_test(calls_are_restarted_if_the_programs_handler_wants_it),
	    cmocka_unit_test(a_child_with_the_handler_of_before_gets_ours_again),
	    cmocka_unit_test(a_child_does_not_take_our_handler_for_the_programs),
	    cmocka_unit_test(a_sent_signal_does_not_end_the_first_process),
	    cmocka_unit_test(without_the_setting_the_signal_stays),
	};

	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
