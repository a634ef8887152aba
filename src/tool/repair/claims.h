/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state of an arena's repair: its flog, and who claims which data block. repair/table.c,
 * repair/slots.c, repair/blocks.c and repair/count.c share it.
 */
#ifndef CLAIMS_H
#define CLAIMS_H 1

#include "btt/flog.h"
#include "btt/geometry.h"
#include "btt/map.h"
#include "btt/map_walk.h"
#include "image/bits.h"
#include "repair/plan.h"

enum slot_state {
	SLOT_GOOD,
	SLOT_BAD, /* gets another free block */
};

/* What a slot has claimed that stays with a map entry. */
enum slot_loss {
	LOSS_NONE,
	LOSS_FREE_BLOCK,
	LOSS_WRITE, /* the data block of its current record's write */
};

struct claims_slot {
	struct btt_flog_record record[2];
	int cur;	   /* index of the current record, -1: none */
	bool is_readable;  /* the current record makes sense */
	bool is_handled;   /* its write has been completed */
	bool proves;	   /* it proves the map entry of its lba */
	bool clear_other;  /* the other record has to be cleared */
	bool is_rewritten; /* as a whole */
	enum slot_state state;
	enum slot_loss loss;
	uint32_t lost_block;
};

/* How many map entries claim a block. */
struct claims_tally {
	uint32_t block;
	uint32_t count;
};

struct claims {
	struct image *image;
	struct plan *plan;
	const struct btt_geometry *geo;
	unsigned number;     /* of the arena */
	uint64_t first_lba;  /* the pool's number of the arena's first block */
	uint64_t total_nlba; /* of the pool */
	uint64_t map_off;
	uint64_t flog_off;
	/* bitmaps, one bit for each data block */
	unsigned char *claimed; /* by a map entry */
	unsigned char *multi;	/* by several */
	unsigned char *proven;	/* by one that a flog record proves */
	unsigned char *chained; /* by one that both records of a slot prove */
	unsigned char *kept;	/* by one that keeps it in the error state */
	unsigned char *slots;	/* by a slot */
	unsigned char *lost;	/* by a slot that has lost it to an entry */
	unsigned char *tallied; /* has an element of tally */
	struct claims_tally tally[BTT_NFREE]; /* ascending, see repair/count.h */
	unsigned ntally;
	bool is_counted;     /* claimed and multi have been filled */
	uint32_t next_free;  /* no block below it is unnamed */
	uint32_t *bad_entry; /* map entries that need a block */
	size_t nbad_entry;
	struct claims_slot slot[BTT_NFREE];
};

/* Begins a walk over the map entries. */
static inline struct btt_map_walk claims_walk(const struct claims *t)
{
	return btt_map_walk_begin(&t->image->storage, t->map_off, t->geo->external_nlba);
}

/* Slot n claims block b, but another claim keeps it. */
static inline void claims_lose(struct claims *t, unsigned n, enum slot_loss loss,
			       uint32_t b)
{
	t->slot[n].loss = loss;
	t->slot[n].lost_block = b;
	bits_set(t->lost, b);
}

/*
 * Map entry i. One that was never written reads as its initial block, in the form of a written
 * entry.
 */
static inline uint32_t claims_entry(const struct claims *t, uint32_t i)
{
	uint32_t raw = storage_load32(&t->image->storage,
				      t->map_off + (uint64_t)i * BTT_MAP_ENTRY_SIZE,
				      memory_order_relaxed);

	return btt_map_normalize(raw, i);
}

static inline const struct btt_flog_record *claims_current(const struct claims_slot *slot)
{
	return &slot->record[slot->cur];
}

static inline int MUST_CHECK claims_change_entry(struct claims *t, enum plan_phase phase,
						 uint32_t i, uint32_t entry)
{
	le32 value = cpu_to_le32(entry);

	return plan_change(t->plan, t->image, phase,
			   t->map_off + (uint64_t)i * BTT_MAP_ENTRY_SIZE, &value,
			   sizeof(value));
}

/* The free block of a readable slot. */
static inline uint32_t claims_free_block(const struct claims_slot *slot)
{
	return btt_map_postmap(claims_current(slot)->old_map);
}

/* Whether the current record of a readable slot was written by a write to a block. */
static inline bool claims_is_write(const struct claims_slot *slot)
{
	const struct btt_flog_record *r = claims_current(slot);

	return btt_map_postmap(r->old_map) != btt_map_postmap(r->new_map);
}

/*
 * Whether the slot's other record confirms the current one: a write uses the block that the
 * slot's previous write has freed.
 */
static inline bool claims_is_chained(const struct claims_slot *slot)
{
	const struct btt_flog_record *other = &slot->record[slot->cur ^ 1];

	return other->seq != 0 && btt_map_postmap(other->old_map) ==
				      btt_map_postmap(claims_current(slot)->new_map);
}

#endif
