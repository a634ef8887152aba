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
	const char *why_not; /* a reason why it is not persistent memory, or NULL */
	bool sync_refused;   /* MAP_SYNC was asked for in vain */
};

/*
 * As pmem_map_file; registers the range with is_pmem where it is persistent memory. 0, or
 * -errno with the message set, and then files are as before.
 */
int map_file(const char *path, size_t len, int flags, mode_t mode,
	     struct map_file_result *result) MUST_CHECK;

/* As pmem_unmap. */
int map_file_unmap(void *addr, size_t len) MUST_CHECK;

#endif
