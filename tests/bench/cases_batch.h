/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many random blocks in one call. The original has no such call. So all parties run on our
 * libraries: the first one makes the calls, in the place of the original others write and read the
 * same number of blocks one by one, and the limit is a bare loop with the same ordered steps.
 */
#ifndef CASES_BATCH_H
#define CASES_BATCH_H 1

#include <stdbool.h>

#include "turns.h"

/*
 * Stores the case of this name; returns false if it is none of these. The names are
 *
 *	OP/BSIZE/THREADS/BLOCKS		OP is writev or readv, BLOCKS the number of blocks in a call
 *
 * is_disk: the pool is an ordinary file.
 */
bool cases_batch_find(const char *name, bool is_disk, struct turns_case *c);

#endif
