/* SPDX-License-Identifier: BSD-3-Clause */
#include "btt/redo.h"

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

static uint32_t apply(const struct btt_flog_record *rec, uint32_t premap, uint32_t entry)
{
	if (rec->premap == premap && rec->old_map == btt_map_normalize(entry, premap) &&
	    rec->old_map != rec->new_map)
		return rec->new_map;
	return entry;
}

/* Recovery redid nothing in a read-only arena, which it did not trust. */
uint32_t btt_redo_entry_locked(const struct btt *btt, const struct btt_arena *arena,
			       uint32_t premap, uint32_t entry)
{
	if (atomic_load_explicit(&arena->read_only, memory_order_relaxed))
		return entry;
	for (unsigned n = 0; n < BTT_NFREE; n++) {
		struct btt_flog_record rec;

		if (load_record(btt, arena, n, &rec))
			entry = apply(&rec, premap, entry);
	}
	return entry;
}

void btt_redo_collect_locked(const struct btt *btt, const struct btt_arena *arena,
			     uint32_t first, uint32_t n, struct btt_redo_list *list)
{
	list->n = 0;
	if (atomic_load_explicit(&arena->read_only, memory_order_relaxed))
		return;
	for (unsigned i = 0; i < BTT_NFREE; i++) {
		struct btt_flog_record *rec = &list->record[list->n];

		if (load_record(btt, arena, i, rec) && rec->premap - first < n)
			list->n++;
	}
}

uint32_t btt_redo_apply(const struct btt_redo_list *list, uint32_t premap, uint32_t entry)
{
	for (unsigned i = 0; i < list->n; i++)
		entry = apply(&list->record[i], premap, entry);
	return entry;
}
