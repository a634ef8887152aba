/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which data blocks the map of an arena claims. A pool may have a thousand million map entries, most
 * of them in holes of its file: runs of zeros are passed over, and the whole map is read twice
 * at most, whatever the flog says.
 */
#ifndef COUNT_H
#define COUNT_H 1

#include "repair/claims.h"

/* Counts all entries anew: the bitmaps claimed and multi, and the tally of the slots' blocks. */
void count_claims(struct claims *t);

/* A map entry goes from one block to another: the tally stays right, the bitmaps do not. */
void count_move(struct claims *t, uint32_t from, uint32_t to);

/* How many map entries claim the block that a readable slot's write has installed. */
uint32_t count_of(const struct claims *t, uint32_t block);

#endif
