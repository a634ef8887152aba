/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files on file systems that keep them in memory: ramfs and tmpfs. The kernel refuses no allocation
 * there, except beyond the limit that tmpfs has unless it was mounted with size=0. When the memory is
 * full, that of the machine or that of a group of processes (cgroup.h), it kills processes. On ramfs
 * pages are never freed before the file is, and reading a hole allocates a page.
 */
#ifndef RAM_FILE_H
#define RAM_FILE_H 1

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

/*
 * Whether there is memory to fill the file up to len bytes: in the groups of this process, and in the
 * machine where the file system has no limit. True for files on other file systems.
 */
bool ram_file_has_room(int fd, uint64_t len) MUST_CHECK;

/* -EFBIG, message set, if the file is on ramfs and len is more than the memory of the machine. */
int ram_file_check_length(int fd, uint64_t len) MUST_CHECK;

#endif
