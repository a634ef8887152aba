/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a data area is divided into arenas, and an arena into areas (data blocks, map, flog). Pure
 * arithmetic; nothing here does I/O or sets a message.
 */
#ifndef BTT_GEOMETRY_H
#define BTT_GEOMETRY_H 1

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

/* Offsets in bytes from the arena's start. */
struct btt_geometry {
	uint64_t size;		   /* of the arena, bytes */
	uint32_t external_lbasize; /* block size as the user gave it */
	uint32_t internal_lbasize; /* size of a data block on the medium */
	uint32_t external_nlba;	   /* blocks that the user sees */
	uint32_t internal_nlba;	   /* data blocks, the free ones included */
	uint64_t data_arena_off;
	uint64_t map_arena_off;
	uint64_t map_size; /* bytes, a multiple of the page */
	uint64_t flog_arena_off;
	uint64_t flog_size;	 /* bytes */
	uint64_t info_arena_off; /* of the info block's copy */
};

/*
 * The size of the arena that begins at offset `start` of a data area of data_size bytes; 0 if the
 * rest is too small for an arena.
 */
uint64_t btt_geometry_arena_size(uint64_t data_size, uint64_t start);

/*
 * Computes the areas of an arena of arena_size bytes (a multiple of the page, at most 512 GiB)
 * with blocks of bsize bytes. -EINVAL if fewer than 512 data blocks fit, or if bsize is 0 or so
 * large that, rounded up, it does not fit 32 bits.
 */
int btt_geometry_arena(uint64_t arena_size, uint32_t bsize,
		       struct btt_geometry *geo) MUST_CHECK;

/* The number of blocks of all arenas of a data area. -EINVAL if an arena is refused. */
int btt_geometry_count(uint64_t data_size, uint32_t bsize, uint64_t *nblock) MUST_CHECK;

#endif
