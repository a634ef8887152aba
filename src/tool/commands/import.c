/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/blocks.h"
#include "commands/progress.h"

struct input {
	const char *name;
	int fd;
	uint64_t length; /* bytes; 0 where it is not known */
};

static bool open_input(struct input *in, const char *name)
{
	struct stat st;

	*in = (struct input){.name = name, .fd = STDIN_FILENO};
	if (strcmp(name, "-") == 0)
		in->name = "the standard input";
	else
		in->fd = open(name, O_RDONLY | O_CLOEXEC);
	if (in->fd < 0 || fstat(in->fd, &st) != 0) {
		tool_complain("cannot open %s: %s", name, strerror(errno));
		return false;
	}
	if (S_ISREG(st.st_mode) && st.st_size > 0) {
		in->length = (uint64_t)st.st_size;
	} else if (S_ISDIR(st.st_mode)) {
		tool_complain("cannot read %s: %s", name, strerror(EISDIR));
		close(in->fd);
		return false;
	}
	return true;
}

/* Up to len bytes, less only at the end. -1, complained about, on failure. */
static ssize_t get(const struct input *in, char *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(in->fd, buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			tool_complain("cannot read %s: %s", in->name, strerror(errno));
			return -1;
		}
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static bool store(PMEMblkpool *pool, const char *block, uint64_t number)
{
	long long n = (long long)number;
	bool zero = blocks_are_zero(block, pmemblk_bsize(pool));

	if ((zero ? pmemblk_set_zero(pool, n) : pmemblk_write(pool, block, n)) == 0)
		return true;
	tool_complain("block %llu: %s", ULL(number), pmemblk_errormsg());
	return false;
}

static enum tool_status copy(PMEMblkpool *pool, const struct input *in, uint64_t first)
{
	size_t chunk = blocks_per_chunk(pool);
	size_t bsize = pmemblk_bsize(pool);
	uint64_t room = (pmemblk_nblock(pool) - first) * bsize;
	enum tool_status status = TOOL_OK;
	struct progress progress;
	uint64_t done = 0;
	ssize_t n = 1;
	char *buf = malloc(chunk * bsize);

	if (!buf) {
		tool_complain("out of memory for blocks of %zu bytes", bsize);
		return TOOL_FAILED;
	}
	progress_begin(&progress, "import", in->length);
	while (status == TOOL_OK && (n = get(in, buf, chunk * bsize)) > 0) {
		size_t len = (size_t)n;

		if (len > room - done) {
			tool_complain(
			    "%s does not fit the pool: the blocks up to its end "
			    "were written",
			    in->name);
			len = (size_t)(room - done);
			status = TOOL_FAILED;
		}
		/* The end of the file may be in the middle of a block. */
		memset(buf + len, 0, (bsize - len % bsize) % bsize);
		for (size_t i = 0; i < len; i += bsize)
			if (!store(pool, buf + i, first + (done + i) / bsize)) {
				status = TOOL_FAILED;
				break;
			}
		done += len;
		progress_update(&progress, done);
	}
	progress_end(&progress);
	free(buf);
	if (n < 0)
		status = TOOL_FAILED;
	if (status == TOOL_OK)
		tool_say("%llu bytes in %llu block%s", ULL(done),
			 ULL((done + bsize - 1) / bsize),
			 done > 0 && done <= bsize ? "" : "s");
	return status;
}

static enum tool_status import(PMEMblkpool *pool, const char *path,
			       const struct input *in, uint64_t first)
{
	uint64_t nblock = pmemblk_nblock(pool);

	if (!blocks_have(pool, path, first))
		return TOOL_FAILED;
	if (in->length > (nblock - first) * pmemblk_bsize(pool)) {
		tool_complain(
		    "%s has %llu bytes, but there is room for %llu; nothing was "
		    "written",
		    in->name, ULL(in->length),
		    ULL((nblock - first) * pmemblk_bsize(pool)));
		return TOOL_FAILED;
	}
	return copy(pool, in, first);
}

enum tool_status cmd_import(const struct tool_command *self, int argc, char **argv)
{
	enum tool_status status;
	uint64_t first = 0;
	struct input in;
	PMEMblkpool *pool;
	const char *file;
	const char *path;
	const struct tool_option options[] = {
	    {'f', "first", "N", "the block to begin with [0]", TOOL_NUMBER, &first, 0,
	     INT64_MAX},
	    {0},
	};
	const struct tool_operand operands[] = {{"FILE", &file}, {"PATH", &path}, {0}};

	if (!tool_read_arguments(self, argc, argv, options, operands, &status))
		return status;
	status = TOOL_FAILED;
	if (!open_input(&in, file))
		return TOOL_FAILED;
	pool = blocks_open(path);
	if (pool) {
		status = import(pool, path, &in, first);
		pmemblk_close(pool);
	}
	if (in.fd != STDIN_FILENO)
		close(in.fd);
	return status;
}
