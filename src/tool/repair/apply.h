/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Carries out a plan: a repair, or the growth of a pool.
 *
 *   1. The backup is durable before the first change.
 *   2. All space is allocated before the first store. So a full disk stops the plan before
 *      anything has changed.
 *   3. A plan may store something ahead of its phases, behind the old end of the file (struct
 *      plan_ahead). If this fails, the file gets its old length back.
 *   4. What the decisions were based on is stored again and made durable, see repair/plan.h.
 *   5. The changes are stored phase by phase. Each phase is durable before the next one begins.
 *   6. Then the files are read again. If they do not hold what was planned, or if they are not a
 *      consistent pool, the plan is taken back with its own backup.
 *
 * Functions return 0 or -errno and have set the message.
 */
#ifndef APPLY_H
#define APPLY_H 1

#include "repair/plan.h"

/* How far a plan has come. */
enum apply_state {
	APPLY_NOTHING,	  /* the files are as they were, and there is no backup */
	APPLY_PARTLY,	  /* a repair can be repeated; the backup takes the plan back */
	APPLY_TAKEN_BACK, /* the files are as they were */
	APPLY_DONE,
};

/*
 * Stores the plan's changes, phase by phase, to a storage that is as the files are. They are
 * durable if it returns 0.
 */
int apply_store(const struct plan *plan, struct storage *s) MUST_CHECK;

/*
 * Carries out the whole plan on the image's open files. file, *name: as for backup_write().
 * *state tells what was done, also after a failure. Afterwards the image is as the files are if
 * it returns 0; else it has to be closed.
 */
int apply_plan(const struct plan *plan, struct image *image, const char *file,
	       char **name, enum apply_state *state) MUST_CHECK;

#endif
