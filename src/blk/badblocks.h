/* SPDX-License-Identifier: BSD-3-Clause */
/* Media errors under the files of a pool. */
#ifndef BADBLOCKS_H
#define BADBLOCKS_H 1

#include "poolset.h"

/*
 * -EINVAL, message set: a file "<pool path>_r0_p<part>_badblocks.txt" exists, with which
 * another tool remembers a repair that was interrupted.
 */
int badblocks_check_recovery(const struct poolset *set) MUST_CHECK;

#endif
