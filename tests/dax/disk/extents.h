/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a file's bytes are on its disk, in bytes. Every failure ends the program. */
#ifndef EXTENTS_H
#define EXTENTS_H 1

#include <stdint.h>

#define MAX_EXTENTS 64

struct extent {
	uint64_t disk_off, length;
};

/* Those of the file from off to end, in the file's order; writes nothing back. Returns how many. */
unsigned extents_find(const char *path, uint64_t off, uint64_t end,
		      struct extent extent[MAX_EXTENTS]);

#endif
