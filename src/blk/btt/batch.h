/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing many blocks in one call. */
#ifndef BTT_BATCH_H
#define BTT_BATCH_H 1

#include "btt/open.h"
#include "btt/runs.h"
#include "compiler.h"

/*
 * Writes the blocks of a vector, which must all exist. Each block is atomic by itself, there is
 * no order among them, and all are durable when the call returns 0. If a block is given twice,
 * the later one counts.
 *
 * -EIO as btt_write(), message set: each block is old or new then.
 */
int btt_write_runs(struct btt *btt, const struct btt_run *run, size_t nrun,
		   long long *failed) MUST_CHECK;

#endif
