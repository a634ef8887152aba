/* SPDX-License-Identifier: BSD-3-Clause */
/* Judges the slots of the flog: each by itself, and then all of them against the map. */
#ifndef SLOTS_H
#define SLOTS_H 1

#include "repair/claims.h"

/* Reads the slots and judges each one by its own records. */
int slots_load(struct claims *t) MUST_CHECK;

/* Calls slot n bad, and notes what is wrong with it (why). */
int slots_call_bad(struct claims *t, unsigned n, const char *why) MUST_CHECK;

/* Decides which slots keep their free block. All other claims have to be known. */
int slots_settle(struct claims *t) MUST_CHECK;

/*
 * Plans to clear the other record of slots where it is damaged and the current one stays, and to
 * rewrite slots in a form that pmempool(1) refuses. To be called when all blocks are handed out.
 */
int slots_tidy(struct claims *t) MUST_CHECK;

#endif
