/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Repairs in three steps. First everything is planned and tried on a private image; then the
 * bytes that will change are written to a backup; only then are the files changed.
 */
#include "commands/tool.h"

#include <stdlib.h>

#include "commands/changes.h"
#include "errormsg.h"
#include "poolset/files.h"
#include "repair/apply.h"
#include "repair/repair.h"

#define SHOWN_FINDINGS 50

static enum tool_status apply(const struct plan *plan, struct image *image,
			      const char *backup)
{
	enum apply_state state = APPLY_NOTHING;
	char *name = NULL;
	int ret = poolset_files_check_writable(image->set);

	changes_begin();
	if (ret == 0)
		ret = image_refresh(image);
	if (ret == 0)
		ret = apply_plan(plan, image, backup, &name, &state);
	if (state != APPLY_NOTHING)
		tool_say("%s: what changes is kept in %s", image->path, name);
	if (state == APPLY_PARTLY)
		tool_complain(
		    "the repair is not complete; repeat it, or take it back with "
		    "--undo=%s",
		    name);
	else if (state == APPLY_TAKEN_BACK)
		tool_complain("the repair was taken back: what it stored could not be "
			      "verified");
	free(name);
	if (ret < 0)
		return tool_failed();
	if (plan->lost_blocks)
		tool_say("%s: repaired; blocks in the error state until they are "
			 "written: %llu",
			 image->path, ULL(plan->lost_blocks));
	else
		tool_say("%s: repaired", image->path);
	return TOOL_OK;
}

struct work {
	struct image *image;
	struct plan *plan;
	enum repair_verdict verdict;
};

static int plan_guarded(void *arg)
{
	struct work *w = arg;

	return repair_plan(w->image, w->plan, &w->verdict);
}

static enum tool_status repair(struct image *image, struct plan *plan, size_t shown,
			       bool dry_run, const char *backup)
{
	struct work w = {image, plan, REPAIR_REFUSED};

	if (image_run(image, plan_guarded, &w) < 0)
		return tool_failed();
	plan_print_findings(plan, shown);
	switch (w.verdict) {
	case REPAIR_REFUSED:
		return tool_failed();
	case REPAIR_HOPELESS:
		tool_say("%s: cannot be repaired, nothing was changed", image->path);
		return TOOL_DAMAGED;
	case REPAIR_CONSISTENT:
		tool_say("%s: consistent, nothing was changed", image->path);
		return TOOL_OK;
	case REPAIR_MENDABLE:
		break;
	}
	if (!dry_run)
		return apply(plan, image, backup);
	tool_say("%s: can be repaired, nothing was changed", image->path);
	return TOOL_DAMAGED;
}

enum tool_status cmd_repair(const struct tool_command *self, int argc, char **argv)
{
	const char *backup = NULL;
	const char *undo_file = NULL;
	enum tool_status status;
	struct image image;
	struct plan plan;
	bool dry_run = false;
	bool verbose = false;
	const char *path;
	const struct tool_option options[] = {
	    {'n', "dry-run", NULL, "show what would be done, change nothing", TOOL_FLAG,
	     &dry_run, 0, 0},
	    {'b', "backup", "FILE",
	     "where the bytes that change are kept [PATH.undo,\n"
	     "PATH.undo.1 and so on, the first that does not exist]",
	     TOOL_TEXT, &backup, 0, 0},
	    {'u', "undo", "FILE", "put the bytes of a backup back", TOOL_TEXT, &undo_file,
	     0, 0},
	    {'v', "verbose", NULL, "show every single change of a block", TOOL_FLAG,
	     &verbose, 0, 0},
	    {0},
	};
	const struct tool_operand operands[] = {{"PATH", &path}, {0}};

	if (!tool_read_arguments(self, argc, argv, options, operands, &status))
		return status;
	if (undo_file && (dry_run || backup))
		return tool_usage_error(self, "--undo goes with no other option");
	if (image_open(path, dry_run ? POOLSET_READ : POOLSET_MEND, &image) < 0)
		return tool_failed();
	/* The backup names all findings. */
	plan_init(&plan, dry_run && !verbose ? SHOWN_FINDINGS : SIZE_MAX);
	status = undo_file ? changes_undo(undo_file, &image)
			   : repair(&image, &plan, verbose ? SIZE_MAX : SHOWN_FINDINGS,
				    dry_run, backup);
	plan_free(&plan);
	image_close(&image);
	changes_end(status == TOOL_OK);
	return status;
}
