/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lanes: each modifying operation owns one while it runs, and with it one flog slot (and its
 * free block) in every arena. A thread prefers the lane it had before, and takes whichever is
 * free when that one is busy, so that a stalled writer holds up nobody else.
 */
#ifndef LANES_H
#define LANES_H 1

#include "compiler.h"
#include "lock.h"

struct lane {
	_Alignas(64) struct lock lock;
};

struct lanes {
	struct lane *lane;
	unsigned n;
};

int lanes_init(struct lanes *lanes, unsigned n) MUST_CHECK; /* -ENOMEM, message set */
void lanes_fini(struct lanes *lanes);

/* A number that tells the threads of the process apart, never 0. */
unsigned lane_thread(void);

/* The lane that this thread would like to have, modulo their number. */
unsigned lane_hint(void);

/* Returns the number of the lane that the caller owns now; hint is its lane_hint(). */
static inline unsigned lanes_acquire(struct lanes *lanes, unsigned hint)
{
	unsigned preferred = hint % lanes->n;
	unsigned i = preferred;

	for (;;) {
		if (likely(lock_try(&lanes->lane[i].lock)))
			return i;
		i = i + 1 < lanes->n ? i + 1 : 0;
		if (i == preferred)
			lock_wait_slow(&lanes->lane[i].lock);
	}
}

static inline void lanes_release(struct lanes *lanes, unsigned lane)
{
	lock_release(&lanes->lane[lane].lock);
}

#endif
