/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The effect of a failed sync on a table. Nobody knows which stores have reached the medium, and
 * a second sync would succeed without having written them. So all later modifying calls fail, and
 * reads look at the flog, too: see R9 in btt/btt.c.
 */
#ifndef BTT_POISON_H
#define BTT_POISON_H 1

#include "btt/arena.h"
#include "compiler.h"

/* Poisons the table after a sync that failed with err (negative). Returns -EIO, message set. */
int btt_poison(struct btt *btt, int err) MUST_CHECK;

/* Returns -EIO with a message, for a call on a poisoned table. */
int btt_poison_fail(const struct btt *btt) MUST_CHECK;

static inline bool btt_poison_is_set(const struct btt *btt)
{
	return atomic_load_explicit(&btt->poisoned, memory_order_relaxed) != 0;
}

#endif
