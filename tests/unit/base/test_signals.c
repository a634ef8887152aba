/* SPDX-License-Identifier: BSD-3-Clause */
/* Which signals wait while a lock is held that handlers take, too. */
#include "support.h"

#include <signal.h>

#include "base/signals.h"
#include "compiler.h"

static bool is_own(int sig)
{
	static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL,
				  SIGTRAP, SIGSYS, SIGABRT};

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (own[i] == sig)
			return true;
	return false;
}

/* Signals that the thread raises itself end the program if they are blocked. */
static void all_wait_that_the_thread_does_not_raise_itself(void **state)
{
	sigset_t before;
	sigset_t set;

	(void)state;
	if (support_is_emulated())
		skip(); /* the emulator has masks of its own */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &set, NULL), 0);
	signals_block(&before);
	for (int sig = 1; sig < 32; sig++)
		assert_int_equal(sigismember(&before, sig), sig == SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, &set), 0);
	for (int sig = 1; sig < 32; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			assert_int_equal(sigismember(&set, sig), !is_own(sig));
	for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
		assert_int_equal(sigismember(&set, sig), 1);
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	assert_int_equal(sigismember(&set, SIGUSR2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_wait_that_the_thread_does_not_raise_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
