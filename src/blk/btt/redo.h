/* SPDX-License-Identifier: BSD-3-Clause */
/* What recovery would make of one map entry, for those who cannot wait for it. */
#ifndef BTT_REDO_H
#define BTT_REDO_H 1

#include "btt/arena.h"
#include "btt/flog.h"

/*
 * A map entry as recovery would leave it; entry is what stands there. Stores nothing. After a
 * failed write-back a page of the map may have gone out of memory, and have come back as the medium
 * has it: without a map update that only its record has made durable.
 *
 * The caller holds the entry's map lock. Other lanes may go on meanwhile: no record that names the
 * entry can come to be without that lock, and one that is replaced was not needed any more, since
 * its map update was durable. A record that still names an entry which has changed since does no
 * harm: the block that it calls old is the lane's, so that it is not in the map.
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

/* One of them as recovery would leave it; entry is what stands there. Pure. */
uint32_t btt_redo_apply(const struct btt_redo_list *list, uint32_t premap,
			uint32_t entry);

#endif
