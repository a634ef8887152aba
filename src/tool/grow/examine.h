/* SPDX-License-Identifier: BSD-3-Clause */
/* Decides whether a pool can grow to a length, and computes the arenas that it has then. */
#ifndef EXAMINE_H
#define EXAMINE_H 1

#include "grow/grow.h"

enum grow_verdict {
	GROW_POSSIBLE,
	GROW_DAMAGED, /* the pool is not consistent; the message says why */
	GROW_REFUSED, /* the message says why */
};

/*
 * Stores the verdict, and describes in *grow the pool of this length. *grow refers to the image,
 * which has the present contents of the files when the call returns. The caller gives *grow to
 * examine_free().
 */
int examine_length(struct image *image, uint64_t length, struct grow *grow,
		   enum grow_verdict *verdict) MUST_CHECK;
void examine_free(struct grow *grow);

#endif
