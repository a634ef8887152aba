/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading many blocks in one call. */
#ifndef BTT_READ_RUNS_H
#define BTT_READ_RUNS_H 1

#include "btt/open.h"
#include "btt/runs.h"
#include "compiler.h"

/*
 * Reads the blocks of a vector, which must all exist, in their order. -EIO as btt_read(), message
 * set: the blocks before *failed are in their buffers then.
 */
int btt_read_runs(struct btt *btt, const struct btt_run *run, size_t nrun,
		  long long *failed) MUST_CHECK;

#endif
