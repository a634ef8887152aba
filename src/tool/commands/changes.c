/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/changes.h"

#include <signal.h>
#include <stdio.h>

#include "commands/interrupt.h"
#include "commands/tool.h"
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

int changes_undo(const char *file, struct image *image, size_t *n)
{
	int ret;

	changes_begin();
	ret = poolset_files_check_writable(image->set);
	return ret < 0 ? ret : undo_repair(file, image, n);
}
