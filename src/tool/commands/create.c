/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/tool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <libpmemblk.h>

#include "commands/interrupt.h"
#include "commands/sizes.h"
#include "poolset/files.h"
#include "poolset/load.h"

#define SIZE_NOT_GIVEN UINT64_MAX

/* The first change of a pool makes the layout: sets a block to the error state and back. */
static int write_layout(PMEMblkpool *pool)
{
	if (pmemblk_set_error(pool, 0) != 0)
		return -1;
	return pmemblk_set_zero(pool, 0);
}

/* A hint, if the existing file could become a pool. */
static const char *hint(const char *path)
{
	struct poolset *set;
	const char *text = "";

	if (poolset_load(path, true, NULL, &set) < 0)
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

/* The files that the command makes; a signal removes them. */
struct made {
	struct poolset *set; /* the set with their names; NULL: only path */
	struct interrupt_file *file;
	size_t n;
	bool is_all; /* no part exists before */
};

static void add_absent(struct made *made, const char *path, mode_t mode)
{
	struct stat st;

	if (lstat(path, &st) != 0 && errno == ENOENT)
		made->file[made->n++] =
		    (struct interrupt_file){.path = path, .mode = mode};
	else
		made->is_all = false;
}

static bool find_made(struct made *made, const char *path, uint64_t size, mode_t mode)
{
	unsigned npart;

	*made = (struct made){.is_all = true};
	/* Errors in a set are reported when the pool is made. */
	if (size == 0 && poolset_load(path, true, NULL, &made->set) < 0)
		made->set = NULL;
	npart = made->set ? made->set->npart : 1;
	made->file = calloc(npart, sizeof(*made->file));
	if (!made->file) {
		poolset_free(made->set);
		tool_complain("out of memory");
		return false;
	}
	if (!made->set)
		add_absent(made, path, mode);
	for (unsigned i = 0; made->set && i < npart; i++)
		add_absent(made, made->set->part[i].path, mode);
	return true;
}

static enum tool_status create(const char *path, uint64_t bsize, uint64_t size,
			       mode_t mode, bool layout)
{
	enum tool_status status = TOOL_OK;
	PMEMblkpool *pool = pmemblk_create(path, bsize, size, mode);
	size_t nblock;

	if (!pool) {
		int error = errno;

		interrupt_keep();
		tool_complain("%s%s", pmemblk_errormsg(),
			      error == EEXIST && size != 0 ? hint(path) : "");
		return TOOL_FAILED;
	}
	interrupt_know();
	if (layout && write_layout(pool) != 0) {
		tool_complain("%s was made, but not laid out: %s", path,
			      pmemblk_errormsg());
		status = TOOL_FAILED;
	}
	nblock = pmemblk_nblock(pool);
	pmemblk_close(pool);
	interrupt_keep();
	tool_say("%s: %zu blocks of %llu bytes", path, nblock, ULL(bsize));
	return status;
}

/* A signal removes the files that were made; if files of the user are changed, it has to wait. */
static enum tool_status create_or_nothing(const char *path, uint64_t bsize, uint64_t size,
					  mode_t mode, bool layout)
{
	enum tool_status status;
	struct made made;

	if (!find_made(&made, path, size, mode))
		return TOOL_FAILED;
	if (made.is_all)
		interrupt_remove(made.file, made.n);
	else
		interrupt_note();
	status = create(path, bsize, size, mode, layout);
	if (interrupt_has_come() && status == TOOL_OK)
		tool_complain(
		    "the signal came when files that existed were being changed: "
		    "that was finished first");
	interrupt_release();
	poolset_free(made.set);
	free(made.file);
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
	return create_or_nothing(path, bsize, size, mode, layout);
}
