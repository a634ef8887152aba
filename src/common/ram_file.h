/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files on file systems that keep them in memory and know no limit: ramfs, and tmpfs without one.
 * Nothing there says no: who fills too much ends the machine. No page of ramfs is ever given
 * back, and reading a hole makes one.
 */
#ifndef RAM_FILE_H
#define RAM_FILE_H 1

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

/*
 * Whether the file can be filled up to len bytes with the memory that the machine can spare.
 * True for files on other file systems, and where the kernel does not tell.
 */
bool ram_file_has_room(int fd, uint64_t len) MUST_CHECK;

/* -EFBIG, message set, if this is a file of ramfs and longer than the memory of the machine. */
int ram_file_check_length(int fd, uint64_t len) MUST_CHECK;

#endif
