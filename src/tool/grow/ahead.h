/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a grow stores ahead of its phases: the part of the new metadata that lies behind the old
 * end of the file. Functions that return int return 0 or -errno and have set the message.
 */
#ifndef AHEAD_H
#define AHEAD_H 1

#include "grow/grow.h"

/*
 * Returns the first offset in the arena that is behind the old end of the file. It may be larger
 * than the arena.
 */
uint64_t ahead_begin(const struct grow *g, const struct metadata_arena *a);

/*
 * Whether the page at offset x of the arena, which gets these contents, belongs to this part. The file
 * reads as zeros there already.
 */
bool ahead_has(const struct grow *g, const struct metadata_arena *a, uint64_t x,
	       const unsigned char page[BTT_PAGE]);

/* Allocates space for this part in the image's file, which already has its new length. */
int ahead_allocate(struct grow *g, struct image *image) MUST_CHECK;

/*
 * Stores this part to a storage of the new length, but for the copy of the info block of the arena
 * that grows. The part is durable when the call returns 0. -EINTR: the grow's watch has stopped the
 * call.
 */
int ahead_store(struct grow *g, struct storage *s) MUST_CHECK;

/* Stores that copy, durably, if it belongs to this part. The pool is locked. */
int ahead_store_copy(struct grow *g, struct storage *s) MUST_CHECK;

#endif
