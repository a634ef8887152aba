/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small mutex whose release is a plain store.
 *
 * A locked instruction waits for earlier stores to drain, nearly like a fence, and a block write
 * would need two of them at its end. So the release avoids one: it stores 0 and then reads whether
 * somebody waits, without a barrier in between. Therefore it can overlook a waiter. A waiter
 * that was overlooked wakes up by itself: it sleeps for a millisecond at first, and then each time
 * twice as long as before. So being overlooked at most doubles the time that a thread waits. With
 * sleeps of a millisecond only, hundreds of waiting threads would keep the CPUs busy.
 *
 * Nobody counts the waiters. A waiter that has been woken, or whose sleep is over, may have to wait for
 * a CPU. If it counted meanwhile, each release would make a system call for nobody: with 200 threads on
 * 2 CPUs these were 400,000 a second, and they took a tenth of the time. Instead the waiter asks for
 * LOCK_WAKES wakes before it sleeps. A wake that finds nobody asleep uses one up. So does one that
 * comes a moment before the waiter sleeps; therefore there is more than one.
 */
#ifndef LOCK_H
#define LOCK_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

struct lock {
	_Atomic(uint32_t) held; /* 0: free; release on unlock, acquire on lock */
	/* How many wakes are asked for. Relaxed: a hint for the thread that unlocks. */
	_Atomic(uint32_t) wakes;
};

#define LOCK_WAKES 2u

/* How long a thread sleeps that nobody wakes: at first, and at most. */
#define LOCK_NAP_MS 1u
#define LOCK_MAX_NAP_MS 64u

/*
 * Spins for a while, then sleeps for at most *nap_ms, which is LOCK_NAP_MS at first. If nobody has
 * woken the thread, *nap_ms becomes longer. Returns when it is worth trying again.
 */
void lock_wait_slow(struct lock *lock, uint32_t *nap_ms);
void lock_wake_slow(struct lock *lock);

static inline bool lock_try(struct lock *lock)
{
	uint32_t expected = 0;

	return atomic_compare_exchange_strong_explicit(
	    &lock->held, &expected, 1, memory_order_acquire, memory_order_relaxed);
}

static inline void lock_acquire(struct lock *lock)
{
	uint32_t nap_ms = LOCK_NAP_MS;

	while (unlikely(!lock_try(lock)))
		lock_wait_slow(lock, &nap_ms);
}

static inline void lock_release(struct lock *lock)
{
	atomic_store_explicit(&lock->held, 0, memory_order_release);
	if (unlikely(atomic_load_explicit(&lock->wakes, memory_order_relaxed)))
		lock_wake_slow(lock);
}

#endif
