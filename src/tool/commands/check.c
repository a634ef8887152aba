/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/tool.h"

#include <errno.h>
#include <stdio.h>

#include <libpmemblk.h>

#include "errormsg.h"
#include "repair/repair.h"

#define SHOWN_FINDINGS 20

/*
 * The library's verdict is one message. What a repair would do says it all; and it tells a
 * damaged header from a file that is no pool. known: it is a damaged pool.
 */
static enum tool_status explain(const char *path, bool known, bool quiet)
{
	enum tool_status status = known ? TOOL_DAMAGED : TOOL_FAILED;
	struct image image;
	struct plan plan;

	if (image_open(path, &image) < 0)
		return status;
	plan_init(&plan, SHOWN_FINDINGS);
	if (repair_plan(&image, &plan) == 0 &&
	    (known || (plan.nchange && !plan.cannot_be_mended))) {
		status = TOOL_DAMAGED;
		if (!quiet) {
			plan_print_findings(&plan);
			tool_say("%s: not consistent; %s", path,
				 plan.cannot_be_mended
				     ? "pmemblk repair does not know how to mend it"
				     : "pmemblk repair can mend it");
		}
	}
	plan_free(&plan);
	image_close(&image);
	return status;
}

enum tool_status cmd_check(const struct tool_command *self, int argc, char **argv)
{
	enum tool_status status;
	uint64_t bsize = 0;
	bool quiet = false;
	const char *path;
	int error;
	const struct tool_option options[] = {
	    {'b', "block-size", "SIZE", "the block size that the pool is to have",
	     TOOL_SIZE, &bsize, 0, UINT32_MAX},
	    {'q', "quiet", NULL, "print nothing on stdout", TOOL_FLAG, &quiet, 0, 0},
	    {0},
	};
	const struct tool_operand operands[] = {{"PATH", &path}, {0}};

	if (!tool_read_arguments(self, argc, argv, options, operands, &status))
		return status;
	switch (pmemblk_check(path, bsize)) {
	case 1:
		if (!quiet)
			tool_say("%s: consistent", path);
		return TOOL_OK;
	case 0:
		tool_complain("%s", pmemblk_errormsg());
		return explain(path, true, quiet);
	default:
		error = errno;
		tool_complain("%s", pmemblk_errormsg());
		return error == EINVAL && bsize == 0 ? explain(path, false, quiet)
						     : TOOL_FAILED;
	}
}
