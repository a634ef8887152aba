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
 *   2. A level is always installed on top of the same handler. When it was installed there for the
 *      first time, nobody knew its functions. So what is below it does not lead back to it, unless
 *      the program installs its own handler on top of itself.
 *   3. On top of the same handler, the same level is installed again. So the number of levels limits
 *      only how many different actions there can be.
 *
 * signal(SIGBUS, signal(SIGBUS, f)) installs our handler again, but without SA_SIGINFO. Then the
 * kernel passes no information, and the handler cannot tell what happened. So it installs itself
 * with SA_SIGINFO, and returns: the access is repeated. A SIGBUS that a process has sent is lost
 * then. Another thread may have done the same since the kernel called the handler. So a level has
 * two functions, used in turn: the action is the other one then.
 *
 * The handler uses only sigaction(2), pthread_sigmask(3), signal(2), raise(3) and atomics.
 */
#include "storage/sigbus_action.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "errormsg.h"

#define LEVELS 8

typedef void entry(int sig, siginfo_t *info, void *context);

static struct {
	struct sigaction below; /* read by the handler; its handler never changes */
	/* the handler below has SA_RESETHAND, and was called */
	atomic_bool is_spent;
} levels[LEVELS];

static unsigned nlevels;	 /* that have been used */
static unsigned top;		 /* the level that was installed last */
static atomic_bool is_installed; /* read by the handler */
static sigbus_serve *serve;

static void handle(unsigned number, int sig, siginfo_t *info, void *context);

#define ENTRY(number)                                                                    \
	static void entry_##number(int sig, siginfo_t *info, void *context)              \
	{                                                                                \
		handle(number, sig, info, context);                                      \
	}

ENTRY(0)
ENTRY(1)
ENTRY(2)
ENTRY(3)
ENTRY(4)
ENTRY(5)
ENTRY(6)
ENTRY(7)
ENTRY(8)
ENTRY(9)
ENTRY(10)
ENTRY(11)
ENTRY(12)
ENTRY(13)
ENTRY(14)
ENTRY(15)

/* Those of level i are 2 * i and 2 * i + 1. */
static entry *const entries[2 * LEVELS] = {
    entry_0, entry_1, entry_2,	entry_3,  entry_4,  entry_5,  entry_6,	entry_7,
    entry_8, entry_9, entry_10, entry_11, entry_12, entry_13, entry_14, entry_15,
};

/* The number of our function that is the action, with or without SA_SIGINFO; -1: it is not ours. */
static int number_of(const struct sigaction *sa)
{
	for (int i = 0; i < 2 * LEVELS; i++)
		if (sa->sa_sigaction == entries[i])
			return i;
	return -1;
}

/* The kernel, too, does not look at SA_SIGINFO for these two. */
static bool is_handler(const struct sigaction *sa)
{
	return sa->sa_handler != SIG_DFL && sa->sa_handler != SIG_IGN;
}

static bool is_same_action(const struct sigaction *a, const struct sigaction *b)
{
	return (a->sa_flags & SA_SIGINFO) == (b->sa_flags & SA_SIGINFO) &&
	       (a->sa_flags & SA_SIGINFO ? a->sa_sigaction == b->sa_sigaction
					 : a->sa_handler == b->sa_handler);
}

static struct sigaction our_action(unsigned number)
{
	const struct sigaction *below = &levels[number / 2].below;
	struct sigaction sa = {.sa_flags = SA_SIGINFO};

	sigemptyset(&sa.sa_mask);
	sa.sa_sigaction = entries[number];
	/* an ignored signal interrupts no system call, so ours must not either */
	if (below->sa_handler == SIG_IGN)
		sa.sa_flags |= SA_RESTART;
	sa.sa_flags |= below->sa_flags & SA_RESTART;
	/* the program's handler runs on the stack that it asked for */
	sa.sa_flags |= is_handler(below) ? below->sa_flags & SA_ONSTACK : SA_ONSTACK;
	return sa;
}

/* As the kernel would have left it. */
static struct sigaction action_below(unsigned level)
{
	struct sigaction sa = levels[level].below;

	if (atomic_load_explicit(&levels[level].is_spent, memory_order_relaxed))
		sa.sa_handler = SIG_DFL;
	return sa;
}

/* Calls the program's handler with the mask and flags that it asked for. */
static void call_program(const struct sigaction *program, int sig, siginfo_t *info,
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
	if (program->sa_flags & SA_SIGINFO)
		program->sa_sigaction(sig, info, context);
	else
		program->sa_handler(sig);
	pthread_sigmask(SIG_SETMASK, &now, NULL);
}

/* Whether a process sent it, or the kernel because of memory that nobody has accessed. */
static bool is_sent(const siginfo_t *info)
{
	return info->si_code <= 0 || info->si_code == BUS_MCEERR_AO;
}

/* Whether the action below is a handler that is still to be called. */
static bool take_handler(unsigned level)
{
	const struct sigaction *below = &levels[level].below;

	return is_handler(below) &&
	       (!(below->sa_flags & (int)SA_RESETHAND) ||
		!atomic_exchange_explicit(&levels[level].is_spent, true,
					  memory_order_relaxed));
}

static void pass_on(unsigned level, int sig, siginfo_t *info, void *context)
{
	const struct sigaction program = levels[level].below;

	if (take_handler(level)) {
		call_program(&program, sig, info, context);
	} else if (program.sa_handler != SIG_IGN || !is_sent(info)) {
		/*
		 * The access is repeated after the return and ends the process: a program cannot
		 * ignore the SIGBUS of an access.
		 */
		signal(sig, SIG_DFL);
		if (is_sent(info))
			raise(sig);
	}
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
 * calls ours passes on the information that it has got itself.
 */
static bool has_info(unsigned number)
{
	unsigned other = number ^ 1;
	struct sigaction ours;
	struct sigaction now;

	if (sigaction(SIGBUS, NULL, &now) != 0)
		return true; /* a filter of system calls refuses it */
	if (number_of(&now) == (int)other)
		return false;
	if (!is_uninformed(number, &now))
		return true;
	ours = our_action(other);
	/* what another thread has installed meanwhile stays */
	if (sigaction(SIGBUS, &ours, &now) == 0 && !is_uninformed(number, &now))
		sigaction(SIGBUS, &now, NULL);
	return false;
}

static void handle(unsigned number, int sig, siginfo_t *info, void *context)
{
	int err = errno;

	if (has_info(number) && !serve(info))
		pass_on(number / 2, sig, info, context);
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
	levels[i].below = *now;
	atomic_store_explicit(&levels[i].is_spent, false, memory_order_relaxed);
	if (i == nlevels)
		nlevels++;
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
	return level < 0 ? -1 : 2 * level;
}

/* *now becomes the action that our function has replaced. Returns 0 or -errno. */
static int put_on_top(unsigned number, struct sigaction *now)
{
	struct sigaction ours = our_action(number);

	if (sigaction(SIGBUS, &ours, now) != 0)
		return -errno;
	top = number / 2;
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
	below = action_below((unsigned)number / 2);
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

	if (!is_needed)
		note_installed(false);
	if (!is_needed || sigaction(SIGBUS, NULL, &now) != 0)
		return;
	if (number_of(&now) >= 0)
		note_installed(true);
	else if (was_installed() && is_same_action(&now, &levels[top].below))
		/* if it fails, errors go to the program */
		note_installed(put_on_top(2 * (unsigned)find_level(&now), &now) == 0);
}

void sigbus_action_setup(sigbus_serve *function)
{
	serve = function;
}
