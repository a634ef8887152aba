/* SPDX-License-Identifier: BSD-3-Clause */
#include "repair/repair.h"

#include <errno.h>

#include "btt/find.h"
#include "errormsg.h"
#include "repair/header.h"
#include "repair/infos.h"
#include "repair/locked.h"
#include "repair/table.h"
#include "repair/verdict.h"

/* Makes the image as the files are, but with the length that the plan gives them. */
static int MUST_CHECK start_again(struct image *image, const struct plan *plan)
{
	uint64_t length;
	int ret = image_refresh(image);

	if (ret == 0 && plan->extend_to)
		ret = image_extend(image, &length);
	return ret;
}

/* The changes, made phase by phase, have to leave a consistent pool. */
static int MUST_CHECK verify(struct image *image, struct plan *plan)
{
	bool consistent;
	int ret;

	if (plan->cannot_be_mended)
		return 0;
	ret = start_again(image, plan);
	if (ret < 0)
		return ret;
	plan_replay_phases(plan, image);
	image_load_params(image);
	plan->parent = image->params.parent;
	ret = verdict_of(image, &consistent);
	if (ret < 0 || consistent)
		return ret;
	return plan_note_hopeless(plan, "this would be left: %s", errormsg_get());
}

static int MUST_CHECK plan_all(struct image *image, struct plan *plan)
{
	struct btt_found found = {0};
	int ret = header_repair_descriptor(image, plan);

	if (ret == 0)
		ret = plan_add_basis(plan, 0, POOL_DATA_OFF);
	if (ret == 0)
		ret = infos_repair(image, plan);
	if (ret == 0 && !plan->cannot_be_mended)
		ret = btt_find_layout(&image->storage, &image->params, &found);
	if (ret == 0 && found.narena)
		ret = table_repair(image, plan, &found);
	btt_find_free(&found);
	if (ret == 0)
		ret = header_repair_shutdown_state(image, plan);
	return ret == 0 ? verify(image, plan) : ret;
}

int repair_plan(struct image *image, struct plan *plan, enum repair_verdict *verdict)
{
	bool consistent;
	int ret = verdict_of(image, &consistent);

	*verdict = REPAIR_CONSISTENT;
	if (ret < 0 || consistent)
		return ret;
	ret = image_refresh(image);
	if (ret == 0)
		ret = locked_repair(image, plan);
	if (ret < 0)
		return ret;
	ret = header_repair(image, plan);
	if (ret == -EINVAL) {
		*verdict = REPAIR_REFUSED;
		return 0;
	}
	if (ret == 0)
		ret = plan_all(image, plan);
	if (ret == 0 && plan->nchange == 0 && !plan->cannot_be_mended)
		ret = plan_note_hopeless(plan, "nothing is known to mend: %s",
					 errormsg_get());
	*verdict = plan->cannot_be_mended ? REPAIR_HOPELESS : REPAIR_MENDABLE;
	return ret;
}
