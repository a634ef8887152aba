/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens and locks the files of an existing pool, given the path from the user. */
#ifndef POOLSET_ACQUIRE_H
#define POOLSET_ACQUIRE_H 1

#include "poolset/files.h"
#include "poolset/poolset.h"

/*
 * Calls poolset_load() and poolset_files_open(). Waits for locked files as long as the setting
 * lock.wait allows. -EINTR if a signal has ended the wait.
 */
int poolset_acquire(const char *path, enum poolset_access access,
		    struct poolset **out) MUST_CHECK;

#endif
