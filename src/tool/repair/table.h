/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An arena's map and flog while they are repaired: what repair/table.c, repair/slots.c and
 * repair/blocks.c share.
 */
#ifndef REPAIR_TABLE_H
#define REPAIR_TABLE_H 1

#include "btt/flog.h"
#include "btt/geometry.h"
#include "repair/plan.h"

enum slot_state {
	SLOT_GOOD,
	SLOT_PRISTINE, /* as the layout left it */
	SLOT_BAD,
};

struct repair_slot {
	struct btt_flog_record record[2];
	int cur;     /* index of the current record, -1: none */
	bool proves; /* that the map entry of its lba is right */
	enum slot_state state;
};

struct repair_table {
	struct image *image;
	struct plan *plan;
	const struct btt_geometry *geo;
	unsigned number;     /* of the arena */
	uint64_t first_lba;  /* of the arena's blocks, as the user counts */
	uint64_t total_nlba; /* of the pool */
	uint64_t map_off;
	uint64_t flog_off;
	unsigned char *claimed; /* bitmaps over data blocks: by a map entry */
	unsigned char *multi;	/* by several */
	unsigned char *proven;	/* by one that a flog record proves */
	unsigned char *kept;	/* by one that has kept it in the error state */
	unsigned char *slots;	/* by a slot */
	uint32_t next_free;	/* no unnamed block is below */
	uint32_t *bad_entry;	/* map entries that need a block */
	size_t nbad_entry;
	struct repair_slot slot[BTT_NFREE];
};

/* What a map entry says, in the form that a written one has. */
uint32_t repair_table_load_entry(const struct repair_table *t, uint32_t i);
int repair_table_change_entry(struct repair_table *t, enum plan_phase phase, uint32_t i,
			      uint32_t entry) MUST_CHECK;

/* Reads the slots and judges each by itself. */
int repair_slots_load(struct repair_table *t) MUST_CHECK;

/* Notes what slot n has (why); it is bad from now on. */
int repair_slots_call_bad(struct repair_table *t, unsigned n, const char *why) MUST_CHECK;

/* Tells which of the good slots may keep their free block, when all claims are known. */
int repair_slots_settle(struct repair_table *t) MUST_CHECK;

/* Gives each bad map entry and each bad slot a block that nobody names. */
int repair_blocks_hand_out(struct repair_table *t) MUST_CHECK;

#endif
