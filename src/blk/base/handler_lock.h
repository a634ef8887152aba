/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lock that fork handlers take in the process that forks, too.
 *
 * A signal handler may fork, and may have interrupted a thread that holds the lock. Then the fork
 * handlers would wait for their own thread. So signals are blocked while a thread holds the lock.
 */
#ifndef HANDLER_LOCK_H
#define HANDLER_LOCK_H 1

#include <signal.h>

#include "base/signals.h"
#include "fork_lock.h"

struct handler_lock {
	struct fork_lock lock;
	sigset_t before; /* under the lock: the holder's signal mask without it */
};

static inline void handler_lock_acquire(struct handler_lock *l)
{
	sigset_t before;

	signals_block(&before);
	fork_lock_acquire(&l->lock);
	l->before = before;
}

static inline void handler_lock_release(struct handler_lock *l)
{
	sigset_t before = l->before;

	fork_lock_release(&l->lock);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

#endif
