/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs the threads of a program as coroutines of one real thread. So a test decides which thread
 * runs at each point, and can repeat an interleaving.
 *
 * A coroutine runs until it calls sched_point() or sched_block(). Outside of a coroutine both
 * return at once.
 */
#ifndef SCHED_H
#define SCHED_H 1

#include <stdbool.h>

#define SCHED_MAX 3

enum sched_end {
	SCHED_DONE,    /* every coroutine has returned */
	SCHED_STOPPED, /* choose() stopped the run; the coroutines are abandoned */
	SCHED_DEADLOCK /* all coroutines that have not returned are blocked */
};

void sched_reset(void);
void sched_spawn(void (*fn)(void *arg), void *arg);

/*
 * Runs the coroutines. choose() gets the bits of those that can run and the number of the one
 * that ran last (-1 at first). It returns the next one, or -1 to stop.
 */
enum sched_end sched_run(int (*choose)(void *arg, unsigned ready, int last), void *arg);

/* The number of the coroutine that is running, -1 outside. */
int sched_current(void);

void sched_point(void);

/* Lets others run until ready(arg) is true. */
void sched_block(bool (*ready)(const void *arg), const void *arg);

/* Code between these two calls is not part of the program: it has no points. */
void sched_pause(void);
void sched_resume(void);

#endif
