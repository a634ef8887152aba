/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/changes.h"

#include <signal.h>
#include <stdio.h>

#include "commands/interrupt.h"
#include "poolset/files.h"
#include "repair/undo.h"

void changes_begin(void)
{
	signal(SIGPIPE, SIG_IGN);
	interrupt_hold();
}

void changes_end(bool finished)
{
	if (finished && interrupt_has_come())
		tool_complain("the signal came when the pool was being changed: that "
			      "was finished first");
	fflush(stdout);
	interrupt_release();
}

enum tool_status changes_undo(const char *file, struct image *image)
{
	struct undo_done done;

	changes_begin();
	if (poolset_files_check_writable(image->set) < 0 ||
	    undo_repair(file, image, &done) < 0)
		return tool_failed();
	if (done.is_grow)
		tool_say("%s: as it was before it grew, %llu bytes", image->path,
			 ULL(image_length(image)));
	else
		tool_say(done.nrange == 1
			     ? "%s: %zu range is as it was before the repair"
			     : "%s: %zu ranges are as they were before the repair",
			 image->path, done.nrange);
	return TOOL_OK;
}
