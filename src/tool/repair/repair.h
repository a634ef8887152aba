/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finding out what is wrong with a pool and how to mend it. Everything is decided and tried
 * on the private image; see repair/plan.h. Functions return 0 or -errno and have set the message;
 * damage is no error, it goes to the plan.
 *
 * What is known about a damage is never more than what is left on the medium. The rules:
 *
 *   - What is sound is left alone.
 *   - What stands twice is restored from its other copy.
 *   - A block whose data nobody can name any more goes into the error state; no repair gives
 *     a block another block's data, or zeros.
 *   - Where nothing proves what was there, nothing is done.
 */
#ifndef REPAIR_H
#define REPAIR_H 1

#include "btt/find.h"
#include "repair/plan.h"

/*
 * Plans the whole repair of the pool. Afterwards either the image is consistent, or
 * plan->cannot_be_mended is set and the plan must not be applied. -EINVAL: not a pool of
 * blocks, or one of a later version.
 */
int repair_plan(struct image *image, struct plan *plan) MUST_CHECK;

/* Its steps, in order. Each does nothing when an earlier one found something hopeless. */
int repair_header(struct image *image, struct plan *plan) MUST_CHECK;
int repair_descriptor(struct image *image, struct plan *plan) MUST_CHECK;
int repair_infos(struct image *image, struct plan *plan) MUST_CHECK;
int repair_table(struct image *image, struct plan *plan,
		 const struct btt_found *found) MUST_CHECK;
int repair_shutdown_state(struct image *image, struct plan *plan) MUST_CHECK;

/*
 * An info block of the first arena, primary or copy, that is sound by its own account,
 * whatever the header and the descriptor say: a witness of the pool's uuid and block size.
 */
struct repair_witness {
	struct uuid parent;
	uint32_t bsize;
};
bool repair_find_witness(const struct image *image, struct repair_witness *witness);

#endif
