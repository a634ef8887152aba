/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs work on a mapped file and survives SIGBUS: from a hole of a file on a full disk, a page
 * that the medium has lost, or a file that another process has truncated.
 */
#ifndef GUARD_H
#define GUARD_H 1

#include <stdbool.h>

#include "compiler.h"
#include "poolset/map.h"

/*
 * Calls work(arg) and returns its result. Returns -EIO if an access raised SIGBUS: then work was
 * left in the middle by a jump, and memory that it had allocated is lost. The message names path
 * and, if the access was to a page of *map, describes this page; *map is read at that time. map
 * may be NULL.
 *
 * Calls may be nested; a SIGBUS ends the innermost one. For one thread only.
 */
int guard_run(const char *path, const struct poolset_mapping *map, int (*work)(void *),
	      void *arg) MUST_CHECK;

/*
 * Called by the handler of SIGBUS in the thread that made the access. Returns true if it has put
 * something in place of the page, so that the access can be repeated.
 */
typedef bool guard_mend(void *arg, const void *addr);

/* The same, but first mend(mend_arg, addr) is tried for an address that is not mapped. */
int guard_run_mending(const char *path, const struct poolset_mapping *map,
		      guard_mend *mend, void *mend_arg, int (*work)(void *),
		      void *arg) MUST_CHECK;

#endif
