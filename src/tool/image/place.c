/* SPDX-License-Identifier: BSD-3-Clause */
#include "image/place.h"

#include <stdio.h>
#include <string.h>

#include "base/pool_format.h"
#include "btt/format.h"
#include "btt/geometry.h"

/* first: the user's number of the arena's first block. off: from the arena's start. */
static void describe(const struct btt_geometry *geo, unsigned arena, uint64_t first,
		     uint64_t off, char *text, size_t size)
{
	uint64_t lo = (off - geo->map_arena_off) / BTT_MAP_ENTRY_SIZE;
	uint64_t hi = lo + POOL_PAGE / BTT_MAP_ENTRY_SIZE - 1;

	if (hi >= geo->external_nlba)
		hi = geo->external_nlba - 1;
	if (off < geo->data_arena_off || off >= geo->info_arena_off)
		snprintf(text, size, "an info block of arena %u", arena);
	else if (off < geo->map_arena_off)
		snprintf(text, size, "data of arena %u", arena);
	else if (off < geo->flog_arena_off && lo < geo->external_nlba)
		snprintf(text, size, "the map entries of blocks %llu to %llu",
			 ULL(first + lo), ULL(first + hi));
	else
		snprintf(text, size, "the flog of arena %u", arena);
}

void place_describe(const struct poolset_mapping *map, uint64_t off, char *text,
		    size_t size)
{
	struct pool_descriptor d;
	uint64_t start = 0;
	uint64_t first = 0;
	uint64_t len;

	snprintf(text, size, "%s",
		 off < POOL_DESCRIPTOR_OFF ? "the header"
		 : off < POOL_DATA_OFF	   ? "the descriptor"
					   : "the data area");
	if (off < POOL_DATA_OFF)
		return;
	memcpy(&d, map->base + POOL_DESCRIPTOR_OFF, sizeof(d));
	for (unsigned arena = 0;
	     (len = btt_geometry_arena_size(map->size - POOL_DATA_OFF, start)) != 0;
	     arena++) {
		struct btt_geometry geo;

		if (le32_to_cpu(d.bsize) == 0 ||
		    btt_geometry_arena(len, le32_to_cpu(d.bsize), &geo) != 0)
			return;
		if (off - POOL_DATA_OFF < start + len) {
			describe(&geo, arena, first, off - POOL_DATA_OFF - start, text,
				 size);
			return;
		}
		start += len;
		first += geo.external_nlba;
	}
}
