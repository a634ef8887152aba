/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Our handler, and those that the program installs before, on top of, and instead of it, while pools
 * are open and while none is.
 */
#include "sigbus_handlers.h"

/* Whatever the program has installed while no pool was open. */
static void a_pool_that_is_opened_later_is_protected_too(void **state)
{
	struct sigaction actions[] = {
	    {.sa_handler = SIG_DFL, .sa_flags = (int)SA_RESTART},
	    {.sa_handler = SIG_IGN, .sa_flags = SA_SIGINFO},
	    {.sa_handler = plain, .sa_flags = SA_NODEFER},
	    {.sa_flags = SA_SIGINFO | SA_ONSTACK}};
	pid_t pid;
	int status;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* sanitizers keep actions of their own */
	make_pool();
	actions[3].sa_sigaction = last;
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		sigaddset(&actions[i].sa_mask, SIGUSR1);
		CHILD({
			create_pool("own");
			install(1); /* so ours stays when the pool is closed */
			pmemblk_close(pool);
			sigaction(SIGBUS, &actions[i], NULL);
			actions[i] = action();
			for (int round = 0; round < 10; round++) {
				create_pool("own");
				if (!survives())
					_exit(4);
				pmemblk_close(pool);
				if (!is_action(&actions[i]))
					_exit(5);
			}
			_exit(0);
		});
		assert_int_equal(status, 0);
	}
	drop_pool();
}

/*
 * The handlers, from below: last, ours, second, ours, third, ours, fourth. The library does not
 * know which of them call the older one.
 */
static void handlers_that_call_our_older_ones_are_called_once(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	make_pool();
	CHILD({
		install(0);
		for (int i = 1; i < 4; i++) {
			create_pool("own");
			install(i);
			pmemblk_close(pool);
			if (action().sa_sigaction != handlers[i])
				_exit(2);
		}
		if (fault() != 1111 || good_infos != 1)
			_exit(4);
		/* not too often for the levels */
		for (int round = 0; round < 10; round++) {
			create_pool("own");
			if (fault() != 1111 || good_infos != 1)
				_exit(5);
			forget_calls();
			if (!survives() || calls[3] != 0)
				_exit(6);
			pmemblk_close(pool);
			if (action().sa_sigaction != fourth)
				_exit(7);
		}
		/* the program removes them, as it has installed them, while a pool is open */
		create_pool("own");
		for (int i = 3; i > 0; i--) {
			sigaction(SIGBUS, &older[i], NULL);
			if (fault() != 1000 + (i == 3) * 110 + (i == 2) * 100)
				_exit(8);
		}
		if (!survives())
			_exit(9);
		pmemblk_close(pool);
		_exit(action().sa_sigaction == last ? 0 : 10);
	});
	assert_int_equal(status, 0);
	drop_pool();
}

/* A handler that is never called. */
static void (*handler(int n))(int)
{
	static char code[100];

	return (void (*)(int))(uintptr_t)&code[n];
}

static void a_program_with_many_actions_is_told(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	make_pool();
	CHILD({
		int n = 0;

		alarm(20);
		do {
			signal(SIGBUS, handler(n));
			set_catch(1);
			unlink(path);
			path = support_path(true, "own");
			unlink(path);
			errno = 0;
			pool = pmemblk_create(path, BSIZE, SIZE, 0644);
			pmemblk_close(pool);
			if (action().sa_handler != handler(n))
				_exit(2);
		} while (pool && ++n < 100);
		if (errno != ENOMEM || n < 6 || n > 8)
			_exit(4);
		if (!strstr(pmemblk_errormsg(), path) ||
		    !strstr(pmemblk_errormsg(), "more than 8 different actions"))
			_exit(5);
		/* with a known one it goes on */
		signal(SIGBUS, handler(0));
		create_pool("own");
		_exit(survives() ? 0 : 6);
	});
	assert_int_equal(status, 0);
	drop_pool();
}

static void install_second(void)
{
	install(1);
}

static void what_another_thread_installs_during_open_or_close_stays(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	make_pool();
	CHILD({
		install(0);
		just_after = install_second;
		create_pool("own");
		/* ours is on top of it */
		if (just_after || !survives() || fault() != 1100)
			_exit(2);
		pmemblk_close(pool);
		if (action().sa_sigaction != second)
			_exit(4);
		sigaction(SIGBUS, &older[1], NULL);
		create_pool("own");
		just_after = install_second;
		pmemblk_close(pool);
		if (just_after || action().sa_sigaction != second)
			_exit(5);
		_exit(fault() == 1100 ? 0 : 6);
	});
	assert_int_equal(status, 0);
	drop_pool();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_pool_that_is_opened_later_is_protected_too),
	    cmocka_unit_test(handlers_that_call_our_older_ones_are_called_once),
	    cmocka_unit_test(a_program_with_many_actions_is_told),
	    cmocka_unit_test(what_another_thread_installs_during_open_or_close_stays),
	};

	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
