/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finds out what is wrong with a pool and how to mend it. Everything is decided and tried on a
 * private image, see repair/plan.h. Functions return 0 or -errno and have set the message. Damage
 * is not an error: it becomes a finding of the plan.
 *
 * A repair knows no more than what is left on the medium. The rules:
 *
 *   1. A pool that pmemblk_check(3) finds consistent is not changed.
 *   2. What is stored twice is restored from the other copy.
 *   3. What the flog proves wins over what the map says, see repair/table.c.
 *   4. A block goes into the error state if nothing tells which data block holds its data. No
 *      repair gives a block another block's data, or zeros.
 *   5. A finding names each block that reads differently afterwards, or cannot be read any more.
 *   6. Where nothing proves what was there, nothing is done.
 *   7. What a grow has left is the new pool if the grow was complete, see repair/locked.h.
 */
#ifndef REPAIR_H
#define REPAIR_H 1

#include "repair/plan.h"

enum repair_verdict {
	REPAIR_CONSISTENT, /* the plan is empty */
	REPAIR_MENDABLE,   /* the plan leaves a consistent pool */
	/* damaged, and the plan says why it cannot be mended: do not apply it */
	REPAIR_HOPELESS,
	/* not a pool of blocks, or not one for this library, see the message */
	REPAIR_REFUSED,
};

/*
 * Judges the pool and plans its whole repair. *verdict and the plan tell what was found, and the
 * message why the pool is not consistent. The image has to be refreshed or closed afterwards.
 */
int repair_plan(struct image *image, struct plan *plan,
		enum repair_verdict *verdict) MUST_CHECK;

#endif
