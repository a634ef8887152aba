/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A witness of the pool's uuid and block size: an info block of the first arena, primary or copy,
 * that is valid by its own checksum and its own fields. The header and the descriptor do not
 * matter.
 */
#ifndef WITNESS_H
#define WITNESS_H 1

#include <stdbool.h>

#include "image/image.h"

struct witness {
	struct uuid parent;
	uint32_t bsize;
};

/* If primary and copy disagree, finds the one whose pool uuid is in the header. */
bool witness_find(const struct image *image, struct witness *witness);

#endif
