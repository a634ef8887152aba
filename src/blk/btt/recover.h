/* SPDX-License-Identifier: BSD-3-Clause */
/* Brings a laid-out table into a state in which operations may begin. */
#ifndef BTT_RECOVER_H
#define BTT_RECOVER_H 1

#include <stdbool.h>

#include "btt/arena.h"
#include "btt/find.h"
#include "compiler.h"

/*
 * Sets btt->arena from a valid layout: restores an info block from the other one, finishes
 * interrupted writes and loads the free list. All its stores are durable when it returns.
 * *damaged becomes true, and the message says why, if the medium held something that no crash
 * leaves. An arena with a free list that cannot be trusted becomes read-only.
 *
 * -EINVAL: the flog names blocks that the pool does not have; nothing was stored. -ENOMEM. -EIO:
 * a sync failed.
 */
int btt_recover(struct btt *btt, const struct btt_found *found, bool *damaged) MUST_CHECK;

/*
 * Loads the slots of an arena and replays its flog. The stores are flushed in step, but not
 * fenced.
 */
void btt_recover_flog(struct btt *btt, struct btt_arena *arena, struct storage_step *step,
		      bool *damaged);

#endif
