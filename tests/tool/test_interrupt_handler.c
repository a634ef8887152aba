/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The handler of a signal (commands/interrupt.h): it must not run while what it reads changes, and it
 * removes the command's own file only.
 */
#include "support.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands/interrupt.h"
#include "compiler.h"

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

static unsigned nset;	  /* handlers that were set */
static unsigned nstat;	  /* files that were looked at */
static unsigned *nunlink; /* removed by the handler, in a child */

static struct sigaction present[NSIG];
static struct stat found; /* what lstat() tells */

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
	*st = found;
	nstat++;
	return 0;
}

SUPPORT_INTERPOSE int unlink(const char *path)
{
	assert_string_equal(path, "made");
	++*nunlink;
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
	found = (struct stat){.st_dev = 12, .st_ino = 34};
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

/* How many files the handler removes; the process dies from the signal. */
static unsigned removed_by(int sig, struct interrupt_file *file)
{
	int status;
	pid_t pid;

	*nunlink = 0;
	interrupt_remove(file, 1);
	pid = fork();
	if (pid == 0) {
		pthread_sigmask(SIG_BLOCK, &present[sig].sa_mask, NULL);
		present[sig].sa_handler(sig);
		pthread_sigmask(SIG_UNBLOCK, &present[sig].sa_mask, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == sig);
	interrupt_keep();
	return *nunlink;
}

static void only_the_commands_own_file_is_removed(void **state)
{
	const uid_t self = geteuid();
	struct interrupt_file known = {
	    .path = "made", .mode = 0640, .is_known = true, .dev = 12, .ino = 34};
	struct interrupt_file fresh = {.path = "made", .mode = 0640};
	const struct {
		struct stat found;
		unsigned known;
		unsigned fresh;
	} rows[] = {
	    {{.st_dev = 12, .st_ino = 34, .st_mode = S_IFREG | 0640, .st_uid = self},
	     1,
	     1},
	    {{.st_dev = 12, .st_ino = 34, .st_mode = S_IFREG | 0600, .st_uid = self},
	     1,
	     0},
	    {{.st_dev = 13, .st_ino = 34, .st_mode = S_IFREG | 0640, .st_uid = self},
	     0,
	     1},
	    {{.st_dev = 12, .st_ino = 35, .st_mode = S_IFREG, .st_uid = self}, 0, 1},
	    {{.st_dev = 12, .st_ino = 35, .st_mode = S_IFREG | 0640, .st_uid = self + 1},
	     0,
	     0},
	    {{.st_dev = 12, .st_ino = 35, .st_mode = S_IFLNK | 0640, .st_uid = self},
	     0,
	     0},
	};

	(void)state;
	set_mask();
	nunlink = mmap(NULL, sizeof(*nunlink), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(nunlink != MAP_FAILED);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t k = 0; k < ARRAY_SIZE(signals); k++) {
			found = rows[i].found;
			assert_int_equal(removed_by(signals[k], &known), rows[i].known);
			assert_int_equal(removed_by(signals[k], &fresh), rows[i].fresh);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(files_change_while_the_signals_are_blocked),
	    cmocka_unit_test(what_is_held_stays_held),
	    cmocka_unit_test(only_the_commands_own_file_is_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
