/* SPDX-License-Identifier: BSD-3-Clause */
/* The handler of a signal must not run while what it reads changes (commands/interrupt.h). */
#include "support.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "commands/interrupt.h"
#include "compiler.h"

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

static unsigned nset;  /* handlers that were set */
static unsigned nstat; /* files that were looked at */

static unsigned count_blocked(void)
{
	unsigned n = 0;
	sigset_t now;

	assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		n += sigismember(&now, signals[i]) == 1;
	return n;
}

/* Replaces libc's. */
SUPPORT_INTERPOSE int sigaction(int sig, const struct sigaction *act,
				struct sigaction *old)
{
	static struct sigaction present[NSIG];

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (act && sig == signals[i]) {
			assert_int_equal(count_blocked(), 3);
			nset++;
		}
	if (old)
		*old = present[sig];
	if (act)
		present[sig] = *act;
	return 0;
}

SUPPORT_INTERPOSE int lstat(const char *path, struct stat *st)
{
	assert_string_equal(path, "made");
	assert_int_equal(count_blocked(), 3);
	memset(st, 0, sizeof(*st));
	st->st_dev = 12;
	st->st_ino = 34;
	nstat++;
	return 0;
}

/* The mask of a caller that blocks one other signal. */
static void set_mask(void)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &mask, NULL), 0);
}

static void assert_mask_is_kept(void)
{
	sigset_t now;

	assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
	for (int sig = 1; sig <= SIGSYS; sig++)
		assert_int_equal(sigismember(&now, sig) == 1, sig == SIGUSR1);
}

static void files_change_while_the_signals_are_blocked(void **state)
{
	struct interrupt_file file = {.path = "made", .mode = 0600};

	(void)state;
	set_mask();
	interrupt_remove(&file, 1);
	assert_int_equal(nset, 3);
	assert_mask_is_kept();
	interrupt_know();
	assert_int_equal(nstat, 1);
	assert_true(file.is_known && file.dev == 12 && file.ino == 34);
	assert_mask_is_kept();
	interrupt_keep();
	assert_int_equal(nset, 6);
	assert_mask_is_kept();
}

static void what_is_held_stays_held(void **state)
{
	struct interrupt_file file = {.path = "made", .mode = 0600};

	(void)state;
	set_mask();
	interrupt_hold();
	interrupt_remove(&file, 1);
	assert_int_equal(count_blocked(), 3);
	interrupt_know();
	assert_int_equal(count_blocked(), 3);
	interrupt_release();
	assert_mask_is_kept();
	interrupt_keep();
	assert_mask_is_kept();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(files_change_while_the_signals_are_blocked),
	    cmocka_unit_test(what_is_held_stays_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
