/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The place where the tests of pmem_map_file work: a folder with files of all kinds, and
 * functions that replace libc's, record their calls and fail on demand.
 */
#ifndef MAP_PLACE_H
#define MAP_PLACE_H 1

#include <errno.h>
#include <fcntl.h>
#include <libpmem.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "map_sync.h"
#include "support.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define CREATE PMEM_FILE_CREATE
#define EXCL PMEM_FILE_EXCL
#define SPARSE PMEM_FILE_SPARSE
#define TMPFILE PMEM_FILE_TMPFILE

/* --- interposed functions ------------------------------------------------------------ */

static struct {
	char calls[16]; /* t: ftruncate, f: posix_fallocate */
	int fallocate_err;
	int open_tmpfile_err;
	int tmpfile_flags; /* the flags of the last open with O_TMPFILE */
	mode_t tmpfile_mode;
} map_place_libc;

static unsigned map_place_leaks;

static inline void map_place_record(char c)
{
	size_t n = strlen(map_place_libc.calls);

	if (n + 1 < sizeof(map_place_libc.calls))
		map_place_libc.calls[n] = c;
}

SUPPORT_INTERPOSE int ftruncate(int fd, off_t len)
{
	map_place_record('t');
	return (int)syscall(SYS_ftruncate, fd, len);
}

/* Allocates the first half, like a file system that becomes full during the call. */
SUPPORT_INTERPOSE int posix_fallocate(int fd, off_t off, off_t len)
{
	bool fail = map_place_libc.fallocate_err != 0;

	map_place_record('f');
	if (syscall(SYS_fallocate, fd, 0, off, fail && len > 1 ? len / 2 : len) != 0)
		return errno;
	return map_place_libc.fallocate_err;
}

SUPPORT_INTERPOSE int open(const char *path, int flags, ...)
{
	mode_t mode = 0;

	if (flags & (O_CREAT | O_TMPFILE)) {
		va_list ap;

		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	if ((flags & O_TMPFILE) == O_TMPFILE) {
		map_place_libc.tmpfile_flags = flags;
		map_place_libc.tmpfile_mode = mode;
	}
	if ((flags & O_TMPFILE) == O_TMPFILE && map_place_libc.open_tmpfile_err) {
		errno = map_place_libc.open_tmpfile_err;
		return -1;
	}
	if (!(flags & O_CLOEXEC))
		map_place_leaks++;
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* --- the place ----------------------------------------------------------------------- */

static inline void map_place_write(const char *name, size_t len)
{
	static char data[8192];
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	memset(data, 'F', sizeof(data));
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

/* Makes in the current folder F (8192 bytes), E (empty), D (folder) and some links, but no N. */
static inline void map_place_make(void)
{
	unlink("N");
	unlink("F");
	unlink("E");
	unlink("target");
	mkdir("D", 0755);
	map_place_write("F", 8192);
	map_place_write("E", 0);
	if (access("fifo", F_OK) != 0) {
		assert_int_equal(mkfifo("fifo", 0600), 0);
		assert_int_equal(symlink("loop", "loop"), 0);
		assert_int_equal(symlink("F", "link"), 0);
		assert_int_equal(symlink("target", "dangling"), 0);
	}
	memset(&map_place_libc, 0, sizeof(map_place_libc));
}

/* Whether F still has its contents. */
static inline bool map_place_is_intact(void)
{
	unsigned char *data;
	size_t len;
	bool intact;

	data = support_read_file("F", &len);
	intact = len == 8192;
	for (size_t i = 0; i < len; i++)
		intact = intact && data[i] == 'F';
	free(data);
	return intact;
}

static inline void map_place_enter(bool shm)
{
	assert_int_equal(chmod(support_tmpdir(shm), 0755), 0);
	assert_int_equal(chdir(support_tmpdir(shm)), 0);
	map_place_make();
}

static inline long long map_place_size(const char *name)
{
	struct stat st;

	return stat(name, &st) == 0 ? (long long)st.st_size : -1;
}

#endif
