/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many blocks in one call, see btt/batch.c. Each block is atomic by itself, there is no order among
 * them, and all are durable when a call returns 0.
 *
 * Functions return 0 or -errno and have set the message when they fail. Then *failed is the number
 * of the block that is to blame, or BTT_NOBODY; otherwise it is left alone. The caller has seen to
 * it that all numbers are those of blocks of the table.
 */
#ifndef BTT_BATCH_H
#define BTT_BATCH_H 1

#include <stddef.h>
#include <stdint.h>

#include "btt/open.h"
#include "compiler.h"

#define BTT_NOBODY (-1LL)

/* Blocks that follow each other, in a buffer. The same as the public struct pmemblk_iovec. */
struct btt_run {
	void *buf;
	long long lba;
	size_t nblock;
};

/*
 * Of the same block given twice the later one stays. -EIO: as btt_write(); each block is old or new
 * then. If a single block is to blame, some that precede it are new and some are old.
 */
int btt_write_runs(struct btt *btt, const struct btt_run *run, size_t nrun,
		   long long *failed) MUST_CHECK;

/* As btt_read(), one after the other; those that precede *failed are in their buffers. */
int btt_read_runs(struct btt *btt, const struct btt_run *run, size_t nrun,
		  long long *failed) MUST_CHECK;

/* As btt_set_zero(). An error leaves each block as it was, or zero. */
int btt_zero_range(struct btt *btt, uint64_t lba, uint64_t nblock,
		   long long *failed) MUST_CHECK;

#endif
