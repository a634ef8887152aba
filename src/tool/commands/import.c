/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A piece is a batch: its data blocks are stored with one call, and each run of blocks of zeros
 * with another one. On an ordinary file a batch takes two syncs, however many blocks it has.
 * Threads that wait at the same time share a sync. So a batch of few large blocks has more threads.
 */
#include "commands/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "commands/blocks.h"
#include "commands/descriptor.h"
#include "commands/interrupt.h"
#include "commands/own_files.h"
#include "commands/pieces.h"
#include "commands/progress.h"

/* The most threads, and the most blocks that they store at the same time. */
#define NTHREAD 32u
#define NBLOCK (3 * BLOCKS_BATCH)

struct input {
	const char *name; /* for messages */
	int fd;
	bool is_given; /* was open already */
	struct stat st;
	uint64_t length; /* bytes from the present offset on; 0: not known */
};

struct import_job {
	PMEMblkpool *pool;
	const char *path;
	const struct input *in;
	size_t bsize;
	size_t piece_size;
	uint64_t first; /* block */
	uint64_t room;	/* bytes from that block to the end */
	int signal_fd;
	uint64_t ntaken; /* bytes */
	bool is_too_long;
	bool is_interrupted;
	int read_error;	  /* errno, or 0 */
	uint64_t nput;	  /* bytes */
	bool has_stopped; /* storing a block failed */
	struct progress progress;
};

static void close_input(const struct input *in)
{
	if (!in->is_given)
		close(in->fd);
}

/* A descriptor that somebody else has read from stands in the middle of its file. */
static uint64_t bytes_left(const struct input *in)
{
	off_t at = lseek(in->fd, 0, SEEK_CUR);

	if (at < 0)
		at = 0;
	return in->st.st_size > at ? (uint64_t)(in->st.st_size - at) : 0;
}

static bool open_input(struct input *in, const char *name)
{
	int fd = descriptor_of(name, STDIN_FILENO);

	*in = (struct input){.name = name, .fd = fd, .is_given = fd >= 0};
	if (strcmp(name, "-") == 0)
		in->name = "the standard input";
	if (!in->is_given)
		in->fd = open(name, O_RDONLY | O_CLOEXEC);
	if (in->fd < 0 || fstat(in->fd, &in->st) != 0) {
		tool_complain("cannot open %s: %s", in->name, strerror(errno));
		return false;
	}
	if (S_ISREG(in->st.st_mode)) {
		in->length = bytes_left(in);
	} else if (S_ISDIR(in->st.st_mode)) {
		tool_complain("cannot read %s: %s", in->name, strerror(EISDIR));
		close_input(in);
		return false;
	}
	return true;
}

/* If the input were a file of the pool, the import would read what it writes. */
static bool is_foreign(const struct input *in, const char *path)
{
	enum own_files_answer answer;
	struct own_files files;

	if (!own_files_init(&files, path, NULL))
		return false;
	answer = own_files_look(&files, in->fd, &in->st);
	if (answer != OWN_FILES_NO)
		own_files_complain(&files, answer, in->name);
	own_files_fini(&files);
	return answer == OWN_FILES_NO;
}

/* --- pieces -------------------------------------------------------------------------- */

/* Waits for input. Returns false if a signal comes first. */
static bool wait_for_input(struct import_job *m)
{
	struct pollfd fds[] = {{.fd = m->in->fd, .events = POLLIN},
			       {.fd = m->signal_fd, .events = POLLIN}};

	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	m->is_interrupted = m->is_interrupted || fds[1].revents != 0;
	return !m->is_interrupted;
}

/* Reads len bytes; fewer only at the end, after an error, or after a signal. */
static size_t get(struct import_job *m, char *buf, size_t len)
{
	size_t done = 0;

	while (done < len && wait_for_input(m)) {
		ssize_t n = read(m->in->fd, buf + done, len - done);

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0) {
			m->read_error = errno;
			break;
		}
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return done;
}

static bool take(void *arg, struct piece *piece)
{
	struct import_job *m = arg;
	uint64_t left = m->room - m->ntaken;
	size_t len;

	if (m->read_error || m->is_too_long)
		return false;
	len = get(m, piece->buf, m->piece_size);
	if (m->is_interrupted || m->read_error) /* whole blocks only */
		len -= len % m->bsize;
	if (len > left) {
		m->is_too_long = true;
		len = (size_t)left;
	}
	/* The end of the file may be in the middle of a block. */
	memset(piece->buf + len, 0, (m->bsize - len % m->bsize) % m->bsize);
	piece->first = m->first + m->ntaken / m->bsize;
	piece->nblock = (len + m->bsize - 1) / m->bsize;
	piece->len = len;
	m->ntaken += len;
	return len != 0;
}

/*
 * Stores whether block i is zero. Returns the number of blocks, from i on and below n, for which the
 * same is true.
 */
static size_t run_length(const struct import_job *m, const struct piece *piece, size_t i,
			 size_t n, bool *is_zero)
{
	size_t end = i + 1;

	*is_zero = blocks_are_zero(piece->buf + i * m->bsize, m->bsize);
	while (end < n &&
	       blocks_are_zero(piece->buf + end * m->bsize, m->bsize) == *is_zero)
		end++;
	return end - i;
}

/* Stores the first n blocks of a piece. If that fails, *failed is that of the library. */
static bool store_blocks(const struct import_job *m, const struct piece *piece, size_t n,
			 long long *failed)
{
	struct pmemblk_iovec
	    iov[BLOCKS_BATCH / 2 + 1]; /* a run of zeros between any two */
	size_t niov = 0;

	for (size_t i = 0; i < n;) {
		long long first = (long long)(piece->first + i);
		bool is_zero;
		size_t nrun = run_length(m, piece, i, n, &is_zero);

		if (!is_zero)
			iov[niov++] = (struct pmemblk_iovec){piece->buf + i * m->bsize,
							     first, nrun};
		else if (pmemblk_set_zero_range(m->pool, first, nrun, failed) != 0)
			return false;
		i += nrun;
	}
	return pmemblk_writev(m->pool, iov, niov, failed) == 0;
}

/*
 * If a block cannot be stored, stores the blocks before it, so that the import can say how far it
 * came. After a failed sync, or an error of the medium, nothing more can be stored.
 */
static void store(void *arg, struct piece *piece)
{
	const struct import_job *m = arg;
	long long failed;

	piece->ndone = piece->nblock;
	piece->is_block = true;
	while (piece->ndone && !store_blocks(m, piece, piece->ndone, &failed)) {
		piece->is_block = failed >= 0;
		piece->ndone =
		    piece->is_block ? (size_t)failed - (size_t)piece->first : 0;
		piece->why = pmemblk_errormsg();
	}
}

/* A hint for a failed store: there may be no space for a hole of the pool's file. */
static const char *hint(const struct import_job *m)
{
	struct statvfs fs;

	return statvfs(m->path, &fs) == 0 && fs.f_bavail == 0
		   ? "; its file has holes, and the file system is full"
		   : "";
}

static void complain(const struct import_job *m, const struct piece *piece)
{
	uint64_t first = piece->first + piece->ndone;
	uint64_t last = piece->is_block ? first : piece->first + piece->nblock - 1;

	if (last == first)
		tool_complain("block %llu: %s%s", ULL(first), piece->why, hint(m));
	else
		tool_complain("blocks %llu to %llu: %s%s", ULL(first), ULL(last),
			      piece->why, hint(m));
}

static bool put(void *arg, const struct piece *piece)
{
	struct import_job *m = arg;

	if (piece->ndone < piece->nblock) {
		m->nput += piece->ndone * m->bsize;
		m->has_stopped = true;
		progress_clear(&m->progress);
		complain(m, piece);
		return false;
	}
	m->nput += piece->len;
	progress_update(&m->progress, m->nput);
	return true;
}

/* --- the whole ----------------------------------------------------------------------- */

static enum tool_status report(const struct import_job *m)
{
	uint64_t nblock = (m->nput + m->bsize - 1) / m->bsize;
	bool is_whole = !m->read_error && !m->has_stopped && !m->is_interrupted;

	if (m->is_too_long && is_whole) {
		tool_complain("%s does not fit the pool: the blocks up to its end were "
			      "written",
			      m->in->name);
		return TOOL_FAILED;
	}
	if (is_whole) {
		tool_say(nblock == 1 ? "%llu bytes in %llu block"
				     : "%llu bytes in %llu blocks",
			 ULL(m->nput), ULL(nblock));
		return TOOL_OK;
	}
	if (m->read_error)
		tool_complain("cannot read %s: %s", m->in->name, strerror(m->read_error));
	if (nblock == 0)
		tool_complain("%snothing was written%s",
			      m->is_interrupted ? "interrupted: " : "",
			      m->has_stopped ? " before that block" : "");
	else
		tool_complain("%s%llu bytes were written, to blocks %llu to %llu%s",
			      m->is_interrupted ? "interrupted: " : "", ULL(m->nput),
			      ULL(m->first), ULL(m->first + nblock - 1),
			      m->has_stopped ? ", and perhaps some behind them" : "");
	return TOOL_FAILED;
}

static enum tool_status copy(PMEMblkpool *pool, const char *path, const struct input *in,
			     uint64_t first)
{
	size_t bsize = pmemblk_bsize(pool);
	struct import_job m = {.pool = pool,
			       .path = path,
			       .in = in,
			       .bsize = bsize,
			       .piece_size = blocks_per_batch(pool) * bsize,
			       .first = first,
			       .room = (pmemblk_nblock(pool) - first) * bsize};
	struct pieces_job job = {.arg = &m,
				 .take = take,
				 .work = store,
				 .put = put,
				 .piece_size = m.piece_size,
				 .nthread = (unsigned)(NBLOCK / blocks_per_batch(pool))};
	bool has_run;

	if (job.nthread > NTHREAD)
		job.nthread = NTHREAD;
	if (in->length != 0 && in->length / m.piece_size + 1 < job.nthread)
		job.nthread = (unsigned)(in->length / m.piece_size + 1);
	interrupt_hold();
	m.signal_fd = interrupt_descriptor();
	progress_begin(&m.progress, "import", in->length);
	has_run = pieces_run(&job);
	progress_end(&m.progress);
	if (m.signal_fd >= 0)
		close(m.signal_fd);
	if (has_run)
		return report(&m);
	tool_complain("out of memory for blocks of %zu bytes", bsize);
	return TOOL_FAILED;
}

static enum tool_status import(PMEMblkpool *pool, const char *path,
			       const struct input *in, uint64_t first)
{
	size_t bsize = pmemblk_bsize(pool);
	uint64_t room;

	if (!blocks_have(pool, path, first))
		return TOOL_FAILED;
	room = (pmemblk_nblock(pool) - first) * bsize;
	if (in->length > room) {
		tool_complain("%s has %llu bytes, but there is room for %llu; nothing "
			      "was written",
			      in->name, ULL(in->length), ULL(room));
		return TOOL_FAILED;
	}
	return copy(pool, path, in, first);
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
		if (is_foreign(&in, path))
			status = import(pool, path, &in, first);
		pmemblk_close(pool);
		interrupt_release(); /* the pool is closed properly first */
	}
	close_input(&in);
	return status;
}
