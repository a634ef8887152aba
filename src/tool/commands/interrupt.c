/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/interrupt.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

#define NSIGNAL (sizeof(signals) / sizeof(signals[0]))

/* Changed while the signals are blocked, read by the handler. */
static struct interrupt_file *files;
static size_t nfile;

static sigset_t before_hold;
static bool is_held;

static bool is_noting;
static volatile sig_atomic_t noted;  /* the signal that has come; 0: none */
static struct sigaction before_note; /* of SIGALRM */

/* The set of the signals that are not ignored. */
static void signal_set(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < NSIGNAL; i++) {
		struct sigaction action;

		if (sigaction(signals[i], NULL, &action) == 0 &&
		    action.sa_handler != SIG_IGN)
			sigaddset(set, signals[i]);
	}
}

static bool is_ours(const struct interrupt_file *file, const struct stat *st)
{
	mode_t mode = st->st_mode & 07777;

	if (file->is_known)
		return st->st_dev == file->dev && st->st_ino == file->ino;
	return S_ISREG(st->st_mode) && st->st_uid == geteuid() &&
	       (mode == 0 || mode == file->mode);
}

/* Calls only functions that signal-safety(7) lists. */
static void remove_and_die(int sig)
{
	for (size_t i = 0; i < nfile; i++) {
		struct stat st;

		if (lstat(files[i].path, &st) == 0 && is_ours(&files[i], &st))
			unlink(files[i].path);
	}
	signal(sig, SIG_DFL);
	raise(sig); /* it is delivered when this returns */
}

/* Sets the handler of the signals in set, which are blocked. */
static void set_handler(const sigset_t *set, void (*handler)(int))
{
	for (size_t i = 0; i < NSIGNAL; i++)
		if (sigismember(set, signals[i])) {
			struct sigaction action = {.sa_handler = handler};

			action.sa_mask = *set;
			sigaction(signals[i], &action, NULL);
		}
}

static void set_files(struct interrupt_file *file, size_t n)
{
	sigset_t set;
	sigset_t old;

	signal_set(&set);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	files = file;
	nfile = n;
	set_handler(&set, n ? remove_and_die : SIG_DFL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void interrupt_remove(struct interrupt_file *file, size_t n)
{
	set_files(file, n);
}

void interrupt_keep(void)
{
	set_files(NULL, 0);
}

void interrupt_know(void)
{
	sigset_t set;
	sigset_t old;

	signal_set(&set);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	for (size_t i = 0; i < nfile; i++) {
		struct stat st;

		if (lstat(files[i].path, &st) != 0)
			continue;
		files[i].is_known = true;
		files[i].dev = st.st_dev;
		files[i].ino = st.st_ino;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void interrupt_hold(void)
{
	sigset_t set;

	signal_set(&set);
	pthread_sigmask(SIG_BLOCK, &set, &before_hold);
	is_held = true;
}

/*
 * The signal may come just before the library begins to wait, and would not end the wait. So
 * SIGALRM follows every second.
 */
static void note(int sig)
{
	noted = sig;
	alarm(1);
}

static void wake(int sig)
{
	(void)sig;
	alarm(1);
}

void interrupt_note(void)
{
	sigset_t set;

	signal_set(&set);
	noted = 0;
	sigaction(SIGALRM, &(struct sigaction){.sa_handler = wake}, &before_note);
	set_handler(&set, note);
	is_noting = true;
}

int interrupt_descriptor(void)
{
	sigset_t set;

	signal_set(&set);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

bool interrupt_has_come(void)
{
	sigset_t pending;

	if (is_noting && noted)
		return true;
	sigpending(&pending);
	for (size_t i = 0; i < NSIGNAL; i++)
		if (sigismember(&pending, signals[i]))
			return is_held;
	return false;
}

void interrupt_release(void)
{
	sigset_t set;

	if (is_noting) {
		signal_set(&set);
		set_handler(&set, SIG_DFL);
		is_noting = false;
		if (noted) {
			alarm(0);
			raise(noted);
		}
		sigaction(SIGALRM, &before_note, NULL);
	}
	if (is_held)
		pthread_sigmask(SIG_SETMASK, &before_hold, NULL);
	is_held = false;
}
