/* SPDX-License-Identifier: BSD-3-Clause */
/* Finds out, without writing, whether a data area is laid out and where its arenas are. */
#ifndef BTT_FIND_H
#define BTT_FIND_H 1

#include <stdbool.h>
#include <stdint.h>

#include "btt/info.h"
#include "btt/open.h"

enum btt_layout {
	BTT_LAYOUT_NONE,  /* never laid out, or a first layout was interrupted */
	BTT_LAYOUT_VALID, /* every arena has a valid info block */
	/* something was written, but an arena has lost both info blocks, or its map and flog */
	BTT_LAYOUT_LOST,
};

struct btt_found_arena {
	uint64_t off; /* from the start of the storage */
	struct btt_info info;
	bool primary_valid;
	/*
	 * Sound, and with as many arenas behind it as the primary. Layouts that were interrupted
	 * can leave a copy with another uuid.
	 */
	bool copy_valid;
	bool copy_fits; /* false if the file ends before the copy */
};

struct btt_found {
	enum btt_layout layout;
	/*
	 * All arenas of a valid layout; of a lost one, those before the first arena that is lost;
	 * otherwise none. Freed by btt_find_free.
	 */
	struct btt_found_arena *arena;
	unsigned narena;
	/* valid, but a first layout was interrupted before it had written all copies */
	bool unfinished;
	bool untouched;	     /* no layout: info blocks and flogs are all zeros */
	bool maps_are_holes; /* no layout, and nothing was ever stored in the maps */
};

/*
 * Whether the first info block of the arena at offset off of the storage is sound in a file that is long
 * enough. If it is not valid, the file was cut off.
 */
bool btt_find_is_cut_off(const struct storage *s, const struct btt_params *params,
			 uint64_t off);

/* 0, or -ENOMEM. For BTT_LAYOUT_LOST the message says what is wrong and what to do. */
int btt_find_layout(struct storage *s, const struct btt_params *params,
		    struct btt_found *found) MUST_CHECK;
void btt_find_free(struct btt_found *found);

#endif
