/* SPDX-License-Identifier: BSD-3-Clause */
/* Map entries: their flags and their data block. Pure. */
#ifndef BTT_MAP_H
#define BTT_MAP_H 1

#include <stdbool.h>
#include <stdint.h>

#include "btt/format.h"

static inline bool btt_map_is_initial(uint32_t entry)
{
	return (entry & BTT_MAP_FLAGS) == BTT_MAP_INITIAL;
}

static inline bool btt_map_is_error(uint32_t entry)
{
	return (entry & BTT_MAP_FLAGS) == BTT_MAP_ERROR;
}

static inline bool btt_map_is_zero(uint32_t entry)
{
	return (entry & BTT_MAP_FLAGS) == BTT_MAP_ZERO;
}

/* The data block that an entry owns, whatever its flags are. */
static inline uint32_t btt_map_postmap(uint32_t entry)
{
	return entry & BTT_MAP_LBA_MASK;
}

/* An initial entry owns the data block of its own number; its low bits mean nothing. */
static inline uint32_t btt_map_normalize(uint32_t entry, uint32_t premap)
{
	return btt_map_is_initial(entry) ? premap | BTT_MAP_NORMAL : entry;
}

#endif
