/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Handlers of a program, one of which calls the next, and what another thread does between two
 * system calls.
 */
#ifndef SIGBUS_HANDLERS_H
#define SIGBUS_HANDLERS_H 1

#include "sigbus_fixture.h"

#include <dlfcn.h>
#include <stdlib.h>

#include "compiler.h"

/* Called once, before or after our query of the action, as if by another thread. */
static void (*just_before)(void);
static void (*just_after)(void);

static bool is_refused; /* as if by a filter of system calls */

static inline void call_once(void (**function)(void))
{
	void (*f)(void) = *function;

	*function = NULL;
	if (f)
		f();
}

static inline int real_sigaction(int sig, const struct sigaction *act,
				 struct sigaction *old)
{
	static int (*real)(int, const struct sigaction *, struct sigaction *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "sigaction");
	return real(sig, act, old);
}

SUPPORT_INTERPOSE int sigaction(int sig, const struct sigaction *act,
				struct sigaction *old)
{
	bool is_query = sig == SIGBUS && !act;
	int ret;

	if (is_refused) {
		errno = EPERM;
		return -1;
	}
	if (is_query)
		call_once(&just_before);
	ret = real_sigaction(sig, act, old);
	if (is_query)
		call_once(&just_after);
	return ret;
}

static inline struct sigaction action(void)
{
	struct sigaction now;

	real_sigaction(SIGBUS, NULL, &now);
	return now;
}

/* Also compares all that the kernel knows of it. */
static inline bool is_action(const struct sigaction *want)
{
	struct sigaction now = action();

	for (int sig = 1; sig < NSIG; sig++)
		if (sigismember(&now.sa_mask, sig) != sigismember(&want->sa_mask, sig))
			return false;
	return now.sa_handler == want->sa_handler && now.sa_flags == want->sa_flags;
}

/* What it has installed. */
static struct sigaction of_other_thread;

static inline void act_as_other_thread(void)
{
	real_sigaction(SIGBUS, &of_other_thread, NULL);
}

static volatile sig_atomic_t calls[4];	 /* of the handlers below */
static struct sigaction older[4];	 /* the action that each of them calls */
static void *volatile own_page;		 /* raises SIGBUS until `last` has mended it */
static volatile sig_atomic_t good_infos; /* calls of `last` that were told of own_page */
static volatile sig_atomic_t is_blocked; /* SIGBUS, in `last` */

static inline void last(int sig, siginfo_t *info, void *context)
{
	sigset_t now;

	(void)context;
	sigprocmask(SIG_BLOCK, NULL, &now);
	is_blocked = sigismember(&now, sig);
	calls[0]++;
	good_infos += info->si_code > 0 && info->si_addr == own_page;
	mmap(own_page, 4096, PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static inline void call_older(int i, int sig, siginfo_t *info, void *context)
{
	if (++calls[i] > 100)
		_exit(99); /* without end */
	if (older[i].sa_flags & SA_SIGINFO)
		older[i].sa_sigaction(sig, info, context);
	else
		_exit(98);
}

static inline void second(int sig, siginfo_t *info, void *context)
{
	call_older(1, sig, info, context);
}

static inline void third(int sig, siginfo_t *info, void *context)
{
	call_older(2, sig, info, context);
}

static inline void fourth(int sig, siginfo_t *info, void *context)
{
	call_older(3, sig, info, context);
}

static void (*const handlers[])(int, siginfo_t *, void *) = {last, second, third, fourth};

static inline void install(int i)
{
	struct sigaction sa = {.sa_flags = SA_SIGINFO};

	sa.sa_sigaction = handlers[i];
	real_sigaction(SIGBUS, &sa, &older[i]);
}

#define ONCE (SA_SIGINFO | SA_NODEFER | (int)SA_RESETHAND)

static inline void install_last(int flags, int masked)
{
	struct sigaction sa = {.sa_flags = flags};

	sa.sa_sigaction = last;
	if (masked)
		sigaddset(&sa.sa_mask, masked);
	real_sigaction(SIGBUS, &sa, NULL);
}

/* The kernel changes only the handler. */
static inline struct sigaction as_reset(struct sigaction sa)
{
	sa.sa_handler = SIG_DFL;
	return sa;
}

static inline void forget_calls(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		calls[i] = 0;
}

/* What the kernel does not fill in is nothing that it has filled in before. */
static __attribute__((noinline, unused)) void soil_stack(void)
{
	volatile unsigned char room[1 << 15];

	for (size_t i = 0; i < sizeof(room); i++)
		room[i] = 0xa5;
}

/* A failed access of the program's own. Returns how often the handlers were called. */
static inline int fault(void)
{
	int fd = memfd_create("lost", MFD_CLOEXEC);

	forget_calls();
	good_infos = 0;
	own_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	soil_stack();
	*(volatile char *)own_page = 1;
	munmap(own_page, 4096);
	return 1000 * calls[0] + 100 * calls[1] + 10 * calls[2] + calls[3];
}

static inline void plain(int sig)
{
	(void)sig;
	_exit(97);
}

static inline bool survives(void)
{
	put(7, 7);
	put(8, 8);
	lose_page(data_off(7));
	return get(7) == -1 && get(8) == 8;
}

#endif
