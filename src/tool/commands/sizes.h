/* SPDX-License-Identifier: BSD-3-Clause */
/* Which sizes of pools and blocks fit each other. */
#ifndef SIZES_H
#define SIZES_H 1

#include "commands/tool.h"

/* The smallest pool in one file with blocks of bsize bytes; 0 if there is none. */
uint64_t sizes_smallest_pool(uint64_t bsize);

/*
 * Whether a pool of size bytes can have blocks of bsize bytes (at least 1). If not, complains,
 * and names the sizes that would fit.
 */
bool sizes_fit(const struct tool_command *self, uint64_t bsize, uint64_t size) MUST_CHECK;

#endif
