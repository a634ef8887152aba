/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Block translation table: an array of blocks in a storage, each written atomically. Reads are in
 * btt/read.h.
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
 * Each call modifies one block; lba < btt_nblock(), otherwise -EINVAL. buf holds bsize bytes. The
 * change is durable when the call returns 0; -EIO if the arena is read-only or a sync failed.
 */
int btt_write(struct btt *btt, const void *buf, uint64_t lba) MUST_CHECK;
int btt_set_zero(struct btt *btt, uint64_t lba) MUST_CHECK;
int btt_set_error(struct btt *btt, uint64_t lba) MUST_CHECK;

#endif
