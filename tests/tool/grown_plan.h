/* SPDX-License-Identifier: BSD-3-Clause */
/* Grows and repairs of the pools of grown_pool.h, with and without a record of the stores. */
#ifndef GROWN_PLAN_H
#define GROWN_PLAN_H 1

#include "errormsg.h"
#include "grow/ahead.h"
#include "grow/examine.h"
#include "grown_pool.h"
#include "recorded_file.h"
#include "repair/backup.h"
#include "repair/repair.h"

/* Plans a grow of the pool in the file. Afterwards the image is as the file is. */
static void plan_file(const char *path, struct image *image, struct grow *grow,
		      struct plan *plan)
{
	enum grow_verdict verdict;

	assert_int_equal(image_open(path, POOLSET_MEND, image), 0);
	if (examine_length(image, grown_length, grow, &verdict) < 0 ||
	    verdict != GROW_POSSIBLE)
		fail_msg("%s", errormsg_get());
	assert_true(grow->is_laid_out);
	plan_init(plan, 0);
	if (grow_plan(grow, plan) < 0)
		fail_msg("%s", errormsg_get());
	assert_int_equal(image_refresh(image), 0);
}

static void finish(struct image *image, struct grow *grow, struct plan *plan)
{
	plan_free(plan);
	examine_free(grow);
	image_close(image);
}

/*
 * Writes the backup of a planned grow. Then carries it out in the file, and records its stores.
 */
static void record_planned(const char *path, const char *backup, struct image *image,
			   struct grow *grow, struct plan *plan, struct recording *stores)
{
	struct medium m;
	char *name;

	unlink(backup);
	assert_int_equal(backup_write(plan, image, backup, &name), 0);
	free(name);
	assert_int_equal(truncate(path, (off_t)grown_length), 0);
	open_medium(&m, path);
	start_recording(stores);
	assert_int_equal(ahead_store(grow, &m.s), 0);
	assert_int_equal(apply_store(plan, &m.s), 0);
	close_medium(&m);
}

/* Repairs the pool in the file if this is possible. */
static enum repair_verdict repair_file(const char *path, const char *backup)
{
	enum repair_verdict verdict;
	enum apply_state state;
	struct image image;
	struct plan plan;
	char *name = NULL;

	plan_init(&plan, 10);
	unlink(backup);
	assert_int_equal(image_open(path, POOLSET_MEND, &image), 0);
	if (repair_plan(&image, &plan, &verdict) < 0)
		fail_msg("%s", errormsg_get());
	assert_int_equal(image_refresh(&image), 0);
	if (verdict == REPAIR_MENDABLE) {
		if (apply_plan(&plan, &image, backup, &name, &state) < 0)
			fail_msg("%s", errormsg_get());
		assert_int_equal(state, APPLY_DONE);
	}
	free(name);
	plan_free(&plan);
	image_close(&image);
	return verdict;
}

#endif
