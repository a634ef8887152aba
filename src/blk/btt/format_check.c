/* SPDX-License-Identifier: BSD-3-Clause */
/* Compile-time checks of every on-media size and offset of the block translation table. */
#include <assert.h>
#include <stddef.h>

#include "btt/btt.h"
#include "btt/format.h"

#define AT(type, field, off)                                                             \
	static_assert(offsetof(struct type, field) == (off), #type "." #field)
#define SIZE(type, size) static_assert(sizeof(struct type) == (size), #type)

SIZE(uuid, 16);

AT(btt_info_media, signature, 0);
AT(btt_info_media, uuid, 16);
AT(btt_info_media, parent_uuid, 32);
AT(btt_info_media, flags, 48);
AT(btt_info_media, major, 52);
AT(btt_info_media, minor, 54);
AT(btt_info_media, external_lbasize, 56);
AT(btt_info_media, external_nlba, 60);
AT(btt_info_media, internal_lbasize, 64);
AT(btt_info_media, internal_nlba, 68);
AT(btt_info_media, nfree, 72);
AT(btt_info_media, infosize, 76);
AT(btt_info_media, nextoff, 80);
AT(btt_info_media, dataoff, 88);
AT(btt_info_media, mapoff, 96);
AT(btt_info_media, flogoff, 104);
AT(btt_info_media, infooff, 112);
AT(btt_info_media, unused, 120);
AT(btt_info_media, checksum, 4088);
SIZE(btt_info_media, BTT_INFO_SIZE);

AT(btt_flog_record_media, lba, 0);
AT(btt_flog_record_media, old_map, 4);
AT(btt_flog_record_media, new_map, 8);
AT(btt_flog_record_media, seq, 12);
SIZE(btt_flog_record_media, 16);
SIZE(btt_flog_slot_media, BTT_FLOG_SLOT_SIZE);

static_assert(BTT_MAX_LANES == BTT_NFREE, "each lane has a flog slot");
static_assert(sizeof(le32) == BTT_MAP_ENTRY_SIZE, "map entry");
static_assert(BTT_ARENA_MAX_SIZE / (BTT_MIN_LBASIZE + BTT_MAP_ENTRY_SIZE) <=
		  BTT_MAP_LBA_MASK,
	      "block numbers fit a map entry");
