/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finds out what a path names; file operations that both libraries need. Functions return
 * 0 or -errno and have set the message when they fail, unless a comment says otherwise.
 */
#ifndef FILE_H
#define FILE_H 1

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "compiler.h"

enum file_type {
	FILE_ABSENT,
	FILE_REGULAR,
	FILE_DIRECTORY,
	FILE_DEVDAX, /* a character device of the kernel's "dax" class */
};

/*
 * Finds out what path names. Follows symbolic links; a dangling link is FILE_ABSENT.
 * -EINVAL for everything that cannot be mapped (fifo, socket, block device, other
 * character devices); -ENOTDIR, -ELOOP, -EACCES, -ENAMETOOLONG as from access(2).
 */
int file_classify(const char *path, enum file_type *type) MUST_CHECK;

/*
 * Between the two calls this thread gets no SIGXFSZ, which would end the program: a call that goes
 * beyond RLIMIT_FSIZE only fails with EFBIG. Functions of this file that change a length do this
 * themselves.
 */
struct file_limit {
	bool is_held;
	bool was_pending;
	sigset_t before;
};
void file_limit_hold(struct file_limit *limit);
void file_limit_release(const struct file_limit *limit);

/*
 * As ftruncate(2) and fsync(2), with -errno, and begin again when a signal interrupts them. They
 * set no message.
 */
int file_set_length(int fd, uint64_t len) MUST_CHECK;
int file_sync(int fd) MUST_CHECK;

/*
 * Allocates [0, len) of a file with posix_fallocate. If that is interrupted or the kernel
 * is short of memory, it allocates in smaller pieces. If the file system cannot allocate,
 * it writes to each block. The contents of the file do not change. Sets no message.
 */
int file_allocate(int fd, uint64_t len) MUST_CHECK;

/*
 * Reads len bytes; fewer only at the end of the file. Goes on after signals. Returns their number
 * or -errno; sets no message.
 */
ssize_t file_read(int fd, void *buf, size_t len) MUST_CHECK;

/*
 * Removes the file that the caller has made at path, also through symbolic links, and
 * that fd has open. A file that somebody else has put there meanwhile stays. Returns 0 or
 * -errno, -ENOENT if path names no file or another one; sets no message.
 */
int file_remove_made(const char *path, int fd);

/*
 * Checks that the process may make files of len bytes. -EFBIG if off_t or RLIMIT_FSIZE
 * forbids it.
 */
int file_check_size_limit(uint64_t len) MUST_CHECK;

/*
 * The size and the mapping alignment, in bytes, of the device DAX character device at
 * path. They come from sysfs, without libndctl; CXL and hmem devices work, too.
 */
int file_devdax_size(const char *path, uint64_t *size) MUST_CHECK;
int file_devdax_alignment(const char *path, uint64_t *align) MUST_CHECK;

#endif
