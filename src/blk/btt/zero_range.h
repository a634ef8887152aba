/* SPDX-License-Identifier: BSD-3-Clause */
/* Zeroing many blocks in one call. */
#ifndef BTT_ZERO_RANGE_H
#define BTT_ZERO_RANGE_H 1

#include "btt/open.h"
#include "btt/runs.h"
#include "compiler.h"

/*
 * Makes nblock blocks of the table, beginning with lba, read as zeros. All of them are durable
 * when the call returns 0. -EIO as btt_set_zero(), message set: each block is old or zero then. On a
 * file it reads as before the call where the sync has failed (R18).
 */
int btt_zero_range(struct btt *btt, uint64_t lba, uint64_t nblock,
		   long long *failed) MUST_CHECK;

#endif
