/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BTT_SETUP_H
#define BTT_SETUP_H 1

#include "btt/arena.h"
#include "btt/find.h"
#include "compiler.h"

/*
 * What open and check have in common: finds the layout (*found, to be freed with btt_find_free)
 * and makes a table without arenas that knows its number of blocks (*out, for btt_close).
 * Stores nothing. -EINVAL: the block size does not fit a pool that is not laid out. -ENOMEM.
 */
int btt_setup(struct storage *s, const struct btt_params *params, struct btt **out,
	      struct btt_found *found) MUST_CHECK;

#endif
