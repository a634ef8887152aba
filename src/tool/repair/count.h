/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counts which data blocks the map of an arena claims. A pool may have a thousand million map
 * entries, most of them in holes of its file. So runs of zeros are counted without a look at each
 * entry, and the map is read twice at most, whatever the flog says.
 */
#ifndef COUNT_H
#define COUNT_H 1

#include "repair/claims.h"

/* Counts all entries anew: the bitmaps claimed and multi, and the tally of the slots' blocks. */
void count_claims(struct claims *t);

/*
 * Counts that a map entry goes from one block to another. This updates the tally, but not the
 * bitmaps.
 */
void count_move(struct claims *t, uint32_t from, uint32_t to);

/* How many map entries claim the block that a readable slot's write has installed. */
uint32_t count_of(const struct claims *t, uint32_t block);

#endif
