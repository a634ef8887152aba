/* SPDX-License-Identifier: BSD-3-Clause */
/* Describes places in a pool, for messages. */
#ifndef PLACE_H
#define PLACE_H 1

#include <stddef.h>
#include <stdint.h>

#include "poolset/map.h"

/*
 * Writes to text what the page at off of the pool image holds: "the map entries of blocks 0 to
 * 1023". This follows from the sizes of the pool and of its blocks. The function reads the
 * descriptor for it, unless the page is that of the descriptor.
 */
void place_describe(const struct poolset_mapping *map, uint64_t off, char *text,
		    size_t size);

#endif
