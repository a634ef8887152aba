/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Flags and masks of actions: our handler without SA_SIGINFO, and those of the program's that are to be
 * called once, or with SIGBUS open.
 */
#include "sigbus_handlers.h"

#include <setjmp.h>

/* sysv_signal(3), which not every C library has. */
static void (*set_once(int sig, void (*function)(int)))(int)
{
	struct sigaction sa = {.sa_handler = function};
	struct sigaction old;

	sa.sa_flags = (int)SA_RESETHAND | SA_NODEFER;
	real_sigaction(sig, &sa, &old);
	return old.sa_handler;
}

/* They restore a handler without SA_SIGINFO. */
static void our_handler_recovers_if_signal_installs_it_again(void **state)
{
	void (*(*const set[])(int, void (*)(int)))(int) = {signal, set_once};
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers install a handler of their own, with SA_SIGINFO */
	make_pool();
	for (size_t i = 0; i < ARRAY_SIZE(set); i++) {
		CHILD({
			struct sigaction before;

			install(0);
			before = action();
			create_pool("own");
			for (int round = 0; round < 5; round++) {
				put(7, 7);
				put(8, 8);
				set[i](SIGBUS, set[i](SIGBUS, plain));
				if (action().sa_flags & SA_SIGINFO)
					_exit(2);
				if (fault() != 1000 || good_infos != 1)
					_exit(4);
				set[i](SIGBUS, set[i](SIGBUS, SIG_IGN));
				lose_page(data_off(7));
				soil_stack();
				if (get(7) != -1 || get(8) != 8)
					_exit(5);
				if (!(action().sa_flags & SA_SIGINFO))
					_exit(6);
				pmemblk_close(pool);
				if (!is_action(&before))
					_exit(7);
				create_pool("own");
			}
			_exit(0);
		});
		assert_int_equal(status, 0);
	}
	drop_pool();
}

static void replace_it(void)
{
	install(0);
}

static void our_handler_sees_that_another_thread_has_recovered_it(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* see above */
	make_pool();
	CHILD({
		void (*ours)(int);

		install(0);
		create_pool("own");
		ours = action().sa_handler;
		signal(SIGBUS, ours);
		if (fault() != 1000)
			_exit(2);
		of_other_thread = action();
		if (of_other_thread.sa_handler == ours)
			_exit(4);
		/* without information, ours looks when all is well, or installs itself too late */
		for (int too_late = 0; too_late < 2; too_late++) {
			signal(SIGBUS, ours);
			*(too_late ? &just_after : &just_before) = act_as_other_thread;
			if (fault() != 1000 || good_infos != 1 ||
			    !is_action(&of_other_thread))
				_exit(5);
		}
		/* the program has installed its own by then */
		signal(SIGBUS, ours);
		just_after = replace_it;
		if (fault() != 1000 || good_infos != 1 || just_after)
			_exit(6);
		_exit(action().sa_sigaction == last ? 0 : 7);
	});
	assert_int_equal(status, 0);
	drop_pool();
}

static void close_pool(void)
{
	pmemblk_close(pool);
}

static void ignore(int sig)
{
	(void)sig;
}

/* SIG_DFL with SA_RESETHAND is what the kernel leaves if the program has called sysv_signal(). */
static void a_handler_that_runs_during_the_last_close_installs_nothing(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers keep actions of their own */
	make_pool();
	CHILD({
		set_once(SIGBUS, ignore);
		create_pool("own");
		raise(SIGBUS);
		just_before = close_pool;
		raise(SIGBUS);
	});
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	drop_pool();
}

/* The kernel changes only the handler. */
static void an_action_that_serves_once_keeps_its_flags_and_mask(void **state)
{
	static const int flags[] = {SA_SIGINFO, SA_SIGINFO | SA_NODEFER};
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers keep actions of their own */
	make_pool();
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		CHILD({
			struct sigaction own = {.sa_flags = flags[i] | (int)SA_RESETHAND};

			own.sa_sigaction = last;
			sigaddset(&own.sa_mask, SIGUSR1);
			/* often, with the same handler */
			for (int round = 0; round < 10; round++) {
				struct sigaction want;

				sigaction(SIGBUS, &own, NULL);
				want = action();
				create_pool("own");
				pmemblk_close(pool);
				if (!is_action(&want))
					_exit(2);
				create_pool("own");
				if (fault() != 1000 || good_infos != 1 || !survives())
					_exit(4);
				pmemblk_close(pool);
				want.sa_handler = SIG_DFL;
				if (!is_action(&want))
					_exit(5);
			}
			create_pool("own");
			fault();
		});
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	}
	drop_pool();
}

static void the_mask_counts_more_than_nodefer(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers call handlers later, with another mask */
	make_pool();
	for (int masked = 0; masked < 2; masked++) {
		CHILD({
			struct sigaction own = {.sa_flags = SA_SIGINFO | SA_NODEFER};

			own.sa_sigaction = last;
			if (masked)
				sigaddset(&own.sa_mask, SIGBUS);
			sigaction(SIGBUS, &own, NULL);
			create_pool("own");
			if (fault() != 1000)
				_exit(2);
			_exit(is_blocked == masked ? 0 : 4);
		});
		assert_int_equal(status, 0);
	}
	drop_pool();
}

/* Another thread may have installed ours when the parent forked; see test_sigbus_signals.c. */
static void read_with_action_of_before(void)
{
	struct sigaction own = {.sa_handler = SIG_DFL, .sa_flags = SA_ONSTACK};

	sigaddset(&own.sa_mask, SIGUSR2);
	sigaction(SIGBUS, &own, NULL);
	own = action();
	lose_page(data_off(7));
	if (get(8) != 8 || get(7) != -1)
		_exit(2);
	pmemblk_close(pool);
	_exit(is_action(&own) ? 0 : 4);
}

static void a_child_keeps_the_flags_of_its_action(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers keep actions of their own */
	signal(SIGBUS, SIG_DFL);
	make_pool();
	pid = fork();
	if (pid == 0)
		read_with_action_of_before();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	drop_pool();
}

static sigjmp_buf jump;

static void leap(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
	siglongjmp(jump, 1);
}

/* Its mask is the thread's again, and ours is ready for the next one. */
static void a_handler_may_jump_out_of_ours(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	make_pool();
	CHILD({
		struct sigaction own = {.sa_flags = SA_SIGINFO};
		sigset_t now;

		own.sa_sigaction = leap;
		sigaddset(&own.sa_mask, SIGUSR1);
		sigaction(SIGBUS, &own, NULL);
		create_pool("own");
		for (volatile int round = 0; round < 3; round++)
			if (sigsetjmp(jump, 1) == 0) {
				fault();
				_exit(2);
			}
		sigprocmask(SIG_BLOCK, NULL, &now);
		if (sigismember(&now, SIGUSR1) || sigismember(&now, SIGBUS))
			_exit(4);
		_exit(survives() ? 0 : 5);
	});
	assert_int_equal(status, 0);
	drop_pool();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(our_handler_recovers_if_signal_installs_it_again),
	    cmocka_unit_test(our_handler_sees_that_another_thread_has_recovered_it),
	    cmocka_unit_test(a_handler_that_runs_during_the_last_close_installs_nothing),
	    cmocka_unit_test(an_action_that_serves_once_keeps_its_flags_and_mask),
	    cmocka_unit_test(the_mask_counts_more_than_nodefer),
	    cmocka_unit_test(a_child_keeps_the_flags_of_its_action),
	    cmocka_unit_test(a_handler_may_jump_out_of_ours),
	};

	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
