/* SPDX-License-Identifier: BSD-3-Clause */
/* From the path that the user gave to the open files of an existing pool. */
#ifndef POOLSET_ACQUIRE_H
#define POOLSET_ACQUIRE_H 1

#include "poolset/files.h"
#include "poolset/poolset.h"

/*
 * poolset_load() and poolset_files_open(); waits for files that are locked as long as the
 * setting lock.wait allows. -EINTR when a signal has ended the wait.
 */
int poolset_acquire(const char *path, enum poolset_access access,
		    struct poolset **out) MUST_CHECK;

#endif
