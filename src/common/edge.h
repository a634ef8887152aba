/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The edge of a library: the first and the last step of each public function that may
 * take long, or in which a call may fail although the function succeeds.
 *
 * Public functions are not cancellation points: a thread that is cancelled in the middle
 * would leave locks behind. They do not change errno when they succeed.
 */
#ifndef EDGE_H
#define EDGE_H 1

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

struct edge {
	int err; /* errno at the start */
	bool shielded;
	int cancel_state; /* at the start, if shielded */
};

/* shield: whether the function may reach a cancellation point. */
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
