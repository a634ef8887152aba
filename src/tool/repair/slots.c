/* SPDX-License-Identifier: BSD-3-Clause */
/* Which slots of the flog can be right, by themselves and beside the map. */
#include "repair/table.h"

#include <string.h>

#include "image/bits.h"
#include "btt/map.h"

static const char *judge_slot(const struct repair_table *t, struct repair_slot *slot)
{
	static const struct btt_flog_record zero;
	const struct btt_flog_record *r;

	slot->cur = btt_flog_find_current(slot->record[0].seq, slot->record[1].seq);
	slot->state = SLOT_BAD;
	if (slot->cur < 0)
		return "two records of the same sequence number";
	r = &slot->record[slot->cur];
	if ((r->seq & 3) == 0)
		return "a sequence number without successor";
	if (r->lba >= t->geo->external_nlba)
		return "a block number out of range";
	if (btt_map_postmap(r->old_map) >= t->geo->internal_nlba ||
	    btt_map_postmap(r->new_map) >= t->geo->internal_nlba)
		return "a data block out of range";
	slot->state = SLOT_GOOD;
	if (btt_map_postmap(r->old_map) != btt_map_postmap(r->new_map))
		return NULL;
	slot->state = SLOT_BAD;
	if (slot->cur != 0 || r->seq != 1 ||
	    memcmp(&slot->record[1], &zero, sizeof(zero)) != 0)
		return "a write that replaced a block by itself";
	slot->state = r->old_map == r->new_map ? SLOT_PRISTINE : SLOT_GOOD;
	return NULL;
}

int repair_slots_call_bad(struct repair_table *t, unsigned n, const char *why)
{
	t->slot[n].state = SLOT_BAD;
	return plan_note(t->plan,
			 "arena %u: flog slot %u has %s; it gets another free block",
			 t->number, n, why);
}

int repair_slots_load(struct repair_table *t)
{
	static const struct btt_flog_record_media zero;

	for (unsigned n = 0; n < BTT_NFREE; n++) {
		uint64_t off = t->flog_off + (uint64_t)n * BTT_FLOG_SLOT_SIZE;
		struct repair_slot *slot = &t->slot[n];
		const char *why;
		int stale;
		int ret = 0;

		btt_flog_decode(storage_at(&t->image->storage, off), slot->record);
		why = judge_slot(t, slot);
		stale = slot->cur ^ 1;
		if (why) {
			ret = repair_slots_call_bad(t, n, why);
		} else if (slot->record[stale].lba >= t->total_nlba) {
			/* Out of use, but the pool does not open with it. */
			ret =
			    plan_note(t->plan,
				      "arena %u: flog slot %u has a block number out of "
				      "range in the record not in use; it is cleared",
				      t->number, n);
			if (ret == 0)
				ret = plan_change(t->plan, t->image, PLAN_FLOG_CLEAN,
						  off + (unsigned)stale * sizeof(zero),
						  &zero, sizeof(zero));
		}
		if (ret < 0)
			return ret;
	}
	return 0;
}

static uint32_t free_block(const struct repair_slot *slot)
{
	return btt_map_postmap(slot->record[slot->cur].old_map);
}

static bool is_never_written(const struct repair_table *t, uint32_t i)
{
	return i < t->geo->external_nlba &&
	       btt_map_is_initial(storage_load32(
		   &t->image->storage, t->map_off + (uint64_t)i * BTT_MAP_ENTRY_SIZE,
		   memory_order_relaxed));
}

/*
 * Whether it can be told that the slot's free block is free, although the map names it: the
 * slot is as the layout left it; or the block was what the first write to a block replaced;
 * or another record says how the replaced write put it there; or the map names it in an
 * entry that was never written, whose block no slot can have.
 */
static bool is_free_proven(const struct repair_table *t, const struct repair_slot *slot)
{
	const struct btt_flog_record *r = &slot->record[slot->cur];

	if (slot->state == SLOT_PRISTINE || r->old_map == (BTT_MAP_NORMAL | r->lba) ||
	    is_never_written(t, free_block(slot)))
		return true;
	for (unsigned n = 0; n < BTT_NFREE; n++)
		for (int i = 0; i < 2; i++) {
			const struct btt_flog_record *other = &t->slot[n].record[i];

			if (other != r && other->seq != 0 && other->lba == r->lba &&
			    other->new_map == r->old_map)
				return true;
		}
	return false;
}

int repair_slots_settle(struct repair_table *t)
{
	for (unsigned n = 0; n < BTT_NFREE; n++) {
		struct repair_slot *slot = &t->slot[n];
		uint32_t b;
		int ret = 0;

		if (slot->state == SLOT_BAD)
			continue;
		b = free_block(slot);
		if (bits_has(t->slots, b))
			ret =
			    repair_slots_call_bad(t, n, "the free block of another slot");
		else if (bits_has(t->claimed, b) && !is_free_proven(t, slot))
			ret = repair_slots_call_bad(t, n, "a free block that is in use");
		else
			bits_set(t->slots, b);
		if (ret < 0)
			return ret;
	}
	return 0;
}
