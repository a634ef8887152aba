/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Biased map locks: they cost nearly nothing while only one thread writes.
 *
 * A locked instruction in the middle of a write waits for the non-temporal stores of the data and
 * for the write-back at the end of the previous write. That takes a third of a write's time. Most
 * pools have one writing thread at a time. So a table is biased: its first writer owns all map
 * locks together and enters with two plain stores. When another thread wants a map lock, it
 * becomes the owner. After MAP_GUARD_TERMS changes, or if the owner is inside at that moment, the
 * bias ends for ever, and all threads take the locks.
 *
 *	owner                               another thread, one at a time
 *	-----                               -----
 *	its cell = number of the lock       state = ENDING
 *	(compiler barrier)                  membarrier
 *	if the state is as it was:          if the owner's cell is 0: become the next owner
 *	    it holds the lock               otherwise: state = OFF
 *
 * membarrier(2) runs a full barrier on every CPU that runs a thread of this process. After it,
 * either the other thread sees the store to the cell, or the previous owner sees that the state
 * has changed. Each term of ownership has a cell of its own, because a previous owner may still
 * be about to store to its cell and must not overwrite the mark of its successor. No thread takes
 * the locks themselves before the state is OFF. So an owner that is stopped inside delays only
 * threads that want the same lock.
 *
 * A batch holds many locks. If its thread is the owner, it stores MAP_GUARD_ALL to its cell and
 * holds all locks. After the bias has ended it takes the locks that it needs, in ascending order of
 * their numbers. A thread that holds a map lock waits only for a lock with a higher number, or for
 * an owner that is inside; the owner waits for no thread. So there is no deadlock.
 */
#ifndef MAP_GUARD_H
#define MAP_GUARD_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "btt/give_way.h"
#include "btt/lock.h"

#define MAP_GUARD_TERMS 8u

/* The state: a term, to which these may be added. */
#define MAP_GUARD_ENDING 0x100u
#define MAP_GUARD_OFF 0x200u

/* No lock has this number; in a cell it stands for all of them. */
#define MAP_GUARD_ALL (UINT32_MAX - 1)

struct map_guard_cell {
	/*
	 * The lock that the owner of the term holds: its number + 1. Only that owner stores it.
	 */
	_Alignas(64) struct lock inside;
	/*
	 * A lane_thread(), set before the term begins and never again; 0: no thread has written
	 * yet. Relaxed: only the owner finds its own value here, which it has stored itself.
	 */
	_Atomic(uint64_t) owner;
};

struct map_guard {
	/* Release and acquire in the slow path, otherwise relaxed. */
	_Alignas(64) _Atomic(uint32_t) state;
	struct lock change; /* held by the thread that ends a term */
	struct map_guard_cell cell[MAP_GUARD_TERMS];
	struct give_way give_way; /* readers give way to threads that wait for a lock */
};

static inline struct map_guard_cell *map_guard_cell(struct map_guard *guard,
						    uint32_t state)
{
	return &guard->cell[state % MAP_GUARD_TERMS];
}

static inline bool map_guard_is_owner(struct map_guard *guard, uint32_t state,
				      uint64_t thread)
{
	return state < MAP_GUARD_TERMS &&
	       atomic_load_explicit(&map_guard_cell(guard, state)->owner,
				    memory_order_relaxed) == thread;
}

/*
 * biased: whether a single writer may enter without locks. gate: of the readers that give way to
 * waiting threads, or NULL.
 */
void map_guard_init(struct map_guard *guard, bool biased, _Atomic(uint64_t) *gate);

/* For all threads except the present owner. */
struct lock *map_guard_enter_slow(struct map_guard *guard, uint64_t thread,
				  uint32_t number, struct lock *lock);

/* state was read a moment ago; the calling thread was the owner. */
static inline bool map_guard_enter_biased(struct map_guard *guard, uint32_t state,
					  uint32_t number, struct lock **held)
{
	struct lock *inside = &map_guard_cell(guard, state)->inside;

	/* relaxed, and ordered by the barrier that the other thread makes this CPU run */
	atomic_store_explicit(&inside->held, number + 1, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	if (likely(atomic_load_explicit(&guard->state, memory_order_relaxed) == state)) {
		*held = inside;
		return true;
	}
	lock_release(inside);
	return false;
}

/*
 * Returns when the calling thread holds lock `number` of the table, which is *lock. The caller
 * gives the result to lock_release().
 */
static inline struct lock *map_guard_enter(struct map_guard *guard, uint64_t thread,
					   uint32_t number, struct lock *lock)
{
	uint32_t state = atomic_load_explicit(&guard->state, memory_order_relaxed);
	struct lock *held;

	if (likely(map_guard_is_owner(guard, state, thread)) &&
	    likely(map_guard_enter_biased(guard, state, number, &held)))
		return held;
	return map_guard_enter_slow(guard, thread, number, lock);
}

/*
 * For a thread that needs several locks. If the result is not NULL, the thread is the owner and
 * holds all locks until it gives the result to lock_release(). If the result is NULL, the bias has
 * ended. Then the thread takes the locks that it needs with map_guard_take(), in ascending order,
 * and gives each to lock_release().
 */
struct lock *map_guard_enter_all(struct map_guard *guard, uint64_t thread);
void map_guard_take(struct map_guard *guard, uint32_t number, struct lock *lock);

#endif
