/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lanes. Each write owns a lane while it runs, and with the lane one flog slot (and its free
 * block) in every arena.
 *
 * A locked instruction waits until earlier write-backs of cache lines have completed, so a lock
 * at the start of each write would cost as much as a third fence. So most lanes are private. A
 * thread has one of LANES_PRIVATE numbers, which no other live thread has, and uses the two lanes
 * of that number without a lock.
 *
 * A thread uses its two lanes in turn. So a block that a write through one lane has freed is
 * overwritten only after a write through the other lane, whose fences are in between. Without a
 * fence, the non-temporal stores into the block could overtake the store of the version, by which
 * a reader that still copies the block notices the change (R11 in btt/btt.c).
 *
 * Threads without a number share the other lanes. They take any free lane, so that a stalled
 * writer delays no other thread.
 *
 * A batch of blocks needs many lanes at once. In addition to a lane of its thread it borrows
 * numbers that no thread has, and with them their lanes. It never waits for a number: it takes only
 * those that are free now. Some numbers are not lent, so that threads that begin to write meanwhile
 * get a number.
 */
#ifndef LANES_H
#define LANES_H 1

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "btt/lock.h"

/* How many numbers there are. A thread without one has lane_hint() >= LANES_PRIVATE. */
#define LANES_PRIVATE 120u

/* One in LANES_KEPT_SHARE numbers is never lent: the lowest ones, which threads take first. */
#define LANES_KEPT_SHARE 5u

/*
 * The value that identifies a thread: in the upper bits its serial number, from 1; in the lower
 * bits its number, or LANES_PRIVATE. There are 2^57 serial numbers: enough for a million threads
 * per second for 4,000 years.
 */
#define LANE_NUMBER_BITS 7
#define LANE_NUMBER_MASK ((UINT64_C(1) << LANE_NUMBER_BITS) - 1)
#define LANE_THREAD(serial, number) ((uint64_t)(serial) << LANE_NUMBER_BITS | (number))

/*
 * A turn of a number is one write, or one chunk of a batch: from lanes_acquire() to
 * lanes_release(). In each turn the thread passes a fence. This value identifies a turn: the
 * upper bits count the turns that the number has begun, and the lower bits are the number.
 *
 * LANE_NO_TURN stands for each write through a shared lane. Such a write is never known to be over.
 * The lower bits of LANE_NO_TURN are the number of no thread, so no turn of a number compares as
 * later than it.
 */
#define LANE_TURN(turns, number) LANE_THREAD(turns, number)
#define LANE_NO_TURN LANE_TURN(0, LANES_PRIVATE)

/* The size of a thread's memory: it remembers one turn for each of so many other numbers. */
#define LANES_KNOWN 8u

struct lane_ring {
	/*
	 * The number of turns that have begun. The lowest bit selects the lane. Only the thread
	 * with this number stores it. Release: a thread that reads a turn sees the effects of the
	 * turns before.
	 */
	_Alignas(64) _Atomic(uint64_t) turns;
	/* The latest turns read of other numbers; only the thread with this number accesses it. */
	_Alignas(64) uint64_t known[LANES_KNOWN];
};

struct lane_shared {
	_Alignas(64) struct lock lock;
};

struct lanes {
	/* numbers with private lanes: number i has the lanes 2i and 2i + 1 */
	unsigned nprivate;
	unsigned nshared; /* lanes from 2 * nprivate on */
	struct lane_ring *ring;
	struct lane_shared *shared;
};

/* Splits n lanes (at least 1) into private and shared ones. -ENOMEM, message set. */
int lanes_init(struct lanes *lanes, unsigned n) MUST_CHECK;
void lanes_fini(struct lanes *lanes);

/* The last serial number that was given out; tests set it. Relaxed: it orders nothing else. */
extern _Atomic(uint64_t) lane_last_serial;

/*
 * The value of the calling thread: at least LANE_THREAD(1, 0), and never that of another thread.
 */
uint64_t lane_thread(void);

/* The calling thread ends: its flushes are complete, and its number is free. */
void lane_end_thread(uint64_t thread);

/*
 * The thread's number if less than LANES_PRIVATE, otherwise where to start looking for a shared
 * lane.
 */
unsigned lane_hint(uint64_t thread);

#define LANES_WORDS ((LANES_PRIVATE + 63) / 64)

/*
 * How long a thread sleeps at most before it looks for a shared lane again. While it waits for one lane,
 * another may become free. But if the threads are many more than the CPUs, most lanes belong to threads
 * that wait for a CPU. With sleeps of a millisecond, 200 threads on 2 CPUs made 0.6 of the writes of 2
 * threads; with these, 0.7.
 */
#define LANES_MAX_NAP_MS 16u

/* The numbers that a batch has borrowed, a bit for each. */
struct lanes_loan {
	uint64_t number[LANES_WORDS];
};

/*
 * Borrows numbers without waiting, for at most `want` lanes of this table, rounded up to an even
 * number. Stores the lanes, and returns how many there are: 0 if no number is free. They belong to
 * the calling thread until lanes_return(), which is to be called once for each loan.
 */
unsigned lanes_borrow(const struct lanes *lanes, unsigned want, struct lanes_loan *loan,
		      uint8_t *lane);
void lanes_return(const struct lanes_loan *loan);

static inline unsigned lanes_acquire_shared(struct lanes *lanes, unsigned hint)
{
	unsigned preferred = hint % lanes->nshared;
	unsigned i = preferred;
	uint32_t nap_ms = LOCK_NAP_MS;

	for (;;) {
		if (likely(lock_try(&lanes->shared[i].lock)))
			return 2 * lanes->nprivate + i;
		i = i + 1 < lanes->nshared ? i + 1 : 0;
		if (i == preferred) {
			lock_wait_slow(&lanes->shared[i].lock, &nap_ms);
			if (nap_ms > LANES_MAX_NAP_MS)
				nap_ms = LANES_MAX_NAP_MS;
		}
	}
}

/* Returns the lane that the calling thread owns until lanes_release(). */
static inline unsigned lanes_acquire(struct lanes *lanes, unsigned hint)
{
	if (likely(hint < lanes->nprivate)) {
		struct lane_ring *ring = &lanes->ring[hint];
		uint64_t turns =
		    atomic_load_explicit(&ring->turns, memory_order_relaxed) + 1;

		atomic_store_explicit(&ring->turns, turns, memory_order_release);
		return 2 * hint + (unsigned)(turns & 1);
	}
	return lanes_acquire_shared(lanes, hint);
}

/* The present turn of the calling thread, which has acquired a lane. */
static inline uint64_t lanes_turn(const struct lanes *lanes, unsigned hint)
{
	if (unlikely(hint >= lanes->nprivate))
		return LANE_NO_TURN;
	return LANE_TURN(
	    atomic_load_explicit(&lanes->ring[hint].turns, memory_order_relaxed), hint);
}

/*
 * Returns true if the turn that came after `turn` is over. now: the turn of the same number, read
 * later.
 */
static inline bool lane_turn_is_past(uint64_t turn, uint64_t now)
{
	return now >= turn + LANE_TURN(2, 0);
}

/* The latest turn of a number. */
uint64_t lanes_look(const struct lanes *lanes, unsigned number);

/*
 * Where the thread with this hint remembers turns of the same number. NULL: the thread has no
 * number.
 */
static inline uint64_t *lanes_known(struct lanes *lanes, unsigned hint, uint64_t turn)
{
	if (unlikely(hint >= lanes->nprivate))
		return NULL;
	return &lanes->ring[hint].known[(turn & LANE_NUMBER_MASK) % LANES_KNOWN];
}

/* Whether the thread with this hint remembers that the turn after `turn` is over. */
static inline bool lanes_knows_past(struct lanes *lanes, unsigned hint, uint64_t turn)
{
	const uint64_t *known = lanes_known(lanes, hint, turn);

	return likely(known != NULL) && ((*known ^ turn) & LANE_NUMBER_MASK) == 0 &&
	       lane_turn_is_past(turn, *known);
}

static inline void lanes_release(struct lanes *lanes, unsigned lane)
{
	if (unlikely(lane >= 2 * lanes->nprivate))
		lock_release(&lanes->shared[lane - 2 * lanes->nprivate].lock);
}

#endif
