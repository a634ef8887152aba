/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/tool.h"

#include <stdio.h>
#include <string.h>

#include "commands/blocks.h"
#include "commands/output.h"
#include "commands/pieces.h"
#include "commands/progress.h"

/* More threads would only wait for each other, because the pieces are written one by one. */
#define NTHREAD 4u

struct export_job {
	PMEMblkpool *pool;
	uint64_t nblock;
	size_t bsize;
	bool skip_errors;
	struct output *out;
	struct progress progress;
	uint64_t next; /* the next block to take */
	enum tool_status status;
};

static bool take(void *arg, struct piece *piece)
{
	struct export_job *e = arg;
	uint64_t left = e->nblock - e->next;
	size_t chunk = blocks_per_chunk(e->pool);

	piece->first = e->next;
	piece->nblock = left < chunk ? (size_t)left : chunk;
	piece->ndone = 0;
	e->next += piece->nblock;
	return piece->nblock != 0;
}

/* Reads up to the first block that cannot be read. */
static void load(void *arg, struct piece *piece)
{
	const struct export_job *e = arg;
	const struct pmemblk_iovec iov = {piece->buf, (long long)piece->first,
					  piece->nblock};
	long long failed;

	piece->ndone = piece->nblock;
	if (pmemblk_readv(e->pool, &iov, 1, &failed) != 0)
		piece->ndone = failed < 0 ? 0 : (size_t)failed - (size_t)piece->first;
}

/* Reads the rest of a piece with an unreadable block. Such blocks are named in order. */
static void load_rest(struct export_job *e, const struct piece *piece)
{
	for (size_t i = piece->ndone; i < piece->nblock; i++) {
		char *block = piece->buf + i * e->bsize;
		uint64_t number = piece->first + i;

		if (pmemblk_read(e->pool, block, (long long)number) == 0)
			continue;
		progress_clear(&e->progress);
		tool_complain("block %llu: %s", ULL(number), pmemblk_errormsg());
		memset(block, 0, e->bsize);
		e->status = TOOL_DAMAGED;
		if (!e->skip_errors)
			return;
	}
}

static bool put(void *arg, const struct piece *piece)
{
	struct export_job *e = arg;

	load_rest(e, piece);
	if (e->status == TOOL_DAMAGED && !e->skip_errors)
		return false;
	if (!output_put(e->out, piece->buf, piece->nblock * e->bsize)) {
		e->status = TOOL_FAILED;
		return false;
	}
	progress_update(&e->progress, e->out->length);
	return true;
}

static enum tool_status copy(PMEMblkpool *pool, struct output *out, bool skip_errors)
{
	struct export_job e = {.pool = pool,
			       .nblock = pmemblk_nblock(pool),
			       .bsize = pmemblk_bsize(pool),
			       .skip_errors = skip_errors,
			       .out = out,
			       .status = TOOL_OK};
	struct pieces_job job = {.arg = &e,
				 .take = take,
				 .work = load,
				 .put = put,
				 .piece_size = blocks_per_chunk(pool) * e.bsize,
				 .nthread = NTHREAD};

	progress_begin(&e.progress, "export", e.nblock * e.bsize);
	if (!pieces_run(&job)) {
		tool_complain("out of memory for blocks of %zu bytes", e.bsize);
		e.status = TOOL_FAILED;
	}
	progress_end(&e.progress);
	return e.status;
}

/* What must not be overwritten is known when the pool is open. */
static bool open_output(struct output *out, const char *path, bool force)
{
	struct own_files source;
	bool ok;

	if (!own_files_init(&source, path, NULL))
		return false;
	ok = output_open(out, force, &source);
	own_files_fini(&source);
	return ok;
}

static enum tool_status export_pool(const char *path, struct output *out, bool force,
				    bool skip_errors)
{
	enum tool_status status = TOOL_FAILED;
	PMEMblkpool *pool = blocks_open_to_read(path);

	if (!pool)
		return TOOL_FAILED;
	if (open_output(out, path, force))
		status = copy(pool, out, skip_errors);
	pmemblk_close(pool);
	return status;
}

enum tool_status cmd_export(const struct tool_command *self, int argc, char **argv)
{
	enum tool_status status;
	bool skip_errors = false;
	bool force = false;
	bool complete;
	struct output out;
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
	if (!output_begin(&out, file))
		return TOOL_FAILED;
	status = export_pool(path, &out, force, skip_errors);
	complete = status == TOOL_OK || (status == TOOL_DAMAGED && skip_errors);
	if (!output_finish(&out, complete) && complete)
		status = TOOL_FAILED;
	return status;
}
