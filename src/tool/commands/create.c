/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/tool.h"

#include <getopt.h>
#include <stdio.h>

#include <libpmemblk.h>

static const struct option options[] = {
    {"block-size", required_argument, NULL, 'b'},
    {"size", required_argument, NULL, 's'},
    {"mode", required_argument, NULL, 'm'},
    {"write-layout", no_argument, NULL, 'w'},
    {0},
};

/* The layout comes with the first change; a block in the error state is one, and is taken back. */
static int write_layout(PMEMblkpool *pool)
{
	if (pmemblk_set_error(pool, 0) != 0)
		return -1;
	return pmemblk_set_zero(pool, 0);
}

enum tool_status cmd_create(const struct tool_command *self, int argc, char **argv)
{
	enum tool_status status = TOOL_OK;
	uint64_t size = PMEMBLK_MIN_POOL;
	uint64_t bsize = 0;
	mode_t mode = 0644;
	bool layout = false;
	PMEMblkpool *pool;
	const char *path;
	int c;

	while ((c = tool_next_option(self, argc, argv, "b:s:m:w", options)) != -1) {
		switch (c) {
		case 'b':
			if (!tool_parse_size(optarg, &bsize) || bsize == 0)
				return tool_usage_error(self, "'%s' is no block size",
							optarg);
			break;
		case 's':
			if (!tool_parse_size(optarg, &size))
				return tool_usage_error(self, "'%s' is no size", optarg);
			break;
		case 'm':
			if (!tool_parse_mode(optarg, &mode))
				return tool_usage_error(self, "'%s' is no octal mode",
							optarg);
			break;
		case 'w':
			layout = true;
			break;
		default:
			return tool_option_status(c);
		}
	}
	path = tool_only_argument(self, argc, argv);
	if (!path)
		return TOOL_USAGE;
	if (bsize == 0)
		return tool_usage_error(self, "the block size (-b) is missing");
	pool = pmemblk_create(path, bsize, size, mode);
	if (!pool) {
		tool_complain("%s", pmemblk_errormsg());
		return TOOL_FAILED;
	}
	if (layout && write_layout(pool) != 0) {
		tool_complain("%s was made, but not laid out: %s", path,
			      pmemblk_errormsg());
		status = TOOL_FAILED;
	}
	printf("%s: %zu blocks of %zu bytes\n", path, pmemblk_nblock(pool),
	       pmemblk_bsize(pool));
	pmemblk_close(pool);
	return status;
}
