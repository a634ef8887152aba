/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bringing a laid-out table into a state from which operations may go on.
 */
#ifndef BTT_RECOVER_H
#define BTT_RECOVER_H 1

#include <stdbool.h>

#include "btt/arena.h"
#include "btt/find.h"
#include "compiler.h"

/*
 * Sets btt->arena from a valid layout: repairs info blocks from their twins, finishes
 * interrupted writes and loads the free list. Everything stored is durable on return.
 * *damaged becomes true, and the message tells why, where the medium held something that no
 * crash leaves behind; an arena whose free list cannot be trusted becomes read-only.
 *
 * -EINVAL: the flog names blocks that the pool does not have; nothing has been stored.
 * -ENOMEM. -EIO: a sync failed.
 */
int btt_recover(struct btt *btt, const struct btt_found *found, bool *damaged) MUST_CHECK;

/*
 * Loads the slots of an arena and replays its flog; stores are flushed into step, not fenced.
 */
void btt_recover_flog(struct btt *btt, struct btt_arena *arena, struct storage_step *step,
		      bool *damaged);

#endif
