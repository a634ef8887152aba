/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Surviving media errors. A load or store that the medium cannot serve (a lost page of
 * persistent memory, a sparse file on a full disk, a file that was cut off) raises SIGBUS.
 * For mappings that are watched, and only while a thread is between sigbus_enter() and
 * sigbus_leave(), the handler lets the access go on with a page of 0xff bytes in the place
 * of the lost one; sigbus_leave() tells about it, and from then on every access to the page
 * raises SIGBUS again.
 *
 * Other threads may meet the replacement in between. They notice by sigbus_epoch(): what
 * was done while it changed must not be believed.
 *
 * All other SIGBUS go to the handler that was there before. The handler is installed with
 * the first watched mapping and taken back with the last one, unless somebody has installed
 * another meanwhile.
 */
#ifndef SIGBUS_H
#define SIGBUS_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

/* Lost pages that can be replaced at a time before the whole mapping is given up. */
#define SIGBUS_PAGES 64u

struct sigbus_watch {
	unsigned slot;		 /* in the handler's table, from 1; 0: not watched */
	_Atomic(unsigned) open;	 /* threads that have replaced a page and not yet left */
	_Atomic(uint64_t) epoch; /* raised before each replacement */
	_Atomic(bool) all_lost;	 /* a page could not be made to fail again */
	/* The pages, 0 where there is none; set before a replacement, cleared after its end. */
	_Atomic(uintptr_t) replaced[SIGBUS_PAGES];
};

/* Registers the fork handlers. Called once, by the library's constructor. */
void sigbus_setup(void);

/* Watches size bytes at base, whole pages. -ENOMEM, message set: too many are. */
int sigbus_watch(struct sigbus_watch *w, void *base, uint64_t size) MUST_CHECK;
void sigbus_unwatch(struct sigbus_watch *w); /* a zeroed struct is allowed */

/*
 * Around accesses by the calling thread; not nested. True: a page was lost meanwhile. The first
 * one of a thread takes some memory; a thread that gets none at all goes unprotected.
 */
void sigbus_enter(struct sigbus_watch *w);
bool sigbus_leave(struct sigbus_watch *w);

/*
 * Between the two: whether this thread or another one has met a lost page since
 * sigbus_enter(), so that what was stored may have gone to a replacement. Ordered after the
 * stores. False for a mapping that the thread has not entered.
 */
bool sigbus_is_hit(struct sigbus_watch *w);

/* Waits until no replacement is in place, and returns their number so far. */
uint64_t sigbus_epoch(struct sigbus_watch *w);

/* Whether one has been put in place since sigbus_epoch() returned `before`. */
bool sigbus_changed(struct sigbus_watch *w, uint64_t before);

/*
 * In a process that was forked, perhaps while other threads of its parent had replacements in
 * place, before anything else: it has copies of them, and nobody who takes them away.
 */
void sigbus_forked(struct sigbus_watch *w);

#endif
