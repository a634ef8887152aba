/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "commands/blocks.h"
#include "commands/descriptor.h"
#include "commands/interrupt.h"
#include "commands/tool.h"
#include "file.h"
#include "image/folder.h"

/* The smallest hole that is made. */
#define PIECE ((size_t)64 << 10)

/* Why nothing is written to a file. */
enum refusal {
	REFUSED_BY_SYSTEM, /* errno */
	REFUSED_OWN,	   /* a file of the pool */
	REFUSED_UNKNOWN,   /* perhaps one; errno */
	REFUSED_LOCKED,
};

/* --- signals --------------------------------------------------------------------------- */

/*
 * A signal leaves no part of a copy behind. Threads that write at this moment would fill the file again
 * behind the back of a signal handler, whether it empties it or removes its name. So the signal is held,
 * and the writer looks for it.
 */
static void hold(struct output *out)
{
	if (!out->is_held)
		interrupt_hold();
	out->is_held = true;
}

/* If a signal has come, the process dies here. */
static void release(struct output *out)
{
	if (out->is_held)
		interrupt_release();
	out->is_held = false;
}

static bool is_interrupted(const struct output *out)
{
	return out->is_held && interrupt_has_come();
}

/* --- opening ------------------------------------------------------------------------- */

/*
 * Opens an existing file. A regular file needs force. Devices and pipes do not, but a disk that
 * is in use is refused.
 */
static int open_existing(const char *name, bool force)
{
	int flags = O_WRONLY | O_CLOEXEC;
	struct stat st;

	if (stat(name, &st) != 0)
		return -1;
	if (S_ISREG(st.st_mode) && !force) {
		errno = EEXIST;
		return -1;
	}
	return open(name, S_ISBLK(st.st_mode) ? flags | O_EXCL : flags);
}

/*
 * A user who may not read the pool must not be able to read the copy. The folder may have given
 * the copy a group and an access control list. Until these are known, only the owner has
 * permissions.
 */
static void set_mode(int fd, const struct stat *st, const struct own_files *source)
{
	mode_t mask = umask(077);
	mode_t mode = source->mode & 0666;

	umask(mask);
	if (!source->is_one_group || st->st_gid != source->gid)
		mode &= 0600 | source->others;
	if (fgetxattr(fd, OWN_FILES_ACL, NULL, 0) > 0)
		mode &= 0600;
	mode &= ~mask;
	if (mode != (st->st_mode & 07777))
		fchmod(fd, mode);
}

static int make_new(struct output *out, const struct own_files *source)
{
	struct stat st;
	int fd;

	hold(out);
	fd =
	    open(out->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, source->mode & 0600);
	out->is_new = fd >= 0;
	if (fd < 0)
		release(out);
	else if (fstat(fd, &st) == 0)
		set_mode(fd, &st, source);
	return fd;
}

static int open_file(struct output *out, bool force, const struct own_files *source,
		     enum refusal *why)
{
	struct stat st;
	int fd;

	*why = REFUSED_BY_SYSTEM;
	/* First the errors that --force does not help against. */
	if (stat(out->name, &st) == 0 && own_files_has(source, &st)) {
		*why = REFUSED_OWN;
		return -1;
	}
	fd = make_new(out, source);
	if (fd < 0 && errno == EEXIST)
		fd = open_existing(out->name, force);
	return fd;
}

/* false: errno tells why */
static bool set_length(int fd, uint64_t len)
{
	int ret = file_set_length(fd, len);

	errno = -ret;
	return ret == 0;
}

/* The files of an open pool are locked, so an export cannot overwrite them. */
static bool lock(const struct output *out, enum refusal *why)
{
	if (flock(out->fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	*why = errno == EWOULDBLOCK ? REFUSED_LOCKED : REFUSED_BY_SYSTEM;
	return false;
}

/* Empties the file, after another check of what was really opened. */
static bool prepare(struct output *out, const struct own_files *source, enum refusal *why)
{
	enum own_files_answer answer;
	struct stat st;

	*why = REFUSED_BY_SYSTEM;
	if (fstat(out->fd, &st) != 0)
		return false;
	answer = own_files_look(source, out->fd, &st);
	if (answer != OWN_FILES_NO) {
		*why = answer == OWN_FILES_YES ? REFUSED_OWN : REFUSED_UNKNOWN;
		return false;
	}
	if (!S_ISREG(st.st_mode) || out->is_given)
		return true;
	out->has_holes = true;
	hold(out);
	if (!lock(out, why) || !set_length(out->fd, 0))
		return false;
	out->is_overwritten = !out->is_new;
	return true;
}

static void complain(const struct output *out, const struct own_files *source,
		     enum refusal why, const char *what)
{
	switch (why) {
	case REFUSED_OWN:
		own_files_complain(source, OWN_FILES_YES, out->name);
		break;
	case REFUSED_UNKNOWN:
		own_files_complain(source, OWN_FILES_UNKNOWN, out->name);
		break;
	case REFUSED_LOCKED:
		tool_complain("cannot write to %s: it is locked, perhaps as a pool "
			      "that is open",
			      out->name);
		break;
	case REFUSED_BY_SYSTEM:
		tool_complain("cannot %s %s: %s%s", what, out->name, strerror(errno),
			      errno == EEXIST ? " (--force overwrites it)" : "");
	}
}

bool output_begin(struct output *out, const char *name)
{
	int fd = descriptor_of(name, STDOUT_FILENO);

	*out = (struct output){.name = name, .fd = -1, .is_given = fd >= 0};
	if (strcmp(name, "-") == 0)
		out->name = "the standard output";
	if (fd < 0)
		return true;
	out->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (out->fd < 0)
		tool_complain("cannot open %s: %s", out->name, strerror(errno));
	return out->fd >= 0;
}

bool output_open(struct output *out, bool force, const struct own_files *source)
{
	enum refusal why = REFUSED_BY_SYSTEM;

	if (!out->is_given)
		out->fd = open_file(out, force, source, &why);
	if (out->fd < 0) {
		complain(out, source, why, "open");
		return false;
	}
	if (!prepare(out, source, &why)) {
		complain(out, source, why, "write to");
		return false;
	}
	return true;
}

/* --- writing ------------------------------------------------------------------------- */

/* For a pipe that does not block. */
static void wait_for_room(int fd)
{
	struct pollfd fds = {.fd = fd, .events = POLLOUT};

	while (poll(&fds, 1, -1) < 0 && errno == EINTR)
		;
	errno = EAGAIN;
}

static bool put_piece(struct output *out, const char *buf, size_t len)
{
	if (is_interrupted(out))
		return false; /* for output_finish() */
	if (out->has_holes && blocks_are_zero(buf, len)) {
		if (lseek(out->fd, (off_t)len, SEEK_CUR) < 0)
			goto fail;
		out->length += len;
		return true;
	}
	while (len > 0) {
		ssize_t n = write(out->fd, buf, len);

		if (n < 0 && errno == EAGAIN)
			wait_for_room(out->fd);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
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

bool output_put(struct output *out, const char *buf, size_t len)
{
	for (size_t off = 0; off < len; off += PIECE)
		if (!put_piece(out, buf + off, len - off < PIECE ? len - off : PIECE))
			return false;
	return true;
}

/*
 * Pipes, terminals and the like have nothing to sync. A regular file or a disk has: with EROFS a
 * file system says that its journal was aborted and that the copy is lost.
 */
static bool has_no_sync(int fd, int ret)
{
	struct stat st;

	if (ret != -EINVAL && ret != -EROFS && ret != -ENOTSUP)
		return false;
	return fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode);
}

static bool make_durable(struct output *out)
{
	int ret;

	if (out->has_holes && !set_length(out->fd, out->length))
		return false;
	ret = file_sync(out->fd);
	if (has_no_sync(out->fd, ret))
		return true;
	if (ret == 0 && out->is_new)
		ret = folder_sync(out->name, out->fd);
	errno = -ret;
	return ret == 0;
}

/* What a file held before cannot come back, but half of a copy must not be taken for a copy. */
static void empty(const struct output *out)
{
	const char *begin = is_interrupted(out) ? "interrupted: " : "";

	if (set_length(out->fd, 0))
		tool_complain("%s%s, which existed before, is left empty", begin,
			      out->name);
	else
		tool_complain("%s%s holds a part of the copy and cannot be emptied: %s",
			      begin, out->name, strerror(errno));
}

/*
 * Whoever has renamed the file, or gives it another name, must not have half of a copy either. If
 * somebody has removed it, there is nothing to say.
 */
static void discard(const struct output *out)
{
	int emptied = file_set_length(out->fd, 0);
	int removed = file_remove_made(out->name, out->fd);
	struct stat st;

	if (removed == 0 || (fstat(out->fd, &st) == 0 && st.st_nlink == 0))
		return;
	tool_complain("%scannot remove %s: %s; it %s",
		      is_interrupted(out) ? "interrupted: " : "", out->name,
		      strerror(-removed),
		      emptied == 0 ? "is left empty" : "holds a part of the copy");
}

bool output_finish(struct output *out, bool ok)
{
	if (ok && !make_durable(out)) {
		tool_complain("cannot write to %s: %s", out->name, strerror(errno));
		ok = false;
	}
	ok = ok && !is_interrupted(out);
	if (!ok && out->is_new)
		discard(out);
	if (!ok && out->is_overwritten)
		empty(out);
	if (out->fd >= 0)
		close(out->fd);
	release(out);
	return ok;
}
