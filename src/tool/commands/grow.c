/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/tool.h"

#include <stdlib.h>

#include "commands/changes.h"
#include "commands/interrupt.h"
#include "commands/progress.h"
#include "errormsg.h"
#include "grow/examine.h"
#include "poolset/files.h"

static bool go_on(void *arg, uint64_t done)
{
	progress_update(arg, done);
	return !interrupt_has_come();
}

static int MUST_CHECK apply(struct grow *g, struct plan *plan, const char *backup,
			    char **name, enum apply_state *state)
{
	struct progress progress;
	const struct grow_watch watch = {go_on, &progress};
	int ret;

	progress_begin(&progress, "growing", g->nstore);
	g->watch = &watch;
	ret = apply_plan(plan, g->image, backup, name, state);
	g->watch = NULL;
	progress_end(&progress);
	return ret;
}

static enum tool_status tell(const struct grow *g, enum apply_state state,
			     const char *name)
{
	if (state == APPLY_DONE) {
		tool_say("%s: what changes is kept in %s", g->image->path, name);
		tool_say("%s: %llu bytes, %llu blocks instead of %llu", g->image->path,
			 ULL(g->length), ULL(g->nblock), ULL(g->nblock_before));
		return TOOL_OK;
	}
	tool_complain("%s", errormsg_get());
	if (state == APPLY_PARTLY)
		tool_complain("the pool has not grown completely; take it back with "
			      "pmemblk grow --undo=%s",
			      name);
	else if (state == APPLY_TAKEN_BACK)
		tool_complain("the pool is as it was: what was stored could not be "
			      "verified; a backup is left in %s",
			      name);
	return TOOL_FAILED;
}

static enum tool_status grow_laid_out(struct grow *g, const char *backup)
{
	enum apply_state state = APPLY_NOTHING;
	enum tool_status status;
	struct plan plan;
	char *name = NULL;
	int ret;

	plan_init(&plan, 1);
	ret = grow_plan(g, &plan);
	if (ret == 0)
		ret = image_refresh(g->image);
	changes_begin();
	if (ret == 0)
		ret = apply(g, &plan, backup, &name, &state);
	status =
	    ret == 0 || state != APPLY_NOTHING ? tell(g, state, name) : tool_failed();
	plan_free(&plan);
	free(name);
	return status;
}

static enum tool_status grow_empty(struct grow *g)
{
	changes_begin();
	if (grow_lengthen(g) < 0)
		return tool_failed();
	tool_say("%s: %llu bytes, %llu blocks instead of %llu; nothing was ever written "
		 "to it",
		 g->image->path, ULL(g->length), ULL(g->nblock), ULL(g->nblock_before));
	return TOOL_OK;
}

static enum tool_status grow_possible(struct grow *g, bool dry_run, const char *backup)
{
	if (dry_run) {
		tool_say("%s: would have %llu bytes, %llu blocks instead of %llu; "
			 "nothing was changed",
			 g->image->path, ULL(g->length), ULL(g->nblock),
			 ULL(g->nblock_before));
		return TOOL_OK;
	}
	if (poolset_files_check_writable(g->image->set) < 0)
		return tool_failed();
	return g->is_laid_out ? grow_laid_out(g, backup) : grow_empty(g);
}

static enum tool_status grow(struct image *image, uint64_t length, bool dry_run,
			     const char *backup)
{
	enum tool_status status = TOOL_FAILED;
	enum grow_verdict verdict;
	struct grow g;

	if (examine_length(image, length, &g, &verdict) < 0)
		verdict = GROW_REFUSED;
	if (verdict == GROW_POSSIBLE) {
		status = grow_possible(&g, dry_run, backup);
	} else {
		tool_complain("%s", errormsg_get());
		if (verdict == GROW_DAMAGED) {
			tool_complain("only a consistent pool grows; see pmemblk check, "
				      "and pmemblk repair");
			status = TOOL_DAMAGED;
		}
	}
	examine_free(&g);
	return status;
}

enum tool_status cmd_grow(const struct tool_command *self, int argc, char **argv)
{
	const char *backup = NULL;
	const char *undo_file = NULL;
	enum tool_status status;
	uint64_t size = 0;
	struct image image;
	bool dry_run = false;
	const char *path;
	const struct tool_option options[] = {
	    {'s', "size", "SIZE", "length that the file is to have", TOOL_SIZE, &size, 1,
	     INT64_MAX},
	    {'n', "dry-run", NULL, "show how many blocks there would be, change nothing",
	     TOOL_FLAG, &dry_run, 0, 0},
	    {'b', "backup", "FILE",
	     "where what changes is kept [PATH.undo, PATH.undo.1\n"
	     "and so on, the first that does not exist]",
	     TOOL_TEXT, &backup, 0, 0},
	    {'u', "undo", "FILE", "take it back, with the backup that was kept",
	     TOOL_TEXT, &undo_file, 0, 0},
	    {0},
	};
	const struct tool_operand operands[] = {{"PATH", &path}, {0}};

	if (!tool_read_arguments(self, argc, argv, options, operands, &status))
		return status;
	if (undo_file && (dry_run || backup || size))
		return tool_usage_error(self, "--undo goes with no other option");
	if (!undo_file && size == 0)
		return tool_usage_error(self, "the size (-s) is missing");
	if (image_open(path, dry_run ? POOLSET_READ : POOLSET_MEND, &image) < 0)
		return tool_failed();
	status = undo_file ? changes_undo(undo_file, &image)
			   : grow(&image, size, dry_run, backup);
	image_close(&image);
	changes_end(status == TOOL_OK);
	return status;
}
