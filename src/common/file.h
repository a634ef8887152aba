/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a path names, and file operations that both libraries need. Functions return 0 or
 * -errno and have set the message when they fail, unless a comment says otherwise.
 */
#ifndef FILE_H
#define FILE_H 1

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
 * Finds out what path names, following symbolic links; a dangling link is FILE_ABSENT.
 * Everything that can't be mapped (fifo, socket, block device, other character devices)
 * is -EINVAL; -ENOTDIR, -ELOOP, -EACCES, -ENAMETOOLONG as from access(2).
 */
int file_classify(const char *path, enum file_type *type) MUST_CHECK;

/*
 * Allocates [0, len) of a file by posix_fallocate, in smaller pieces where the kernel has
 * been interrupted or is short of memory, and by touching its blocks where the file system
 * cannot. Nothing that the file holds changes. Sets no message.
 */
int file_allocate(int fd, uint64_t len) MUST_CHECK;

/*
 * Removes the file that fd has open and that the caller has made at path, wherever symbolic links
 * led to. What somebody else has put there meanwhile stays.
 */
void file_remove_made(const char *path, int fd);

/*
 * Checks that the process may make files of len bytes: -EFBIG where off_t or RLIMIT_FSIZE
 * forbids it (without the check the kernel would send SIGXFSZ).
 */
int file_check_size_limit(uint64_t len) MUST_CHECK;

/*
 * Size and mapping alignment in bytes of the device DAX character device with this path,
 * as sysfs tells (no libndctl; CXL and hmem devices work too).
 */
int file_devdax_size(const char *path, uint64_t *size) MUST_CHECK;
int file_devdax_alignment(const char *path, uint64_t *align) MUST_CHECK;

#endif
