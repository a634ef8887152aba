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

/* An arena that gets new places for its metadata: the one that grows, and those that are new. */
struct metadata_arena {
	uint64_t off; /* in the pool image */
	struct btt_geometry geo;
	struct btt_info_media info; /* the block and its copy */
};

struct metadata {
	struct metadata_arena *arena; /* ascending */
	unsigned narena;
	bool moves;		 /* the first of them has been there before, like this: */
	struct btt_geometry old; /* with the same block size */
	bool is_fresh[BTT_NFREE]; /* slots that begin anew, see metadata_load_slots() */
};

/*
 * Finds the slots of the arena that grows that were never used, and can begin anew. from: the pool
 * as it was.
 */
void metadata_load_slots(struct metadata *m, const struct storage *from);

/*
 * The offset in the arena of the first page from x on (a multiple of the page) that holds anything
 * but zeros, or may; the arena's size if there is none. Pages of data are never named, nor the
 * first page of an arena that was there before. from: the pool as it was, or is.
 */
uint64_t metadata_next(const struct metadata *m, struct storage *from, unsigned arena,
		       uint64_t x);

/* Makes the page at offset x of the arena; one of those that metadata_next() may name. */
void metadata_make(const struct metadata *m, const struct storage *from, unsigned arena,
		   uint64_t x, unsigned char page[BTT_PAGE]);

#endif
