/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Work on a mapped file that survives SIGBUS: a page of a sparse file that the full disk has no
 * room for, a page that the medium has lost, a file that another process has cut off.
 */
#ifndef GUARD_H
#define GUARD_H 1

#include "compiler.h"
#include "poolset/map.h"

/*
 * Calls work(arg) and returns what it returns. -EIO when an access raised SIGBUS: work was left
 * in the middle, and what it had allocated is lost. The message names path and, if the access was
 * to a page of the mapping, as it is then, which one; map NULL: nothing is known about that.
 *
 * May be nested: the innermost call is the one that ends. For one thread only.
 */
int guard_run(const char *path, const struct poolset_mapping *map, int (*work)(void *),
	      void *arg) MUST_CHECK;

#endif
