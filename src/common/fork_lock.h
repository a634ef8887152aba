/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lock that fork(2) holds, so that what it guards is whole in the child.
 *
 * Handlers of the program that were registered before those of the library run while the lock
 * is held (pthread_atfork(3) gives the order), and may call the library. So the thread that
 * forks may take the lock again meanwhile, and may do so in the child, too, where it has the
 * same pthread_self() but another number for the kernel: a recursive mutex would not know it.
 */
#ifndef FORK_LOCK_H
#define FORK_LOCK_H 1

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct fork_lock {
	pthread_mutex_t mutex;
	atomic_bool forking;	   /* release after forker, acquire before it */
	_Atomic(pthread_t) forker; /* relaxed; means something while forking is true */
};

#define FORK_LOCK_INIT                                                                   \
	{                                                                                \
		.mutex = PTHREAD_MUTEX_INITIALIZER                                       \
	}

void fork_lock_acquire(struct fork_lock *l);
void fork_lock_release(struct fork_lock *l);

/* For the handlers: before the fork, and after it in both processes. */
void fork_lock_before(struct fork_lock *l);
void fork_lock_after(struct fork_lock *l);

#endif
