/* SPDX-License-Identifier: BSD-3-Clause */
/* From the path that the user gave to the list of part files. */
#ifndef POOLSET_LOAD_H
#define POOLSET_LOAD_H 1

#include "poolset/poolset.h"
#include "poolset/wait.h"

/*
 * Reads what path names: a set file, which is parsed, or anything else, which becomes a
 * set of one. Directories among the parts are replaced by the part files in them; one that
 * has none stays in the set as a part whose file is absent, if for_create is true, and is
 * -ENOENT otherwise.
 *
 * -ENOENT, -EACCES etc. as from open(2), -EAGAIN when it is locked, -EINVAL, -EOPNOTSUPP
 * for replicas. *out is to be given to poolset_free().
 *
 * wait (or NULL) is stored in the set. This function and those of files.h that lock files report
 * a locked file to it, see wait.h.
 */
int poolset_load(const char *path, bool for_create, struct poolset_wait *wait,
		 struct poolset **out) MUST_CHECK;

#endif
