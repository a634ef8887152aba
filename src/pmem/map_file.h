/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MAP_FILE_H
#define MAP_FILE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "compiler.h"

struct map_file_result {
	void *addr;
	size_t len;
	/* the reason why the mapping is not persistent memory, or NULL */
	const char *why_not;
	bool sync_refused; /* the file system refused MAP_SYNC */
};

/*
 * As pmem_map_file. Registers the range with is_pmem if it is persistent memory. 0, or
 * -errno with the message set; files are as they were before then.
 */
int map_file(const char *path, size_t len, int flags, mode_t mode,
	     struct map_file_result *result) MUST_CHECK;

/* As pmem_unmap. */
int map_file_unmap(void *addr, size_t len) MUST_CHECK;

#endif
