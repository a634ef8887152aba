/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Several threads of a program as coroutines of one real thread, so that a test decides
 * who runs at each point and can run the same interleaving again.
 *
 * A coroutine runs until it calls sched_point() or sched_block(); both return at once when
 * called from outside of a coroutine.
 */
#ifndef SCHED_H
#define SCHED_H 1

#include <stdbool.h>

#define SCHED_MAX 3

enum sched_end {
	SCHED_DONE,    /* every coroutine has returned */
	SCHED_STOPPED, /* choose() said so; the coroutines are forgotten where they stand */
	SCHED_DEADLOCK /* some have not returned and all of those are blocked */
};

void sched_reset(void);
void sched_spawn(void (*fn)(void *arg), void *arg);

/*
 * Runs them. choose() gets the bits of those that can go on and the one that ran last
 * (-1 at first); it returns who is next, or -1 to stop.
 */
enum sched_end sched_run(int (*choose)(void *arg, unsigned ready, int last), void *arg);

/* The number of the coroutine that is running, -1 outside. */
int sched_current(void);

void sched_point(void);

/* Lets others run until ready(arg) is true. */
void sched_block(bool (*ready)(const void *arg), const void *arg);

/* Code called between these is no part of the program: it meets no points. */
void sched_pause(void);
void sched_resume(void);

#endif
