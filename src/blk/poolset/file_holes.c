/* SPDX-License-Identifier: BSD-3-Clause */
#include "poolset/file_holes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "kernel.h"

#define HOLE_PAGE 4096

/* How often all holes are punched, if some of them could not be. */
#define RESTORE_TRIES 3

/*
 * Finds the first allocated bytes in [off, end): [*begin, *behind). There are none, and both are
 * end, also where the file system cannot tell.
 */
static void find_allocated(int fd, off_t off, off_t end, off_t *begin, off_t *behind)
{
	union {
		struct fiemap map;
		unsigned char room[sizeof(struct fiemap) + sizeof(struct fiemap_extent)];
	} u = {.map = {.fm_start = (uint64_t)off,
		       .fm_length = (uint64_t)(end - off),
		       .fm_extent_count = 1}};
	const struct fiemap_extent *e = u.map.fm_extents;

	*begin = *behind = end;
	if (syscall(SYS_ioctl, fd, FS_IOC_FIEMAP, &u) != 0 ||
	    u.map.fm_mapped_extents == 0 || e->fe_logical >= (uint64_t)end ||
	    e->fe_logical + e->fe_length <= (uint64_t)off)
		return;
	*begin = (off_t)e->fe_logical > off ? (off_t)e->fe_logical : off;
	*behind = (off_t)(e->fe_logical + e->fe_length);
}

static int MUST_CHECK push(struct file_holes *holes, off_t off, off_t end)
{
	if (holes->n == holes->room) {
		unsigned room = holes->room ? 2 * holes->room : 16;
		struct file_hole *grown =
		    alloc_resize(holes->hole, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		holes->hole = grown;
		holes->room = room;
	}
	holes->hole[holes->n++] = (struct file_hole){off, end};
	return 0;
}

/*
 * Records [off, end), of which lseek(2) says that it is a hole. It also says so of space that was
 * allocated and never written, which has to stay.
 */
static int MUST_CHECK add(struct file_holes *holes, int fd, off_t off, off_t end)
{
	int ret = 0;

	while (off < end && holes->n < FILE_HOLES && ret == 0) {
		off_t begin;
		off_t behind;

		find_allocated(fd, off, end, &begin, &behind);
		if (begin > off)
			ret = push(holes, off, begin);
		off = behind;
	}
	return ret;
}

int file_holes_note(struct file_holes *holes, int fd)
{
	struct stat st;
	off_t off = 0;
	int ret = 0;

	holes->n = 0;
	/* not st_blocks: space behind the end counts there, too, and that of the list of extents */
	if (fstat(fd, &st) != 0)
		return 0;
	while (off < st.st_size && holes->n < FILE_HOLES && ret == 0) {
		off_t hole = lseek(fd, off, SEEK_HOLE);

		if (hole < 0 || hole >= st.st_size)
			return 0;
		off = lseek(fd, hole, SEEK_DATA);
		if (off < 0 && errno != ENXIO)
			return 0;
		/*
		 * the last page has to be punched as a whole, otherwise its block stays allocated
		 */
		if (off < 0)
			off = (st.st_size + HOLE_PAGE - 1) / HOLE_PAGE * HOLE_PAGE;
		ret = add(holes, fd, hole, off);
	}
	return ret;
}

/* Whether the range holds only zeros; bytes behind the end of the file are zero. */
static bool is_zero(int fd, off_t off, size_t len)
{
	char page[HOLE_PAGE];

	while (len > 0) {
		ssize_t n = pread(fd, page, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		for (ssize_t i = 0; i < n; i++)
			if (page[i] != 0)
				return false;
		off += n;
		len -= (size_t)n;
	}
	return true;
}

/*
 * Best effort: a failure may concern this place only. Then *again is set. Returns false if it concerns
 * the whole file, because the file system cannot punch holes, or is not allowed to.
 */
static bool punch(int fd, off_t off, off_t end, bool *again)
{
	while (off < end && fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off,
				      end - off) != 0) {
		if (errno == EINTR)
			continue;
		*again = true;
		return errno != EOPNOTSUPP && errno != ENOSYS && errno != EPERM;
	}
	return true;
}

/* Tries to punch all holes. Returns whether it is worth another try. */
static bool try_to_restore(const struct file_holes *holes, int fd)
{
	bool again = false;

	for (unsigned i = 0; i < holes->n; i++) {
		off_t off = holes->hole[i].off;
		const off_t end = holes->hole[i].end;

		while (off < end) {
			off_t data = lseek(fd, off, SEEK_DATA);
			off_t next;

			if (data < 0 && errno != ENXIO)
				return false;
			if (data < 0 || data > end)
				data = end;
			if (!punch(fd, off, data, &again))
				return false;
			next = end - data < HOLE_PAGE ? end : data + HOLE_PAGE;
			if (is_zero(fd, data, (size_t)(next - data)) &&
			    !punch(fd, data, next, &again))
				return false;
			off = next;
		}
	}
	return again;
}

/*
 * On a full disk there may be no space to note that a range is freed. Other holes give the space, so
 * what has failed is tried again.
 */
void file_holes_restore(const struct file_holes *holes, int fd)
{
	for (int i = 0; i < RESTORE_TRIES && try_to_restore(holes, fd); i++)
		;
}

void file_holes_free(struct file_holes *holes)
{
	alloc_free(holes->hole);
	*holes = (struct file_holes){0};
}
