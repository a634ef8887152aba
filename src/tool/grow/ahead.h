/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a grow stores ahead of its phases: the part of the new metadata that is behind the old end of
 * the file. Functions that return int return 0 or -errno and have set the message.
 */
#ifndef AHEAD_H
#define AHEAD_H 1

#include "grow/grow.h"

/* The first offset in the arena that counts as behind the old end; perhaps beyond the arena. */
uint64_t ahead_begin(const struct grow *g, const struct metadata_arena *a);

/* Space for it, in the files of the image, which have their new length. */
int ahead_allocate(struct grow *g, struct image *image) MUST_CHECK;

/*
 * Stores it, durably, to a storage that is as long as the pool is then. -EINTR: the grow's watch
 * wants it to stop.
 */
int ahead_store(struct grow *g, struct storage *s) MUST_CHECK;

#endif
