/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Info blocks: encode, decode, validate. Pure; nothing here does I/O or sets a message.
 */
#ifndef BTT_INFO_H
#define BTT_INFO_H 1

#include <stdbool.h>
#include <stdint.h>

#include "btt/format.h"
#include "btt/geometry.h"
#include "compiler.h"

struct btt_info {
	struct btt_geometry geo;
	struct uuid uuid;
	bool error;    /* the arena is read-only */
	bool has_next; /* another arena follows at geo.size */
};

enum btt_info_verdict {
	BTT_INFO_VALID,
	BTT_INFO_NONE,	  /* no signature */
	BTT_INFO_FOREIGN, /* sound, but of another pool */
	/* the checksum is right, but the numbers do not fit this pool */
	BTT_INFO_MISFIT,
	BTT_INFO_BROKEN, /* anything else */
};

/*
 * Decodes and validates the page at block. `room` is the number of bytes from the arena's start
 * to the end of the data area; the arena without its last page has to fit into it. bsize and
 * parent are those of the pool. *info is filled in only for BTT_INFO_VALID.
 */
enum btt_info_verdict btt_info_decode(const void *block, const struct uuid *parent,
				      uint32_t bsize, uint64_t room,
				      struct btt_info *info);

/* Whether a page that is broken names parent, at least in a half that is not damaged. */
bool btt_info_may_be_of(const void *block, const struct uuid *parent);

/* Makes the page as it is stored on the medium. */
void btt_info_encode(const struct btt_info *info, const struct uuid *parent,
		     struct btt_info_media *block);

#endif
