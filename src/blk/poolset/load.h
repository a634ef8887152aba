/* SPDX-License-Identifier: BSD-3-Clause */
/* Makes the list of part files from the path that the user gave. */
#ifndef POOLSET_LOAD_H
#define POOLSET_LOAD_H 1

#include "poolset/poolset.h"
#include "poolset/wait.h"

/* Whether a file in a directory of a set is a part by its name, which ends with .pmem. */
bool poolset_is_part_name(const char *name);

/*
 * Makes a set from path. A set file is parsed; any other file becomes a set of one part.
 *
 * A set may list directories. The part files in them become its parts. If there are no part
 * files, the set gets one part whose file is absent if for_create is true; otherwise the call
 * fails with -ENOENT.
 *
 * Fails with -ENOENT, -EACCES etc. as from open(2), -EAGAIN if path is locked, -EINVAL, or
 * -EOPNOTSUPP for replicas. The caller frees *out with poolset_free().
 *
 * wait (or NULL) is stored in the set. This function and those of files.h that lock files report
 * a locked file to it, see wait.h.
 */
int poolset_load(const char *path, bool for_create, struct poolset_wait *wait,
		 struct poolset **out) MUST_CHECK;

/*
 * The same, without looking at locks: for a pool that this process has open, whose files are locked
 * for that reason.
 */
int poolset_load_again(const char *path, struct poolset **out) MUST_CHECK;

#endif
