/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading many blocks in one call. */
#ifndef BTT_READ_RUNS_H
#define BTT_READ_RUNS_H 1

#include "btt/open.h"
#include "btt/runs.h"
#include "compiler.h"

/*
 * Reads the blocks of a vector, all of which are blocks of the table, in their order. -EIO as
 * btt_read(), message set: those that precede *failed are in their buffers.
 */
int btt_read_runs(struct btt *btt, const struct btt_run *run, size_t nrun,
		  long long *failed) MUST_CHECK;

#endif
