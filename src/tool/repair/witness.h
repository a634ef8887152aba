/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An info block of the first arena, primary or copy, that is sound by its own account,
 * whatever the header and the descriptor say: a witness of the pool's uuid and block size.
 */
#ifndef WITNESS_H
#define WITNESS_H 1

#include <stdbool.h>

#include "image/image.h"

struct witness {
	struct uuid parent;
	uint32_t bsize;
};

/* Of two that disagree, the one that the header knows. */
bool witness_find(const struct image *image, struct witness *witness);

#endif
