/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finding out what is wrong with a pool and how to mend it. Everything is decided and tried
 * on the private image; see repair/plan.h. Functions return 0 or -errno and have set the message;
 * damage is no error, it goes to the plan.
 *
 * What is known about a damage is never more than what is left on the medium. The rules:
 *
 *   1. What is sound is left alone: a pool that pmemblk_check(3) finds consistent is not
 *      changed at all.
 *   2. What stands twice is restored from its other copy.
 *   3. What the flog proves wins over what the map says, see repair/table.c.
 *   4. A block whose data nobody can name any more goes into the error state; no repair gives
 *      a block another block's data, or zeros. Each block that reads differently afterwards,
 *      or does not read any more, is named.
 *   5. Where nothing proves what was there, nothing is done.
 */
#ifndef REPAIR_H
#define REPAIR_H 1

#include "repair/plan.h"

enum repair_verdict {
	REPAIR_CONSISTENT, /* the plan is empty */
	REPAIR_MENDABLE,   /* the plan leaves a consistent pool */
	REPAIR_HOPELESS, /* damaged; the plan says why it cannot be mended: not to be applied */
	REPAIR_REFUSED, /* no pool of blocks, or none for this library: the message says why */
};

/*
 * Judges the pool and plans its whole repair. The image is used up: refresh or close it.
 * *verdict and the plan tell what was found. The message is the reason why the pool is not
 * consistent.
 */
int repair_plan(struct image *image, struct plan *plan,
		enum repair_verdict *verdict) MUST_CHECK;

#endif
