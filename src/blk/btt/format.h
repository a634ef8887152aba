/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The on-media structs of the block translation table (BTT 1.1). FORMAT.md explains them;
 * btt/format_check.c checks every size and offset.
 */
#ifndef BTT_FORMAT_H
#define BTT_FORMAT_H 1

#include <stdint.h>

#include "base/le.h"
#include "base/uuid.h"

#define BTT_PAGE 4096u
#define BTT_NFREE 256u
#define BTT_ARENA_MIN_SIZE (UINT64_C(16) << 20)
/* For tests with small pools of several arenas; never for real pools. */
#ifdef BTT_CRASH_TEST_ARENA_SIZE
#define BTT_ARENA_MAX_SIZE BTT_CRASH_TEST_ARENA_SIZE
#else
#define BTT_ARENA_MAX_SIZE (UINT64_C(1) << 39)
#endif
#define BTT_MIN_LBASIZE 512u
#define BTT_LBASIZE_UNIT 256u

/* --- info block: one page at the arena's start, a copy in its last page ---------------- */

#define BTT_INFO_SIGNATURE "BTT_ARENA_INFO\0"
#define BTT_INFO_SIGNATURE_SIZE 16
#define BTT_INFO_SIZE 4096u
#define BTT_INFO_MAJOR 1
#define BTT_INFO_MINOR 1
#define BTT_INFO_FLAG_ERROR UINT32_C(1) /* the arena is read-only */

struct btt_info_media {
	char signature[BTT_INFO_SIGNATURE_SIZE];
	struct uuid uuid;	 /* of this layout */
	struct uuid parent_uuid; /* of the pool set */
	le32 flags;
	le16 major;
	le16 minor;
	le32 external_lbasize; /* as the user asked for it */
	le32 external_nlba;
	le32 internal_lbasize; /* size of a data block on the medium */
	le32 internal_nlba;
	le32 nfree;
	le32 infosize;
	le64 nextoff; /* offsets from the arena's start; nextoff 0 in the last arena */
	le64 dataoff;
	le64 mapoff;
	le64 flogoff;
	le64 infooff;
	unsigned char unused[3968];
	le64 checksum; /* Fletcher-64 of the page with this field taken as zero */
};

/* --- map: one le32 per block ------------------------------------------------------------- */

#define BTT_MAP_ENTRY_SIZE 4u
#define BTT_MAP_LBA_MASK UINT32_C(0x3fffffff)
#define BTT_MAP_ERROR UINT32_C(0x40000000)
#define BTT_MAP_ZERO UINT32_C(0x80000000)
#define BTT_MAP_NORMAL UINT32_C(0xc0000000)
#define BTT_MAP_FLAGS UINT32_C(0xc0000000)
#define BTT_MAP_INITIAL UINT32_C(0)

/* --- flog: free list and log, nfree slots of two records --------------------------------- */

#define BTT_FLOG_SLOT_SIZE 64u

struct btt_flog_record_media {
	le32 lba; /* a premap number: the block written last through this slot */
	/* the map entry that was replaced; its block is the slot's free block */
	le32 old_map;
	le32 new_map; /* the map entry that was installed */
	le32 seq;     /* 1, 2, 3, 1, ...; 0 = never written */
};

struct btt_flog_slot_media {
	struct btt_flog_record_media record[2];
	unsigned char unused[32];
};

#endif
