/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BTT_NONZERO_H
#define BTT_NONZERO_H 1

#include "storage/storage.h"

/*
 * The offset of the first byte in [off, end) that is not zero, or end if there is none. Pages of a
 * hole are not read.
 */
uint64_t btt_nonzero_find(struct storage *s, uint64_t off, uint64_t end);

#endif
