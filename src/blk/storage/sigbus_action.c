/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The program may have a handler below ours, installed before the first mapping was watched, and
 * one on top of ours, installed since, which calls ours. Our handler is removed with the last
 * mapping only if it is on top. Otherwise it stays.
 *
 * When a mapping is watched again, the action may be one that calls nobody. So ours is put on top
 * of whatever is there. But that may still call our earlier installation. If this one called the
 * same handler in turn, the two would call each other without end. So an installation does not
 * forget what is below it. It is called a level:
 *
 *   1. Each level has functions of its own, which tell the handler what is below it.
 *   2. A level is always installed on top of the same action: handler, flags and mask. So each of
 *      its functions stands for the same action as long as the process lives, whoever knows it.
 *   3. On top of the same action, the same level is installed again. So the number of levels limits
 *      only how many different actions there can be.
 *
 * A call of our function leads to the handler that would have been called without the library. So
 * there is an endless chain only where there would be one without it: where the program installs
 * its own handler on top of itself.
 *
 * When the kernel calls a handler with SA_RESETHAND, it makes the action SIG_DFL, but whoever knows
 * the handler can still call it. So a level has one function that stands for the handler, and a
 * spent one that stands for SIG_DFL. Before the first calls such a handler, it makes the spent one
 * the action.
 *
 * The flags and the mask count only for a call by the kernel. If the action is another function
 * than the one that was called, a handler of the program has called it. Then the handler below is
 * called just like this. Nothing tells the two apart if the program's handler has made our function
 * the action before it calls it; this counts as a call by the kernel. So does every call if a
 * filter of system calls does not let the handler look.
 *
 * signal(SIGBUS, signal(SIGBUS, f)) installs our handler again, but without SA_SIGINFO. Then the
 * kernel passes no information, and the handler cannot tell what happened. So it installs itself
 * with SA_SIGINFO, and returns: the access is repeated. A SIGBUS that a process has sent is lost
 * then. Another thread may have done the same since the kernel called the handler. So each function
 * of a level has a twin, and they are used in turn: the action is the twin then.
 *
 * The handler uses only sigaction(2), pthread_sigmask(3), signal(2), raise(3), getpid(2) and atomics.
 */
#include "storage/sigbus_action.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include "errormsg.h"

#define LEVELS 8

/* SA_RESTORER of the kernel, which C libraries set by themselves, and have no name for. */
#define RESTORER 0x04000000

/* The functions are numbered. Those of level i are FUNCTIONS * i and the next ones. */
enum { TWIN = 1, SPENT = 2, FUNCTIONS = 4 };

typedef void entry(int sig, siginfo_t *info, void *context);

static struct {
	struct sigaction below; /* read by the handler; never changes */
} levels[LEVELS];

static unsigned nlevels;	 /* that have been used */
static unsigned top;		 /* the level that was installed last */
static atomic_bool is_installed; /* read by the handler */
static sigbus_serve *serve;

static void handle(unsigned level, unsigned which, int sig, siginfo_t *info,
		   void *context);

#define ENTRY(level, which)                                                              \
	static void entry_##level##_##which(int sig, siginfo_t *info, void *context)     \
	{                                                                                \
		handle(level, which, sig, info, context);                                \
	}
#define ENTRIES(level) ENTRY(level, 0) ENTRY(level, 1) ENTRY(level, 2) ENTRY(level, 3)

ENTRIES(0)
ENTRIES(1)
ENTRIES(2)
ENTRIES(3)
ENTRIES(4)
ENTRIES(5)
ENTRIES(6)
ENTRIES(7)

#define NAMES(level)                                                                     \
	entry_##level##_0, entry_##level##_1, entry_##level##_2, entry_##level##_3

static entry *const entries[] = {
    NAMES(0), NAMES(1), NAMES(2), NAMES(3), NAMES(4), NAMES(5), NAMES(6), NAMES(7),
};

_Static_assert(ARRAY_SIZE(entries) == FUNCTIONS * LEVELS, "each level has its functions");

/* The number of our function that is the action, with or without SA_SIGINFO; -1: it is not ours. */
static int number_of(const struct sigaction *sa)
{
	for (int i = 0; i < FUNCTIONS * LEVELS; i++)
		if (sa->sa_sigaction == entries[i])
			return i;
	return -1;
}

/* The kernel, too, does not look at SA_SIGINFO for these two. */
static bool is_handler(const struct sigaction *sa)
{
	return sa->sa_handler != SIG_DFL && sa->sa_handler != SIG_IGN;
}

static bool is_same_handler(const struct sigaction *a, const struct sigaction *b)
{
	return (a->sa_flags & SA_SIGINFO) == (b->sa_flags & SA_SIGINFO) &&
	       (a->sa_flags & SA_SIGINFO ? a->sa_sigaction == b->sa_sigaction
					 : a->sa_handler == b->sa_handler);
}

static bool is_same_action(const struct sigaction *a, const struct sigaction *b)
{
	for (int sig = 1; sig < NSIG; sig++)
		if (sigismember(&a->sa_mask, sig) != sigismember(&b->sa_mask, sig))
			return false;
	return is_same_handler(a, b) && ((a->sa_flags ^ b->sa_flags) & ~RESTORER) == 0;
}

/* What our function stands for: what would be the action without the library. */
static struct sigaction action_below(unsigned number)
{
	struct sigaction sa = levels[number / FUNCTIONS].below;

	if (number & SPENT)
		sa.sa_handler = SIG_DFL; /* the kernel leaves flags and mask */
	return sa;
}

static struct sigaction our_action(unsigned number)
{
	const struct sigaction below = action_below(number);
	struct sigaction sa = {.sa_flags = SA_SIGINFO};

	sigemptyset(&sa.sa_mask);
	sa.sa_sigaction = entries[number];
	/* an ignored signal interrupts no system call, so ours must not either */
	if (below.sa_handler == SIG_IGN)
		sa.sa_flags |= SA_RESTART;
	sa.sa_flags |= below.sa_flags & SA_RESTART;
	/* the program's handler runs on the stack that it asked for */
	sa.sa_flags |= is_handler(&below) ? below.sa_flags & SA_ONSTACK : SA_ONSTACK;
	return sa;
}

/* The handler may see it without the lock; a system call is between this and other stores. */
static void note_installed(bool value)
{
	atomic_store_explicit(&is_installed, value, memory_order_relaxed);
}

static bool was_installed(void)
{
	return atomic_load_explicit(&is_installed, memory_order_relaxed);
}

/* As one handler of the program calls another. */
static void call(const struct sigaction *program, int sig, siginfo_t *info, void *context)
{
	if (program->sa_flags & SA_SIGINFO)
		program->sa_sigaction(sig, info, context);
	else
		program->sa_handler(sig);
}

/* As the kernel calls it: with the mask that the program asked for. */
static void call_masked(const struct sigaction *program, int sig, siginfo_t *info,
			void *context)
{
	sigset_t mask = program->sa_mask;
	sigset_t now;

	if (!(program->sa_flags & SA_NODEFER))
		sigaddset(&mask, sig);
	pthread_sigmask(SIG_BLOCK, &mask, &now);
	if (!sigismember(&mask, sig)) {
		sigset_t own;

		sigemptyset(&own);
		sigaddset(&own, sig);
		pthread_sigmask(SIG_UNBLOCK, &own, NULL);
	}
	call(program, sig, info, context);
	pthread_sigmask(SIG_SETMASK, &now, NULL);
}

/* Whether a process sent it, or the kernel because of memory that nobody has accessed. */
static bool is_sent(const siginfo_t *info)
{
	return info->si_code <= 0 || info->si_code == BUS_MCEERR_AO;
}

/*
 * Whether the kernel has called our function, and not a handler of the program. *now: the action.
 * Another thread may have made the spent function the action meanwhile, or removed our handler.
 */
static bool is_called_by_kernel(unsigned number, const struct sigaction *now)
{
	const struct sigaction below = action_below(number);
	int installed = number_of(now);

	if (installed >= 0)
		return (unsigned)installed / FUNCTIONS == number / FUNCTIONS;
	return !was_installed() && is_same_handler(now, &below);
}

/*
 * Does what the kernel does before it calls a handler with SA_RESETHAND. False if another thread's
 * signal has come first; then this one meets SIG_DFL. *now: the action.
 */
static bool reset(unsigned number, const struct sigaction *now)
{
	struct sigaction spent = our_action(number | SPENT);
	struct sigaction old;

	if (!(levels[number / FUNCTIONS].below.sa_flags & (int)SA_RESETHAND))
		return true;
	if (number_of(now) < 0)
		spent = action_below(number | SPENT); /* ours has been removed since */
	if (sigaction(SIGBUS, &spent, &old) != 0)
		return true; /* a filter of system calls refuses it */
	if (is_same_handler(&old, &spent))
		return false;
	/* what another thread has installed meanwhile stays */
	if (!is_same_handler(&old, now))
		sigaction(SIGBUS, &old, NULL);
	return true;
}

/* The kernel sends no signal without a handler to the first process of a pid namespace. */
static bool is_init(void)
{
	return getpid() == 1;
}

/*
 * As a signal without a handler. An access is repeated after the return and ends the process: a
 * program cannot ignore its SIGBUS.
 */
static void end_or_ignore(bool is_ignored, int sig, const siginfo_t *info)
{
	if ((is_ignored || is_init()) && is_sent(info))
		return;
	signal(sig, SIG_DFL);
	if (is_sent(info))
		raise(sig);
}

/* *now: the action. */
static void pass_on(unsigned number, const struct sigaction *now, int sig,
		    siginfo_t *info, void *context)
{
	const struct sigaction program = action_below(number);

	if (!is_handler(&program))
		end_or_ignore(program.sa_handler == SIG_IGN, sig, info);
	else if (!is_called_by_kernel(number, now))
		call(&program, sig, info, context);
	else if (reset(number, now))
		call_masked(&program, sig, info, context);
	else
		end_or_ignore(false, sig, info);
}

/*
 * Whether the kernel has called our function without information. sysv_signal(3) sets
 * SA_RESETHAND, too, with which the kernel leaves SIG_DFL.
 */
static bool is_uninformed(unsigned number, const struct sigaction *now)
{
	bool is_reset = now->sa_handler == SIG_DFL && now->sa_flags & (int)SA_RESETHAND &&
			was_installed();

	return !(now->sa_flags & SA_SIGINFO) &&
	       (is_reset || number_of(now) == (int)number);
}

/*
 * False if info is not valid; then it is when the access is repeated. A handler of the program that
 * calls ours passes on the information that it has got itself. *now: the action.
 */
static bool has_info(unsigned number, const struct sigaction *now)
{
	struct sigaction ours = our_action(number ^ TWIN);
	int installed = number_of(now);
	struct sigaction old;

	if (installed >= 0 && ((unsigned)installed | SPENT) == ((number ^ TWIN) | SPENT))
		return false;
	if (!is_uninformed(number, now))
		return true;
	/* what another thread has installed meanwhile stays */
	if (sigaction(SIGBUS, &ours, &old) == 0 && !is_uninformed(number, &old))
		sigaction(SIGBUS, &old, NULL);
	return false;
}

static void handle(unsigned level, unsigned which, int sig, siginfo_t *info,
		   void *context)
{
	unsigned number = FUNCTIONS * level + which;
	int err = errno;
	struct sigaction now;

	if (sigaction(SIGBUS, NULL, &now) != 0)
		now = our_action(number); /* a filter of system calls refuses it */
	if (has_info(number, &now) && !serve(info))
		pass_on(number, &now, sig, info, context);
	errno = err;
}

/* The level to be installed on top of an action that is not ours, -1 if there is none. */
static int find_level(const struct sigaction *now)
{
	unsigned i = 0;

	while (i < nlevels && !is_same_action(now, &levels[i].below))
		i++;
	if (i == LEVELS)
		return -1;
	if (i == nlevels) {
		levels[i].below = *now;
		nlevels++;
	}
	return (int)i;
}

/* The number of our function to be installed on top of an action, -1 if there is none. */
static int find_number(const struct sigaction *now)
{
	int number = number_of(now);
	int level;

	if (number >= 0)
		return number;
	level = find_level(now);
	return level < 0 ? -1 : FUNCTIONS * level;
}

/* *now becomes the action that our function has replaced. Returns 0 or -errno. */
static int put_on_top(unsigned number, struct sigaction *now)
{
	struct sigaction ours = our_action(number);

	if (sigaction(SIGBUS, &ours, now) != 0)
		return -errno;
	top = number / FUNCTIONS;
	note_installed(true);
	return 0;
}

int sigbus_action_install(void)
{
	struct sigaction now;
	int number;
	int ret;

	if (was_installed())
		return 0;
	if (sigaction(SIGBUS, NULL, &now) != 0)
		return errormsg_fail_sys(errno, "cannot handle SIGBUS");
	do {
		number = find_number(&now);
		if (number < 0)
			return errormsg_fail(
			    ENOMEM,
			    "cannot handle SIGBUS: the program has had "
			    "more than %d different actions for it (sigbus.catch)",
			    LEVELS);
		ret = put_on_top((unsigned)number, &now);
		if (ret < 0)
			return errormsg_fail_sys(-ret, "cannot handle SIGBUS");
		/* again if another thread has installed a handler meanwhile */
	} while (number_of(&now) < 0 && !is_same_action(&now, &levels[top].below));
	return 0;
}

void sigbus_action_remove(void)
{
	struct sigaction below;
	struct sigaction now;
	int number;

	note_installed(false);
	if (sigaction(SIGBUS, NULL, &now) != 0)
		return;
	number = number_of(&now);
	if (number < 0)
		return;
	below = action_below((unsigned)number);
	/* what another thread has installed meanwhile stays */
	if (sigaction(SIGBUS, &below, &now) == 0 && number_of(&now) < 0)
		sigaction(SIGBUS, &now, NULL);
}

/*
 * The kernel copies actions before memory, and another thread may have installed or removed the
 * handler. So the two may not agree.
 */
void sigbus_action_mend(bool is_needed)
{
	struct sigaction now;
	int number;

	if (!is_needed)
		note_installed(false);
	if (!is_needed || sigaction(SIGBUS, NULL, &now) != 0)
		return;
	if (number_of(&now) >= 0) {
		note_installed(true);
	} else if (was_installed() && is_same_handler(&now, &levels[top].below)) {
		number = find_number(&now);
		/* if it fails, errors go to the program */
		note_installed(number >= 0 && put_on_top((unsigned)number, &now) == 0);
	}
}

void sigbus_action_setup(sigbus_serve *function)
{
	serve = function;
}
