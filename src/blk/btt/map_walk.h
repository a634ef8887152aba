/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A walk over the map of an arena, in runs. A map is mostly one or the other: zeros, of which a
 * sparse file keeps none, or entries, page by page. Runs of zeros are skipped without reading the
 * pages of a hole: on a full disk not even reading them may work.
 */
#ifndef BTT_MAP_WALK_H
#define BTT_MAP_WALK_H 1

#include <stdbool.h>
#include <stdint.h>

#include "storage/storage.h"

struct btt_map_walk {
	struct storage *s;
	/* of the map, from the start of the storage: a multiple of the page */
	uint64_t map_off;
	uint32_t nentry;
	uint32_t next; /* the first entry that no run has held */
};

/* The entries [first, end). */
struct btt_map_run {
	uint32_t first;
	uint32_t end;
	/* all are zero, so initial; otherwise they lie in one page and may be read */
	bool zeros;
};

static inline struct btt_map_walk btt_map_walk_begin(struct storage *s, uint64_t map_off,
						     uint32_t nentry)
{
	return (struct btt_map_walk){s, map_off, nentry, 0};
}

/*
 * Finds the next run; false after the last entry. If a page cannot be read, a signal handler may
 * leave the call by a jump. Then the walk is where it was before the call.
 */
bool btt_map_walk_next(struct btt_map_walk *walk, struct btt_map_run *run);

#endif
