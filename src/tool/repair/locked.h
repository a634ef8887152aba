/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A grow locks the pool while it replaces info blocks (grow/grow.c). If it is interrupted, its
 * backup undoes it. But the undo is refused if the pool was used since, and the pool may be locked
 * all the same: the grow was killed after it had unlocked the pool in memory, somebody wrote to the
 * pool, and the power failed before the header was on the medium. Or the backup is lost.
 *
 * So a repair unlocks the pool if the grow was complete but for this:
 *
 *   1. The arenas are those of a new pool of the file's length.
 *   2. Each arena has an info block, and a copy that is equal to it.
 *   3. What is left is consistent, as after every repair.
 *
 * With an info block of the old length the pool stays locked, even if it looks consistent: the grow
 * may have stored a part of the new map over the old one. If somebody has given the file the old
 * length back by hand, the copy tells: the grow overwrites it before any other old metadata, and an
 * undo restores it after them. If it is there, the pool is the old one, and is unlocked.
 */
#ifndef REPAIR_LOCKED_H
#define REPAIR_LOCKED_H 1

#include "repair/plan.h"

/*
 * Plans to unlock the pool if it is locked and the grow was complete. Otherwise it does nothing.
 * 0 or -errno, and has set the message.
 */
int locked_repair(struct image *image, struct plan *plan) MUST_CHECK;

#endif
