/* SPDX-License-Identifier: BSD-3-Clause */
/* What recovery would make of one map entry, for readers that cannot wait for it. */
#ifndef BTT_REDO_H
#define BTT_REDO_H 1

#include "btt/arena.h"

/*
 * A map entry as recovery would leave it; entry is what stands there. Stores nothing. After a
 * failed sync a page of the map may have gone out of memory, and have come back as the medium has
 * it: without a map update that only its record has made durable. The caller holds the entry's map
 * lock; the table is poisoned, so that each lane ends one write at most.
 */
uint32_t btt_redo_entry_locked(const struct btt *btt, const struct btt_arena *arena,
			       uint32_t premap, uint32_t entry);

#endif
