/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small mutex whose release is a plain store.
 *
 * A locked instruction waits for earlier stores to drain, nearly as a fence does, and a block
 * write would pay for two of them on its way out. So release does not learn for certain
 * whether somebody waits: it stores 0 and looks at the count of waiters without a barrier in
 * between. A waiter that is overlooked in that window wakes up by itself: it never sleeps for
 * longer than a millisecond.
 */
#ifndef LOCK_H
#define LOCK_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

struct lock {
	_Atomic(uint32_t) held;	   /* 0: free; release on unlock, acquire on lock */
	_Atomic(uint32_t) waiters; /* relaxed: only a hint for the one who unlocks */
};

/* Returns when it is worth trying again: spins for a while, then sleeps. */
void lock_wait_slow(struct lock *lock);
void lock_wake_slow(struct lock *lock);

static inline bool lock_try(struct lock *lock)
{
	uint32_t expected = 0;

	return atomic_compare_exchange_strong_explicit(
	    &lock->held, &expected, 1, memory_order_acquire, memory_order_relaxed);
}

static inline void lock_acquire(struct lock *lock)
{
	while (unlikely(!lock_try(lock)))
		lock_wait_slow(lock);
}

static inline void lock_release(struct lock *lock)
{
	atomic_store_explicit(&lock->held, 0, memory_order_release);
	if (unlikely(atomic_load_explicit(&lock->waiters, memory_order_relaxed)))
		lock_wake_slow(lock);
}

#endif
