/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The new metadata of a pool that grows, page by page. Each page is made from the old metadata when
 * it is asked for, so that a map of gigabytes needs no memory. Nothing is stored here.
 */
#ifndef METADATA_H
#define METADATA_H 1

#include <stdbool.h>
#include <stdint.h>

#include "btt/format.h"
#include "btt/geometry.h"
#include "storage/storage.h"

/* An arena that gets new metadata: it grows, or it is added. */
struct metadata_arena {
	uint64_t off; /* in the pool image */
	struct btt_geometry geo;
	struct btt_info_media info; /* the block and its copy */
};

struct metadata {
	struct metadata_arena *arena; /* ascending */
	unsigned narena;
	bool moves; /* arena[0] is an old arena that grows */
	struct btt_geometry
	    old; /* of the last old arena; its block size stays the same */
	bool is_fresh[BTT_NFREE]; /* found by metadata_load_slots() */
};

/*
 * Finds the slots of the growing arena that get the contents of slots in a new arena, because they
 * were never used. from: the old pool.
 */
void metadata_load_slots(struct metadata *m, const struct storage *from);

/*
 * Returns the offset, in the arena, of the first page of new metadata from x on that may hold
 * something else than zeros; the arena's size if there is no such page. x is a multiple of the
 * page. Pages of data blocks, and the first page of the growing arena, are skipped. from: the old
 * pool, whose file may already have its new length.
 */
uint64_t metadata_next(const struct metadata *m, struct storage *from, unsigned arena,
		       uint64_t x);

/* Makes the page at offset x of the arena. x is an offset that metadata_next() can return. */
void metadata_make(const struct metadata *m, const struct storage *from, unsigned arena,
		   uint64_t x, unsigned char page[BTT_PAGE]);

#endif
