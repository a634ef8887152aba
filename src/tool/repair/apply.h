/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Carrying a plan out.
 *
 *   1. The backup is durable before the first change.
 *   2. All space is allocated before the first store, so that a full disk stops the repair
 *      while nothing is changed.
 *      So it does where what the plan wants ahead of the phases (struct plan_ahead) cannot be stored:
 *      the file gets its length back.
 *   3. What the decisions were based on is stored again and made durable, see repair/plan.h.
 *   4. The changes are stored phase by phase, each durable before the next begins.
 *   5. Then the files are read again. If they do not hold what was planned, or if that is not a
 *      consistent pool, the repair is taken back with its own backup.
 *
 * Functions return 0 or -errno and have set the message.
 */
#ifndef APPLY_H
#define APPLY_H 1

#include "repair/plan.h"

/* How far a repair came that failed. */
enum apply_state {
	APPLY_NOTHING,	  /* the files are as they were, and there is no backup */
	APPLY_PARTLY,	  /* the repair can be repeated, or taken back with the backup */
	APPLY_TAKEN_BACK, /* the files are as they were */
	APPLY_DONE,
};

/*
 * The stores of the plan, phase by phase, to a storage that is as the files are. Durable
 * when it returns 0.
 */
int apply_store(const struct plan *plan, struct storage *s) MUST_CHECK;

/*
 * All of it, on the image's open files. file, *name: as for backup_write(). *state tells what
 * was done, also after a failure. The image is what the files are then, or is to be closed.
 */
int apply_plan(const struct plan *plan, struct image *image, const char *file,
	       char **name, enum apply_state *state) MUST_CHECK;

#endif
