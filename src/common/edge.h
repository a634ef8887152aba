/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The edge of a library: what public functions do first and last that may take long or try what
 * may fail on the way to success.
 *
 * They are no cancellation points: a thread that was cancelled in the middle would leave locks
 * behind. They leave errno alone when they succeed.
 */
#ifndef EDGE_H
#define EDGE_H 1

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

struct edge {
	int err; /* errno as it was */
	bool shielded;
	int cancel_state; /* as it was, if shielded */
};

/* shield: whether a cancellation point may be reached. */
static inline struct edge edge_enter(bool shield)
{
	struct edge edge = {.err = errno, .shielded = shield};

	if (shield)
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &edge.cancel_state);
	return edge;
}

/* Turns 0, a number or -errno into the public form. */
static inline int edge_leave(struct edge edge, int ret)
{
	int ignored;

	if (edge.shielded)
		pthread_setcancelstate(edge.cancel_state, &ignored);
	errno = ret < 0 ? -ret : edge.err;
	return ret < 0 ? -1 : ret;
}

#endif
