/* SPDX-License-Identifier: BSD-3-Clause */
/* What stands where in a pool, for messages. */
#ifndef PLACE_H
#define PLACE_H 1

#include <stddef.h>
#include <stdint.h>

#include "poolset/map.h"

/*
 * Writes what the page at off of the pool image holds: "the map entries of blocks 0 to 1023". It
 * follows from the sizes of pool and blocks; the descriptor is read for it, unless it is that page.
 */
void place_describe(const struct poolset_mapping *map, uint64_t off, char *text,
		    size_t size);

#endif
