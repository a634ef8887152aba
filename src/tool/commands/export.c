/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/blocks.h"
#include "commands/progress.h"

#define PIECE ((size_t)64 << 10)

struct output {
	const char *name;
	int fd;
	bool is_new;	 /* made by us: removed if the export fails */
	bool has_holes;	 /* zeros need not be written */
	uint64_t length; /* bytes so far */
};

static bool open_output(struct output *out, const char *name, bool force)
{
	struct stat st;

	*out = (struct output){.name = name, .fd = STDOUT_FILENO};
	if (strcmp(name, "-") == 0) {
		out->name = "the standard output";
		return true;
	}
	out->fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	out->is_new = out->fd >= 0;
	if (out->fd < 0 && errno == EEXIST && force)
		out->fd = open(name, O_WRONLY | O_CLOEXEC);
	if (out->fd < 0) {
		tool_complain("cannot open %s: %s%s", name, strerror(errno),
			      errno == EEXIST ? " (--force overwrites it)" : "");
		return false;
	}
	/* The files of an open pool are locked: nobody exports a pool into itself. */
	if (fstat(out->fd, &st) != 0 || flock(out->fd, LOCK_EX | LOCK_NB) != 0 ||
	    (S_ISREG(st.st_mode) && ftruncate(out->fd, 0) != 0)) {
		tool_complain("cannot write to %s: %s", name, strerror(errno));
		close(out->fd);
		return false;
	}
	out->has_holes = S_ISREG(st.st_mode);
	return true;
}

static bool put_piece(struct output *out, const char *buf, size_t len)
{
	if (out->has_holes && blocks_are_zero(buf, len)) {
		if (lseek(out->fd, (off_t)len, SEEK_CUR) < 0)
			goto fail;
		out->length += len;
		return true;
	}
	while (len > 0) {
		ssize_t n = write(out->fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			goto fail;
		buf += n;
		len -= (size_t)n;
		out->length += (uint64_t)n;
	}
	return true;
fail:
	tool_complain("cannot write to %s: %s", out->name, strerror(errno));
	return false;
}

/* A hole may be as small as a piece. */
static bool put(struct output *out, const char *buf, size_t len)
{
	for (size_t off = 0; off < len; off += PIECE)
		if (!put_piece(out, buf + off, len - off < PIECE ? len - off : PIECE))
			return false;
	return true;
}

/* Durable, but for pipes and the like. */
static bool finish_output(struct output *out, bool ok)
{
	if (out->fd == STDOUT_FILENO)
		return ok;
	if (ok && ((out->has_holes && ftruncate(out->fd, (off_t)out->length) != 0) ||
		   (fsync(out->fd) != 0 && errno != EINVAL && errno != EROFS))) {
		tool_complain("cannot write to %s: %s", out->name, strerror(errno));
		ok = false;
	}
	close(out->fd);
	if (!ok && out->is_new)
		unlink(out->name);
	return ok;
}

static enum tool_status copy(PMEMblkpool *pool, struct output *out, bool skip_errors)
{
	size_t chunk = blocks_per_chunk(pool);
	size_t bsize = pmemblk_bsize(pool);
	size_t nblock = pmemblk_nblock(pool);
	enum tool_status status = TOOL_OK;
	struct progress progress;
	char *buf = calloc(chunk, bsize);

	if (!buf) {
		tool_complain("out of memory for blocks of %zu bytes", bsize);
		return TOOL_FAILED;
	}
	progress_begin(&progress, "export", (uint64_t)nblock * bsize);
	for (size_t first = 0; first < nblock && status != TOOL_FAILED; first += chunk) {
		size_t n = nblock - first < chunk ? nblock - first : chunk;

		for (size_t i = 0; i < n; i++) {
			if (pmemblk_read(pool, buf + i * bsize, (long long)(first + i)) ==
			    0)
				continue;
			progress_end(&progress);
			tool_complain("block %zu: %s", first + i, pmemblk_errormsg());
			memset(buf + i * bsize, 0, bsize);
			status = TOOL_DAMAGED;
			if (!skip_errors)
				goto end;
		}
		if (!put(out, buf, n * bsize))
			status = TOOL_FAILED;
		progress_update(&progress, out->length);
	}
end:
	progress_end(&progress);
	free(buf);
	return status;
}

enum tool_status cmd_export(const struct tool_command *self, int argc, char **argv)
{
	enum tool_status status;
	bool skip_errors = false;
	bool force = false;
	struct output out;
	PMEMblkpool *pool;
	const char *path;
	const char *file;
	const struct tool_option options[] = {
	    {'f', "force", NULL, "overwrite FILE", TOOL_FLAG, &force, 0, 0},
	    {'e', "skip-errors", NULL,
	     "write zeros for blocks that cannot be read, and go on", TOOL_FLAG,
	     &skip_errors, 0, 0},
	    {0},
	};
	const struct tool_operand operands[] = {{"PATH", &path}, {"FILE", &file}, {0}};

	if (!tool_read_arguments(self, argc, argv, options, operands, &status))
		return status;
	pool = blocks_open_to_read(path);
	if (!pool)
		return TOOL_FAILED;
	if (open_output(&out, file, force)) {
		status = copy(pool, &out, skip_errors);
		if (!finish_output(&out, status == TOOL_OK ||
					     (status == TOOL_DAMAGED && skip_errors)) &&
		    status == TOOL_OK)
			status = TOOL_FAILED;
	} else {
		status = TOOL_FAILED;
	}
	pmemblk_close(pool);
	return status;
}
