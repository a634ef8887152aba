/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Map and flog of an arena. Together they have to name every data block exactly once, so
 * there are always as many blocks that nobody names as there are map entries and slots that
 * have lost theirs.
 *
 *   - An interrupted write is completed, as opening the pool would.
 *   - A slot whose record makes no sense, or whose free block belongs to a map entry or to
 *     another slot, gets a block that nobody names; unless the flog proves that the block is
 *     free: then the map entry is wrong.
 *   - When several map entries name one block, one at most is right. The record of the last
 *     write through a slot proves one of them; otherwise all go into the error state.
 *   - A map entry that goes into the error state keeps its block, or gets one that nobody names.
 *
 * repair/slots.c judges the slots, repair/blocks.c hands out the blocks that nobody names.
 */
#include "repair/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/bits.h"
#include "btt/map.h"
#include "errormsg.h"
#include "repair/repair.h"

uint32_t repair_table_load_entry(const struct repair_table *t, uint32_t i)
{
	uint32_t raw = storage_load32(&t->image->storage,
				      t->map_off + (uint64_t)i * BTT_MAP_ENTRY_SIZE,
				      memory_order_relaxed);

	return btt_map_normalize(raw, i);
}

int repair_table_change_entry(struct repair_table *t, enum plan_phase phase, uint32_t i,
			      uint32_t entry)
{
	le32 value = cpu_to_le32(entry);

	return plan_change(t->plan, t->image, phase,
			   t->map_off + (uint64_t)i * BTT_MAP_ENTRY_SIZE, &value,
			   sizeof(value));
}

/* --- map and slots together ------------------------------------------------------------ */

static void count_claims(struct repair_table *t)
{
	size_t size = t->geo->internal_nlba / 8 + 1;

	memset(t->claimed, 0, size);
	memset(t->multi, 0, size);
	for (uint32_t i = 0; i < t->geo->external_nlba; i++) {
		uint32_t b = btt_map_postmap(repair_table_load_entry(t, i));

		if (b >= t->geo->internal_nlba)
			continue;
		if (bits_has(t->claimed, b))
			bits_set(t->multi, b);
		bits_set(t->claimed, b);
	}
}

static int MUST_CHECK complete_writes(struct repair_table *t)
{
	bool any = false;

	for (unsigned n = 0; n < BTT_NFREE; n++) {
		struct repair_slot *slot = &t->slot[n];
		const struct btt_flog_record *r;
		uint32_t b;
		int ret;

		if (slot->state == SLOT_BAD)
			continue;
		r = &slot->record[slot->cur];
		b = btt_map_postmap(r->new_map);
		if (r->old_map == r->new_map ||
		    repair_table_load_entry(t, r->lba) != r->old_map)
			continue;
		if (bits_has(t->claimed, b)) {
			ret = repair_slots_call_bad(
			    t, n, "an unfinished write to a block in use");
		} else {
			any = true;
			bits_set(t->claimed, b);
			ret = plan_note(t->plan,
					"block %llu: an unfinished write is completed",
					ULL(t->first_lba + r->lba));
			if (ret == 0)
				ret = repair_table_change_entry(t, PLAN_MAP, r->lba,
								r->new_map);
		}
		if (ret < 0)
			return ret;
	}
	if (any)
		count_claims(t);
	return 0;
}

/* The record of a finished write, after which nothing has changed that map entry. */
static bool is_last_write(const struct repair_table *t, const struct repair_slot *slot)
{
	const struct btt_flog_record *r = &slot->record[slot->cur];

	return slot->state == SLOT_GOOD && r->old_map != r->new_map &&
	       repair_table_load_entry(t, r->lba) == r->new_map;
}

/* A proven entry keeps its block; where two are proven, neither is. */
static void find_proofs(struct repair_table *t)
{
	for (unsigned n = 0; n < BTT_NFREE; n++) {
		struct repair_slot *slot = &t->slot[n];

		slot->proves = slot->state == SLOT_GOOD && is_last_write(t, slot);
	}
	for (unsigned n = 0; n < BTT_NFREE; n++) {
		struct repair_slot *slot = &t->slot[n];
		bool alone = true;

		if (!slot->proves)
			continue;
		for (unsigned k = 0; k < BTT_NFREE && alone; k++) {
			const struct repair_slot *other = &t->slot[k];

			if (k != n && other->state == SLOT_GOOD &&
			    other->record[other->cur].new_map ==
				slot->record[slot->cur].new_map &&
			    other->record[other->cur].lba !=
				slot->record[slot->cur].lba &&
			    is_last_write(t, other))
				alone = false;
		}
		if (alone)
			bits_set(t->proven,
				 btt_map_postmap(slot->record[slot->cur].new_map));
	}
}

/* For an entry of a block with a proof: whether it is the proven one. */
static bool is_proven(const struct repair_table *t, uint32_t i, uint32_t entry)
{
	for (unsigned n = 0; n < BTT_NFREE; n++) {
		const struct repair_slot *slot = &t->slot[n];

		if (slot->proves && slot->record[slot->cur].lba == i &&
		    slot->record[slot->cur].new_map == entry)
			return true;
	}
	return false;
}

static int MUST_CHECK add_bad_entry(struct repair_table *t, uint32_t i)
{
	if ((t->nbad_entry & (t->nbad_entry - 1)) == 0) {
		size_t n = t->nbad_entry ? 2 * t->nbad_entry : 1;
		uint32_t *grown = reallocarray(t->bad_entry, n, sizeof(*grown));

		if (!grown)
			return errormsg_fail(ENOMEM,
					     "out of memory for the list of map entries");
		t->bad_entry = grown;
	}
	t->bad_entry[t->nbad_entry++] = i;
	return 0;
}

static int MUST_CHECK give_up(struct repair_table *t, uint32_t i, uint32_t entry,
			      const char *why)
{
	if (!btt_map_is_error(entry))
		t->plan->lost_blocks++;
	return plan_note(t->plan,
			 "block %llu: its map entry %#x %s; it goes into the error state",
			 ULL(t->first_lba + i), entry, why);
}

static int MUST_CHECK judge_entry(struct repair_table *t, uint32_t i)
{
	uint32_t entry = repair_table_load_entry(t, i);
	uint32_t b = btt_map_postmap(entry);
	int ret;

	if (b >= t->geo->internal_nlba) {
		ret = give_up(t, i, entry, "names a data block out of range");
		return ret < 0 ? ret : add_bad_entry(t, i);
	}
	if (bits_has(t->slots, b)) {
		ret = give_up(t, i, entry, "names a free block");
		return ret < 0 ? ret : add_bad_entry(t, i);
	}
	if (!bits_has(t->multi, b) || (bits_has(t->proven, b) && is_proven(t, i, entry)))
		return 0;
	ret = give_up(t, i, entry, "names a data block that others name");
	if (ret < 0)
		return ret;
	/* Somebody keeps the block: the one that is proven, or the first. */
	if (bits_has(t->proven, b))
		return add_bad_entry(t, i);
	ret = repair_table_change_entry(t, PLAN_MAP_MARK, i, BTT_MAP_ERROR | b);
	if (ret == 0 && bits_has(t->kept, b))
		return add_bad_entry(t, i);
	bits_set(t->kept, b);
	return ret;
}

static int MUST_CHECK repair_arena(struct repair_table *t)
{
	int ret = repair_slots_load(t);

	if (ret < 0)
		return ret;
	count_claims(t);
	ret = complete_writes(t);
	if (ret == 0)
		ret = repair_slots_settle(t);
	if (ret < 0)
		return ret;
	find_proofs(t);
	for (uint32_t i = 0; i < t->geo->external_nlba && ret == 0; i++)
		ret = judge_entry(t, i);
	if (ret == 0)
		ret = repair_blocks_hand_out(t);
	return ret;
}

static int MUST_CHECK run(struct repair_table *t)
{
	size_t size = t->geo->internal_nlba / 8 + 1;
	int ret;

	t->claimed = calloc(1, size);
	t->multi = calloc(1, size);
	t->proven = calloc(1, size);
	t->kept = calloc(1, size);
	t->slots = calloc(1, size);
	if (t->claimed && t->multi && t->proven && t->kept && t->slots)
		ret = repair_arena(t);
	else
		ret = errormsg_fail(ENOMEM, "out of memory for the census of %u blocks",
				    t->geo->internal_nlba);
	free(t->claimed);
	free(t->multi);
	free(t->proven);
	free(t->kept);
	free(t->slots);
	free(t->bad_entry);
	return ret;
}

int repair_table(struct image *image, struct plan *plan, const struct btt_found *found)
{
	uint64_t total = 0;
	uint64_t first = 0;
	int ret = 0;

	for (unsigned i = 0; i < found->narena; i++)
		total += found->arena[i].info.geo.external_nlba;
	for (unsigned i = 0; i < found->narena && ret == 0; i++) {
		const struct btt_geometry *geo = &found->arena[i].info.geo;
		uint64_t off = found->arena[i].off;
		struct repair_table *t = calloc(1, sizeof(*t));

		if (!t)
			return errormsg_fail(ENOMEM, "out of memory");
		*t = (struct repair_table){.image = image,
					   .plan = plan,
					   .geo = geo,
					   .number = i,
					   .first_lba = first,
					   .total_nlba = total,
					   .map_off = off + geo->map_arena_off,
					   .flog_off = off + geo->flog_arena_off};
		ret = plan_add_basis(plan, t->map_off,
				     geo->info_arena_off - geo->map_arena_off);
		if (ret == 0)
			ret = run(t);
		first += geo->external_nlba;
		free(t);
	}
	return ret;
}
