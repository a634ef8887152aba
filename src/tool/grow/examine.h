/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether a pool can grow, and what it has then. */
#ifndef EXAMINE_H
#define EXAMINE_H 1

#include "grow/grow.h"

enum grow_verdict {
	GROW_POSSIBLE,
	GROW_DAMAGED, /* the pool is not consistent; the message says why */
	GROW_REFUSED, /* the message says why */
};

/*
 * Judges whether the pool can get this length, and what it has then. *grow is to be given to
 * examine_free(), and uses the image, which is as the files are then.
 */
int examine_length(struct image *image, uint64_t length, struct grow *grow,
		   enum grow_verdict *verdict) MUST_CHECK;
void examine_free(struct grow *grow);

#endif
