/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who has called ours: the kernel, which applies the mask and the flags of the program's action, or
 * another handler of the program, which does not.
 */
#include "sigbus_handlers.h"

static void only_the_kernel_applies_mask_and_flags(void **state)
{
	static const int flags[] = {SA_SIGINFO | SA_NODEFER, SA_SIGINFO};
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers call handlers later, with another mask */
	make_pool();
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		CHILD({
			struct sigaction sa;

			install_last(flags[i], 0);
			create_pool("own");
			if (fault() != 1000 || is_blocked != (int)i)
				_exit(2);
			install(1);
			sa = action();
			sa.sa_flags = flags[1 - i];
			sigaction(SIGBUS, &sa, NULL);
			if (fault() != 1100 || is_blocked != (int)(1 - i))
				_exit(4);
			pmemblk_close(pool);
			if (fault() != 1100 || is_blocked != (int)(1 - i))
				_exit(5);
			_exit(0);
		});
		assert_int_equal(status, 0);
	}
	drop_pool();
}

/* Installed twice, with other flags, it calls its older self once. */
static void call_itself(int sig, siginfo_t *info, void *context)
{
	if (calls[1] == 0)
		call_older(1, sig, info, context);
	else
		last(sig, info, context);
}

static void install_to_call_itself(int flags)
{
	struct sigaction sa = {.sa_flags = flags};

	sa.sa_sigaction = call_itself;
	sigaction(SIGBUS, &sa, &older[1]);
}

static void a_handler_may_call_itself_by_ours(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers call handlers later, with another mask */
	make_pool();
	CHILD({
		install_to_call_itself(SA_SIGINFO | SA_NODEFER);
		create_pool("own");
		install_to_call_itself(SA_SIGINFO);
		_exit(fault() == 1100 && is_blocked ? 0 : 2);
	});
	assert_int_equal(status, 0);
	drop_pool();
}

/* Ours, which the program knows, stands for the action that it was put on. */
static void the_same_handler_may_have_other_flags_later(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers keep actions of their own */
	make_pool();
	for (int which = 0; which < 2; which++) {
		CHILD({
			struct sigaction ours[2];
			struct sigaction want[2];

			for (int i = 0; i < 2; i++) {
				bool changes_flags = i == 1 && which == 0;

				install_last(changes_flags ? SA_SIGINFO
							   : SA_SIGINFO | SA_NODEFER,
					     i == 1 && which == 1 ? SIGBUS : 0);
				want[i] = action();
				create_pool("own");
				ours[i] = action();
				pmemblk_close(pool);
				if (!is_action(&want[i]))
					_exit(2);
			}
			/* another thread changes them during the open */
			of_other_thread = want[0];
			just_after = act_as_other_thread;
			create_pool("own");
			if (fault() != 1000 || is_blocked)
				_exit(7);
			pmemblk_close(pool);
			if (!is_action(&want[0]))
				_exit(8);
			for (int round = 0; round < 20; round++) {
				int i = round % 2;

				sigaction(SIGBUS, &ours[i], NULL);
				create_pool("own");
				if (fault() != 1000 || is_blocked != i || !survives())
					_exit(4);
				pmemblk_close(pool);
				if (!is_action(&want[i]))
					_exit(5);
				sigaction(SIGBUS, &want[i], NULL);
				create_pool("own");
				if (fault() != 1000 || is_blocked != i)
					_exit(6);
				pmemblk_close(pool);
			}
			_exit(0);
		});
		assert_int_equal(status, 0);
	}
	drop_pool();
}

static void close_pool(void)
{
	pmemblk_close(pool);
}

static void a_call_during_the_last_close_is_one_by_the_kernel(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers keep actions of their own */
	make_pool();
	for (int is_once = 0; is_once < 2; is_once++) {
		CHILD({
			struct sigaction want;

			install_last(is_once ? ONCE : SA_SIGINFO | SA_NODEFER, SIGUSR1);
			want = is_once ? as_reset(action()) : action();
			create_pool("own");
			just_before = close_pool;
			if (fault() != 1000 || just_before || is_blocked)
				_exit(2);
			_exit(is_action(&want) ? 0 : 4);
		});
		assert_int_equal(status, 0);
	}
	drop_pool();
}

static void a_call_that_cannot_ask_is_one_by_the_kernel(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers call handlers later, with another mask */
	make_pool();
	for (int is_once = 0; is_once < 2; is_once++) {
		CHILD({
			install_last(is_once ? ONCE : SA_SIGINFO | SA_NODEFER, 0);
			create_pool("own");
			is_refused = true;
			if (fault() != 1000 || good_infos != 1 || is_blocked)
				_exit(2);
			_exit(survives() ? 0 : 4);
		});
		assert_int_equal(status, 0);
	}
	drop_pool();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_the_kernel_applies_mask_and_flags),
	    cmocka_unit_test(a_handler_may_call_itself_by_ours),
	    cmocka_unit_test(the_same_handler_may_have_other_flags_later),
	    cmocka_unit_test(a_call_during_the_last_close_is_one_by_the_kernel),
	    cmocka_unit_test(a_call_that_cannot_ask_is_one_by_the_kernel),
	};

	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
