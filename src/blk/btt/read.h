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

/* What has happened to the process that modifies a table. */
enum btt_foreign {
	BTT_FOREIGN_SOUND,
	BTT_FOREIGN_FAILING, /* BTT_FAILING: it may take flags back */
	BTT_FOREIGN_REDO,    /* a sync has failed, and nothing is taken back any more */
};

/*
 * Reads a block of a table that another process modifies, as btt_read() does. The two processes
 * share the versions (btt_params). -EBUSY if the other process changes the block all the time.
 * -EAGAIN, and no message: BTT_FOREIGN_FAILING, and the block has a flag that may be taken back.
 */
int btt_read_view(struct btt *btt, void *buf, uint64_t lba,
		  enum btt_foreign owner) MUST_CHECK;

#endif
