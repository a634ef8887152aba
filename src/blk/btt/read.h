/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads of single blocks of a table. All functions may be called by several threads at once, between
 * btt_open() and btt_close(), see btt/open.h.
 */
#ifndef BTT_READ_H
#define BTT_READ_H 1

#include <stdbool.h>
#include <stdint.h>

#include "btt/open.h"
#include "compiler.h"

/*
 * Reads a block. lba < btt_nblock(), otherwise -EINVAL. buf holds bsize bytes. -EIO if the block is in
 * the error state or its entry is damaged; then buf may have been changed. Has set the message when
 * it fails.
 */
int btt_read(struct btt *btt, void *buf, uint64_t lba) MUST_CHECK;

/*
 * Reads a block of a table that another process modifies, as btt_read() does. The two processes
 * share the versions (btt_params). redo: a sync of the other process has failed. -EBUSY if the
 * other process changes the block all the time.
 */
int btt_read_view(struct btt *btt, void *buf, uint64_t lba, bool redo) MUST_CHECK;

#endif
