/* SPDX-License-Identifier: BSD-3-Clause */
#include "btt/map_walk.h"

#include "btt/format.h"
#include "btt/nonzero.h"

#define ENTRIES_PER_PAGE (BTT_PAGE / BTT_MAP_ENTRY_SIZE)

bool btt_map_walk_next(struct btt_map_walk *walk, struct btt_map_run *run)
{
	uint64_t end = walk->map_off + (uint64_t)walk->nentry * BTT_MAP_ENTRY_SIZE;
	uint64_t off = walk->map_off + (uint64_t)walk->next * BTT_MAP_ENTRY_SIZE;
	uint64_t byte; /* any byte of an entry */
	uint32_t used;

	if (walk->next == walk->nentry)
		return false;
	byte = btt_nonzero_find(walk->s, off, end);
	used = (uint32_t)((byte - walk->map_off) / BTT_MAP_ENTRY_SIZE);
	run->first = walk->next;
	run->zeros = used != walk->next;
	if (run->zeros) {
		run->end = used;
	} else {
		/* to the end of the page: the next one may be a hole */
		run->end = (used / ENTRIES_PER_PAGE + 1) * ENTRIES_PER_PAGE;
		if (run->end > walk->nentry)
			run->end = walk->nentry;
	}
	walk->next = run->end;
	return true;
}
