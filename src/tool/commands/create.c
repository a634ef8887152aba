/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/tool.h"

#include <errno.h>
#include <stdio.h>
#include <sys/types.h>

#include <libpmemblk.h>

#include "commands/sizes.h"
#include "poolset/files.h"
#include "poolset/load.h"

#define SIZE_NOT_GIVEN UINT64_MAX

/* The layout comes with the first change; a block in the error state is one, and is taken back. */
static int write_layout(PMEMblkpool *pool)
{
	if (pmemblk_set_error(pool, 0) != 0)
		return -1;
	return pmemblk_set_zero(pool, 0);
}

/* Why a file that exists is in the way although it could become a pool. */
static const char *hint(const char *path)
{
	struct poolset *set;
	const char *text = "";

	if (poolset_load(path, true, &set) < 0)
		return "";
	if (set->is_file)
		text = "; it is a pool set file: with -s 0 the pool is made in its parts";
	else if (poolset_files_open(set, POOLSET_WRITE) == 0) {
		text = "; with -s 0 the pool takes the whole of a file that begins with "
		       "4096 zeros, or of a device DAX";
		poolset_files_close(set);
	}
	poolset_free(set);
	return text;
}

static enum tool_status create(const char *path, uint64_t bsize, uint64_t size,
			       mode_t mode, bool layout)
{
	enum tool_status status = TOOL_OK;
	PMEMblkpool *pool = pmemblk_create(path, bsize, size, mode);

	if (!pool) {
		tool_complain("%s%s", pmemblk_errormsg(),
			      errno == EEXIST && size != 0 ? hint(path) : "");
		return TOOL_FAILED;
	}
	if (layout && write_layout(pool) != 0) {
		tool_complain("%s was made, but not laid out: %s", path,
			      pmemblk_errormsg());
		status = TOOL_FAILED;
	}
	tool_say("%s: %zu blocks of %zu bytes", path, pmemblk_nblock(pool),
		 pmemblk_bsize(pool));
	pmemblk_close(pool);
	return status;
}

enum tool_status cmd_create(const struct tool_command *self, int argc, char **argv)
{
	enum tool_status status;
	uint64_t size = SIZE_NOT_GIVEN;
	uint64_t bsize = 0;
	mode_t mode = 0644;
	bool layout = false;
	const char *path;
	const struct tool_option options[] = {
	    {'b', "block-size", "SIZE", "bytes per block", TOOL_SIZE, &bsize, 1,
	     UINT32_MAX},
	    {'s', "size", "SIZE",
	     "length of the new file [the smallest pool with such\n"
	     "blocks]; 0: the pool takes the whole of an existing\n"
	     "file, device DAX or pool set",
	     TOOL_SIZE, &size, 0, INT64_MAX},
	    {'m', "mode", "MODE", "permission bits of the files made, octal [644]",
	     TOOL_MODE, &mode, 0, 0},
	    {'w', "write-layout", NULL,
	     "write the metadata now, not with the first write", TOOL_FLAG, &layout, 0,
	     0},
	    {0},
	};
	const struct tool_operand operands[] = {{"PATH", &path}, {0}};

	if (!tool_read_arguments(self, argc, argv, options, operands, &status))
		return status;
	if (bsize == 0)
		return tool_usage_error(self, "the block size (-b) is missing");
	if (size == SIZE_NOT_GIVEN) {
		size = sizes_smallest_pool(bsize);
		if (size == 0)
			size = PMEMBLK_MIN_POOL;
	}
	if (size != 0 && !sizes_fit(self, bsize, size))
		return TOOL_USAGE;
	return create(path, bsize, size, mode, layout);
}
