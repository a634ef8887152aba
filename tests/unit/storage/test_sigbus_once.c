/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Actions with SA_RESETHAND: the kernel calls the handler once, but other handlers of the program may
 * call it as often as they like.
 */
#include "sigbus_handlers.h"

#include <sys/syscall.h>

/* In a child, because an error that comes too early does not count. */
static bool ends_by_fault(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		fault();
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	       WTERMSIG(status) == SIGBUS;
}

static bool is_anothers; /* the next error */

/* Calls the older action for every error that is not its own. */
static void mend_or_call_older(int sig, siginfo_t *info, void *context)
{
	if (!is_anothers)
		last(sig, info, context);
	else
		call_older(1, sig, info, context);
}

static void arm(int flags)
{
	struct sigaction sa = {.sa_flags = flags};

	sa.sa_sigaction = mend_or_call_older;
	sigaction(SIGBUS, &sa, &older[1]);
}

/* Without the library the older action is SIG_DFL by then. */
static void a_handler_that_is_armed_again_does_not_call_itself(void **state)
{
	static const int again[] = {SA_SIGINFO, SA_SIGINFO | (int)SA_RESETHAND};
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers keep actions of their own */
	make_pool();
	for (size_t i = 0; i < ARRAY_SIZE(again); i++) {
		CHILD({
			arm(SA_SIGINFO | (int)SA_RESETHAND);
			create_pool("own");
			if (fault() != 1000)
				_exit(2);
			arm(again[i]);
			pmemblk_close(pool);
			create_pool("own");
			is_anothers = true;
			_exit(ends_by_fault() ? 0 : 4);
		});
		assert_int_equal(status, 0);
	}
	drop_pool();
}

static void only_the_kernel_resets_an_action(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers keep actions of their own */
	make_pool();
	CHILD({
		struct sigaction want;
		struct sigaction once;

		install_last(ONCE, SIGUSR1);
		want = action();
		create_pool("own");
		install(1);
		for (int round = 0; round < 3; round++)
			if (fault() != 1100 || good_infos != 1)
				_exit(2);
		/* nor a handler that is to be called once itself */
		once = action();
		once.sa_flags |= (int)SA_RESETHAND;
		for (int round = 0; round < 3; round++) {
			sigaction(SIGBUS, &once, NULL);
			if (fault() != 1100 || action().sa_handler != SIG_DFL)
				_exit(4);
		}
		sigaction(SIGBUS, &older[1], NULL);
		pmemblk_close(pool);
		if (!is_action(&want))
			_exit(5);
		create_pool("own");
		if (fault() != 1000 || !survives())
			_exit(6);
		/* ours may run on the other stack, because the program's will not */
		if (!(action().sa_flags & SA_ONSTACK))
			_exit(7);
		/* whoever calls it now calls SIG_DFL */
		install(1);
		_exit(survives() && ends_by_fault() ? 0 : 8);
	});
	assert_int_equal(status, 0);
	drop_pool();
}

/* It knows the action of before the call, and can go on calling that. */
static void a_handler_is_still_called_by_one_that_knew_it(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers keep actions of their own */
	make_pool();
	CHILD({
		struct sigaction knows;
		struct sigaction want;

		install_last(ONCE, 0);
		want = as_reset(action());
		create_pool("own");
		install(1);
		knows = action();
		sigaction(SIGBUS, &older[1], NULL);
		if (fault() != 1000)
			_exit(2);
		pmemblk_close(pool);
		if (!is_action(&want))
			_exit(4);
		sigaction(SIGBUS, &knows, NULL);
		create_pool("own");
		for (int round = 0; round < 3; round++)
			if (fault() != 1100 || !survives())
				_exit(5);
		_exit(0);
	});
	assert_int_equal(status, 0);
	drop_pool();
}

/* The signal of another thread, and its call, come first. */
static void an_action_that_serves_once_serves_one_thread(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers keep actions of their own */
	make_pool();
	for (int too_late = 0; too_late < 2; too_late++) {
		CHILD({
			install_last(ONCE, 0);
			create_pool("own");
			if (fault() != 1000)
				_exit(2);
			of_other_thread = action();
			pmemblk_close(pool);
			install_last(ONCE, 0);
			create_pool("own");
			*(too_late ? &just_after : &just_before) = act_as_other_thread;
			_exit(ends_by_fault() ? 0 : 4);
		});
		assert_int_equal(status, 0);
	}
	drop_pool();
}

/* signal() loses SA_SIGINFO. */
static void swap(void)
{
	signal(SIGBUS, signal(SIGBUS, SIG_IGN));
}

static void what_signal_installs_again_is_as_spent_as_before(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers keep actions of their own */
	make_pool();
	for (int has_other_thread = 0; has_other_thread < 2; has_other_thread++) {
		CHILD({
			install_last(ONCE, 0);
			create_pool("own");
			if (has_other_thread)
				swap();
			if (fault() != 1000 || good_infos != 1)
				_exit(2);
			of_other_thread = action();
			if (has_other_thread) {
				pmemblk_close(pool);
				install_last(ONCE, 0);
				create_pool("own");
				just_before = act_as_other_thread;
			}
			swap();
			_exit(ends_by_fault() ? 0 : 4);
		});
		assert_int_equal(status, 0);
	}
	drop_pool();
}

static void what_another_thread_installs_during_the_only_call_stays(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers keep actions of their own */
	make_pool();
	CHILD({
		install_last(ONCE, 0);
		create_pool("own");
		install(1);
		of_other_thread = action();
		sigaction(SIGBUS, &older[1], NULL);
		just_after = act_as_other_thread;
		if (fault() != 1000 || just_after)
			_exit(2);
		_exit(is_action(&of_other_thread) ? 0 : 4);
	});
	assert_int_equal(status, 0);
	drop_pool();
}

static void put_ours_on_many_actions(void)
{
	static const long none[8]; /* SIG_DFL for the kernel */
	static char code[6];	   /* and two that the program has in any case */

	for (size_t i = 0; i < sizeof(code); i++) {
		signal(SIGBUS, (void (*)(int))(uintptr_t)&code[i]);
		create_pool("own");
		pmemblk_close(pool);
	}
	/* without the flag that C libraries set by themselves */
	syscall(SYS_rt_sigaction, SIGBUS, none, NULL, 8);
	create_pool("own");
	pmemblk_close(pool);
	create_pool("own");
	put(7, 7);
}

static void read_with_one_more_action(void)
{
	struct sigaction own = {.sa_handler = SIG_DFL, .sa_flags = SA_ONSTACK};

	real_sigaction(SIGBUS, &own, NULL);
	lose_page(data_off(7));
	if (get(8) == 0)
		get(7);
	_exit(2);
}

/* See a_child_keeps_the_flags_of_its_action in test_sigbus_flags.c. */
static void a_child_with_one_action_too_many_is_not_protected(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers keep actions of their own */
	make_pool();
	CHILD({
		put_ours_on_many_actions();
		pid = fork();
		if (pid == 0)
			read_with_one_more_action();
		if (waitpid(pid, &status, 0) != pid)
			_exit(4);
		_exit(WIFSIGNALED(status) ? WTERMSIG(status) : 5);
	});
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), SIGBUS);
	drop_pool();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_handler_that_is_armed_again_does_not_call_itself),
	    cmocka_unit_test(only_the_kernel_resets_an_action),
	    cmocka_unit_test(a_handler_is_still_called_by_one_that_knew_it),
	    cmocka_unit_test(an_action_that_serves_once_serves_one_thread),
	    cmocka_unit_test(what_signal_installs_again_is_as_spent_as_before),
	    cmocka_unit_test(what_another_thread_installs_during_the_only_call_stays),
	    cmocka_unit_test(a_child_with_one_action_too_many_is_not_protected),
	};

	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
