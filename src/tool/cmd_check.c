/* SPDX-License-Identifier: BSD-3-Clause */
#include "tool.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include <libpmemblk.h>

static const struct option options[] = {
    {"block-size", required_argument, NULL, 'b'},
    {"quiet", no_argument, NULL, 'q'},
    {0},
};

enum tool_status cmd_check(const struct tool_command *self, int argc, char **argv)
{
	uint64_t bsize = 0;
	bool quiet = false;
	const char *path;
	int c;

	while ((c = tool_next_option(self, argc, argv, "b:q", options)) != -1) {
		switch (c) {
		case 'b':
			if (!tool_parse_size(optarg, &bsize))
				return tool_usage_error(self, "'%s' is no block size",
							optarg);
			break;
		case 'q':
			quiet = true;
			break;
		default:
			return tool_option_status(c);
		}
	}
	path = tool_only_argument(self, argc, argv);
	if (!path)
		return TOOL_USAGE;
	switch (pmemblk_check(path, bsize)) {
	case 1:
		if (!quiet)
			printf("%s: consistent\n", path);
		return TOOL_OK;
	case 0:
		tool_complain("%s", pmemblk_errormsg());
		if (!quiet)
			printf("%s: not consistent\n", path);
		return TOOL_DAMAGED;
	default:
		tool_complain("%s", pmemblk_errormsg());
		return TOOL_FAILED;
	}
}
