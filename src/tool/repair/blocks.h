/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BLOCKS_H
#define BLOCKS_H 1

#include "repair/claims.h"

/* Gives each bad map entry and each bad slot a data block that nobody names. */
int blocks_hand_out(struct claims *t) MUST_CHECK;

/* Plans to write slot n anew, as the layout does, with free block b. */
int blocks_rewrite_slot(struct claims *t, unsigned n, uint32_t b) MUST_CHECK;

#endif
