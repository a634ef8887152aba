/* SPDX-License-Identifier: BSD-3-Clause */
/* Computes what recovery would make of one map entry, for a table that is in use. */
#ifndef BTT_REDO_H
#define BTT_REDO_H 1

#include "btt/arena.h"
#include "btt/flog.h"

/*
 * Returns a map entry as recovery would leave it; entry is its present value. Stores nothing.
 * Reason: after a failed write-back the kernel may have evicted a page of the map and read it
 * again from the medium, where it lacks a map update of which only the record is durable.
 *
 * The caller holds the entry's map lock. Other lanes may go on meanwhile, for three reasons:
 *
 *   1. A new record that names the entry needs the same lock.
 *   2. A record that is overwritten is not needed any more, because its map update is durable.
 *   3. A record may name an entry that has changed since. It does no harm: the block in its
 *      old_map is the lane's free block, so it is not in the map.
 *
 * A reader in another process has no lock. It discards the result if the entry's version has
 * changed.
 */
uint32_t btt_redo_entry_locked(const struct btt *btt, const struct btt_arena *arena,
			       uint32_t premap, uint32_t entry);

/* The same for many entries: the records that name one of them, by slot. */
struct btt_redo_list {
	unsigned n;
	struct btt_flog_record record[BTT_NFREE];
};

/* For the entries of n blocks from premap `first` on, whose map locks the caller holds. */
void btt_redo_collect_locked(const struct btt *btt, const struct btt_arena *arena,
			     uint32_t first, uint32_t n, struct btt_redo_list *list);

/* One of these entries as recovery would leave it; entry: its value on the medium. Pure. */
uint32_t btt_redo_apply(const struct btt_redo_list *list, uint32_t premap,
			uint32_t entry);

#endif
