/* SPDX-License-Identifier: BSD-3-Clause */
#include "btt/redo.h"

#include "btt/flog.h"
#include "btt/map.h"

/* The current record of a slot that a last write may be changing; false: there is none. */
static bool load_record(const struct btt *btt, const struct btt_arena *arena, unsigned n,
			struct btt_flog_record *rec)
{
	uint64_t off = btt_arena_slot_off(arena, n);
	/* acquire: a second half that is seen comes with its first half */
	uint64_t second[2] = {
	    storage_load64(btt->storage, off + 8, memory_order_acquire),
	    storage_load64(btt->storage, off + 24, memory_order_acquire),
	};
	int cur = btt_flog_find_current((uint32_t)(second[0] >> 32),
					(uint32_t)(second[1] >> 32));
	uint64_t first;

	if (cur < 0)
		return false;
	first =
	    storage_load64(btt->storage, off + 16 * (unsigned)cur, memory_order_relaxed);
	*rec = (struct btt_flog_record){.premap = (uint32_t)first,
					.old_map = (uint32_t)(first >> 32),
					.new_map = (uint32_t)second[cur]};
	return true;
}

uint32_t btt_redo_entry_locked(const struct btt *btt, const struct btt_arena *arena,
			       uint32_t premap, uint32_t entry)
{
	/* recovery redid nothing there that it did not trust */
	if (atomic_load_explicit(&arena->read_only, memory_order_relaxed))
		return entry;
	for (unsigned n = 0; n < BTT_NFREE; n++) {
		struct btt_flog_record rec;

		if (load_record(btt, arena, n, &rec) && rec.premap == premap &&
		    rec.old_map == btt_map_normalize(entry, premap) &&
		    rec.old_map != rec.new_map)
			entry = rec.new_map;
	}
	return entry;
}
