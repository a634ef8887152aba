/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a grow stores ahead of its phases: the part of the new metadata that lies behind the old
 * end of the file. Functions that return int return 0 or -errno and have set the message.
 */
#ifndef AHEAD_H
#define AHEAD_H 1

#include "grow/grow.h"

/* The first offset in the arena behind the old end of the file. It may be beyond the arena. */
uint64_t ahead_begin(const struct grow *g, const struct metadata_arena *a);

/* Allocates space for it in the image's file, which has its new length already. */
int ahead_allocate(struct grow *g, struct image *image) MUST_CHECK;

/* Stores it, durably, to a storage of the new length. -EINTR: the grow's watch has stopped it. */
int ahead_store(struct grow *g, struct storage *s) MUST_CHECK;

#endif
