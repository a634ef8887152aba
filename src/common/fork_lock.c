/* SPDX-License-Identifier: BSD-3-Clause */
#include "fork_lock.h"

/* Whether the calling thread is between the two handlers, and has the lock already. */
static bool is_forking(const struct fork_lock *l)
{
	return atomic_load_explicit(&l->forking, memory_order_acquire) &&
	       pthread_equal(atomic_load_explicit(&l->forker, memory_order_relaxed),
			     pthread_self());
}

void fork_lock_acquire(struct fork_lock *l)
{
	if (!is_forking(l))
		pthread_mutex_lock(&l->mutex);
}

void fork_lock_release(struct fork_lock *l)
{
	if (!is_forking(l))
		pthread_mutex_unlock(&l->mutex);
}

void fork_lock_before(struct fork_lock *l)
{
	pthread_mutex_lock(&l->mutex);
	atomic_store_explicit(&l->forker, pthread_self(), memory_order_relaxed);
	atomic_store_explicit(&l->forking, true, memory_order_release);
}

void fork_lock_after(struct fork_lock *l)
{
	atomic_store_explicit(&l->forking, false, memory_order_release);
	pthread_mutex_unlock(&l->mutex);
}
