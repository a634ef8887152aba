/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many random blocks in one call. The original has no such call, so all parties run on our
 * libraries. The first party calls pmemblk_writev() or pmemblk_readv(). The parties that are the
 * original in other cases write or read the same number of blocks one by one. The limit is a bare
 * loop with the same ordered steps.
 */
#ifndef CASES_BATCH_H
#define CASES_BATCH_H 1

#include <stdbool.h>

#include "turns.h"

/*
 * Stores the case of this name. Returns false if there is no such case. The names are
 *
 *	OP/BSIZE/THREADS/BLOCKS		OP is writev or readv, BLOCKS the number of blocks in a call
 *
 * is_disk: the pool is an ordinary file.
 */
bool cases_batch_find(const char *name, bool is_disk, struct turns_case *c);

#endif
