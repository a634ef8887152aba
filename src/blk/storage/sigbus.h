/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Survives media errors. A load or store that the medium cannot serve (a lost page of persistent
 * memory, a hole of a file on a full disk, a truncated file) raises SIGBUS. If the mapping is
 * watched and the thread is between sigbus_enter() and sigbus_leave(), the handler replaces the
 * lost page by a page of 0xff bytes, and the access goes on. sigbus_leave() reports it, and from
 * then on every access to the page raises SIGBUS again.
 *
 * Other threads may access the replacement in between. They notice by sigbus_epoch(): if the
 * epoch changed while they read, the data are not valid.
 *
 * Every other SIGBUS goes to the handler that was installed before. The handler is installed with
 * the first watched mapping. It is removed with the last one, unless somebody has installed
 * another handler meanwhile. With the next first one it is installed on top again.
 */
#ifndef SIGBUS_H
#define SIGBUS_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

/*
 * The most lost pages that are replaced at a time; with more, the whole mapping counts as lost.
 */
#define SIGBUS_PAGES 64u

struct sigbus_watch {
	unsigned slot;	 /* in the handler's table, from 1; 0: not watched */
	uint64_t serial; /* no other watch of this process has it */
	size_t unit;	 /* the size of a page, see sigbus_watch() */
	/* threads that have replaced a page and are not out of sigbus_leave() yet */
	_Atomic(unsigned) open;
	_Atomic(uint64_t) epoch; /* raised before each replacement */
	_Atomic(bool) all_lost;	 /* a page could not be made to fail again */
	/* The pages, 0 for none. Set before a page is replaced, cleared when that has ended. */
	_Atomic(uintptr_t) replaced[SIGBUS_PAGES];
};

/* Called once, by the library's constructor. */
void sigbus_setup(void);

/*
 * Watches size bytes at base, a multiple of unit. The mapping consists of pages of this size, a
 * power of two: of huge pages on hugetlbfs and device DAX. The last one may extend beyond size.
 * -ENOMEM, message set: too many mappings are watched.
 */
int sigbus_watch(struct sigbus_watch *w, void *base, uint64_t size,
		 size_t unit) MUST_CHECK;
void sigbus_unwatch(struct sigbus_watch *w); /* a zeroed struct is allowed */

/*
 * Called around the accesses of a thread; not nested. sigbus_leave() returns true if a page was
 * lost meanwhile. The first sigbus_enter() of a thread allocates some memory; a thread that gets
 * none is not protected.
 */
void sigbus_enter(struct sigbus_watch *w);
bool sigbus_leave(struct sigbus_watch *w);

/*
 * Called between the two: whether this thread or another one has met a lost page since
 * sigbus_enter(). Then stores may have gone to a replacement. Ordered after the stores. False for
 * a mapping that the thread has not entered.
 */
bool sigbus_is_hit(struct sigbus_watch *w);

/* Waits until no page is replaced, and returns the number of replacements so far. */
uint64_t sigbus_epoch(struct sigbus_watch *w);

/* Whether a page has been replaced since sigbus_epoch() returned `before`. */
bool sigbus_changed(struct sigbus_watch *w, uint64_t before);

/*
 * Called first in a forked process. Other threads of its parent may have had replacements at the
 * moment of the fork: the child has copies of them, and no thread that would remove them.
 */
void sigbus_forked(struct sigbus_watch *w);

#endif
