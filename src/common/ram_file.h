/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files on file systems that keep them in memory and have no limit: ramfs, and tmpfs with size=0.
 * The kernel does not refuse any allocation there. When the memory is full it kills processes. On
 * ramfs pages are never freed before the file is, and reading a hole allocates a page.
 */
#ifndef RAM_FILE_H
#define RAM_FILE_H 1

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

/*
 * Whether the available memory is enough to fill the file up to len bytes. True for files on
 * other file systems.
 */
bool ram_file_has_room(int fd, uint64_t len) MUST_CHECK;

/* -EFBIG, message set, if the file is on ramfs and len is more than the memory of the machine. */
int ram_file_check_length(int fd, uint64_t len) MUST_CHECK;

#endif
