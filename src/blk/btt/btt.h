/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Block translation table: an array of blocks in a storage, each written atomically.
 *
 * Functions that return int return 0 or -errno and have set the message when they fail. All may
 * be called by several threads at once, between btt_open() and btt_close(), see btt/open.h.
 */
#ifndef BTT_H
#define BTT_H 1

#include <stdint.h>

#include "btt/open.h"
#include "compiler.h"

/*
 * Makes all deferred stores durable. Call it before the pool is marked as closed. -EIO: a sync
 * failed now or earlier, so the pool must not be marked as closed.
 */
int btt_sync(struct btt *btt) MUST_CHECK;

/*
 * Each call is for one block; lba < btt_nblock(), otherwise -EINVAL. buf holds bsize bytes. A
 * modifying call is durable when it returns 0; -EIO if the arena is read-only or a sync failed.
 * btt_read: -EIO if the block is in the error state; then buf may have been changed.
 */
int btt_read(struct btt *btt, void *buf, uint64_t lba) MUST_CHECK;

/*
 * Reads a block of a table that another process modifies, as btt_read() does. The two processes
 * share the versions (btt_params). redo: a sync of the other process has failed. -EBUSY if the
 * other process changes the block all the time.
 */
int btt_read_view(struct btt *btt, void *buf, uint64_t lba, bool redo) MUST_CHECK;

/*
 * btt_read() for the common case: a written block of the first arena that no thread writes
 * meanwhile. Returns true if buf holds the block. Makes no system call and does not change errno.
 */
bool btt_read_at_once(struct btt *btt, void *buf, uint64_t lba) MUST_CHECK;
int btt_write(struct btt *btt, const void *buf, uint64_t lba) MUST_CHECK;
int btt_set_zero(struct btt *btt, uint64_t lba) MUST_CHECK;
int btt_set_error(struct btt *btt, uint64_t lba) MUST_CHECK;

#endif
