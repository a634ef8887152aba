/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Holding a map lock, for free while only one thread writes.
 *
 * A locked instruction in the middle of a write waits for the non-temporal stores of its data
 * and for the write-back that ended the write before: a third of the whole. Most pools have one
 * writing thread at a time. So a table is biased: its first writer owns all map locks together and
 * enters with two plain stores. When another thread wants a map lock, the bias goes over to it; after
 * a few such changes, or when the owner is inside at that moment, the bias ends for good, and
 * everybody takes the locks.
 *
 *	owner                               another thread, one at a time
 *	-----                               -----
 *	inside = number of the lock         owner = ENDING
 *	(compiler barrier)                  membarrier
 *	owner still me? then go ahead       inside 0? then owner = me, else owner = OFF
 *
 * membarrier(2) runs a full barrier on every CPU that runs a thread of this process: either the
 * store to `inside` is visible to the other thread after it, or the former owner sees that it is
 * the owner no longer. Nobody uses the locks themselves before the owner is OFF. An owner that
 * is stopped inside then holds up those only who want the very lock that it is under.
 */
#ifndef MAP_GUARD_H
#define MAP_GUARD_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "lock.h"

#define MAP_GUARD_NOBODY 0u
#define MAP_GUARD_ENDING (UINT32_MAX - 1)
#define MAP_GUARD_OFF UINT32_MAX

struct map_guard {
	/* lane_thread() or one of the above; release with acquire in the slow path, else relaxed */
	_Alignas(64) _Atomic(uint32_t) owner;
	uint32_t changes;   /* of the owner; under `change` */
	struct lock change; /* who looks for a new owner */
	_Alignas(
	    64) struct lock inside; /* the lock's number + 1; stored by the owner only */
};

/* biased: whether the guard may serve a single writer without locks at all. */
void map_guard_init(struct map_guard *guard, bool biased);

/* For all but the present owner. */
bool map_guard_enter_slow(struct map_guard *guard, uint32_t thread, uint32_t number,
			  struct lock *lock);

static inline bool map_guard_is_owner(struct map_guard *guard, uint32_t thread)
{
	return atomic_load_explicit(&guard->owner, memory_order_relaxed) == thread;
}

static inline bool map_guard_enter_biased(struct map_guard *guard, uint32_t thread,
					  uint32_t number)
{
	/* relaxed, and ordered by the barrier that the other thread makes this CPU run */
	atomic_store_explicit(&guard->inside.held, number + 1, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	if (likely(map_guard_is_owner(guard, thread)))
		return true;
	lock_release(&guard->inside);
	return false;
}

/*
 * Returns when the calling thread holds lock `number` of the table, which stands at *lock. The
 * result goes to map_guard_leave().
 */
static inline bool map_guard_enter(struct map_guard *guard, uint32_t thread,
				   uint32_t number, struct lock *lock)
{
	if (likely(map_guard_is_owner(guard, thread)) &&
	    likely(map_guard_enter_biased(guard, thread, number)))
		return true;
	return map_guard_enter_slow(guard, thread, number, lock);
}

static inline void map_guard_leave(struct map_guard *guard, bool biased,
				   struct lock *lock)
{
	lock_release(biased ? &guard->inside : lock);
}

#endif
