/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BTT_CHECK_H
#define BTT_CHECK_H 1

#include "btt/open.h"

/*
 * Opens the table in s, which has to be a private copy (recovery stores to it), and
 * examines it: 1 consistent or not laid out; 0 damaged, the message names the last damage
 * found; -errno where btt_open would fail for another reason than damage.
 */
int btt_check(struct storage *s, const struct btt_params *params) MUST_CHECK;

#endif
