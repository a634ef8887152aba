/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BTT_CHECK_H
#define BTT_CHECK_H 1

#include "btt/open.h"

/*
 * Opens the table in s and examines it. s has to be a private copy, because recovery stores to
 * it. Returns 1 if the table is consistent or not laid out; 0 if it is damaged, and the message
 * names the last damage found; -errno if btt_open would fail for another reason than damage.
 */
int btt_check(struct storage *s, const struct btt_params *params) MUST_CHECK;

#endif
