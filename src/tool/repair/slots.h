/* SPDX-License-Identifier: BSD-3-Clause */
/* Which slots of the flog can be right, by themselves and beside the map. */
#ifndef SLOTS_H
#define SLOTS_H 1

#include "repair/claims.h"

/* Reads the slots and judges each by itself. */
int slots_load(struct claims *t) MUST_CHECK;

/* Notes what slot n has (why); it is bad from now on. */
int slots_call_bad(struct claims *t, unsigned n, const char *why) MUST_CHECK;

/* Tells which of the slots may keep their free block, when all other claims are known. */
int slots_settle(struct claims *t) MUST_CHECK;

/* Plans what is to be cleared in slots that keep their current record. */
int slots_clear(struct claims *t) MUST_CHECK;

#endif
