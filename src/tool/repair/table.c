/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Map and flog of an arena. Together they have to name every data block exactly once, so
 * there are always as many blocks that nobody names as there are map entries and slots that
 * have lost theirs.
 *
 * What the flog proves. The current record of a slot says that block L was given data block N
 * in the place of data block F, which is the slot's free block since then.
 *
 *   - The record proves that N belongs to L if the map says so, too.
 *   - If L still has F, the write was interrupted, or the map has fallen back behind it. It is
 *     completed, as opening the pool would do, and L is named. Then the record proves N.
 *   - The slot's other record confirms the current one if it freed N: a write uses the block
 *     that the slot's previous write has freed. Two records that agree are not there by chance.
 *
 * Two claims on one data block, and who keeps it. Everybody else gets a block that nobody
 * names: a map entry in the error state, and the output names its block.
 *
 *   | first claim             | second claim                | who keeps the block        | case |
 *   |-------------------------|-----------------------------|----------------------------|------|
 *   | entry                   | entry                       | the first one, but both go |      |
 *   |                         |                             | into the error state       | C1   |
 *   | entry, proven           | entry                       | the proven one             | C2   |
 *   | entry, proven           | entry, proven               | the one whose record's     |      |
 *   |                         |                             | slot freed it of the other | C3   |
 *   | entry, proven           | entry, proven, and neither  |                            |      |
 *   |                         | was freed of the other      | as C1                      | C4   |
 *   | write to be completed,  | entry that the slot's other | the write: the entry goes  |      |
 *   | confirmed               | record freed the block of   | into the error state       | C5   |
 *   | write to be completed,  | entry                       | the entry; the write's     |      |
 *   | not confirmed           |                             | block keeps what it has,   |      |
 *   |                         |                             | and is named               | C6   |
 *   | write to be completed   | entry, proven, not freed by | as C6                      |      |
 *   |                         | the write's slot            |                            | C7   |
 *   | write to be completed   | write to be completed       | the confirmed one; else    |      |
 *   |                         |                             | neither, both as C6        | C8   |
 *   | entry                   | slot                        | the entry, as it is        | C9   |
 *   | entry                   | slot; another record says   | the slot: the entry goes   |      |
 *   |                         | how the block came there    | into the error state       | C10  |
 *   | entry                   | slot that was never used,   |                            |      |
 *   |                         | or whose block the entry's  |                            |      |
 *   |                         | first write has replaced    | the slot, as C10           | C11  |
 *   | entry, proven, and the  | slot as in C11              | the entry, as it is        | C12  |
 *   | record confirmed        |                             |                            |      |
 *   | slot                    | slot                        | the confirmed one, else    |      |
 *   |                         |                             | the first; no data block   |      |
 *   |                         |                             | is lost either way         | C13  |
 *   | slot's current record   | entry of the block of the   | the current record: the    |      |
 *   | (to be completed)       | slot's other record, which  | older write's block goes   |      |
 *   |                         | has fallen back, too        | into the error state       | C14  |
 *   | write to be completed,  | entry of another block than | neither: the write's block |      |
 *   | confirmed               | the one in C5               | as C6, the entry goes into |      |
 *   |                         |                             | the error state            | C15  |
 *   | write to be completed   | slot, and its write is not  | the slot; the write's      |      |
 *   |                         | the next one to that block  | block as C6                | C16  |
 *
 * In C15 and C16 the flog may have fallen back behind the map as well as the map behind the flog: then
 * the write was completed long ago, and its data block is another one's by now.
 *
 * tests/tool/test_repair_claims.c has a case for each row.
 *
 * repair/slots.c judges the slots, repair/blocks.c hands out the blocks that nobody names.
 */
#include "repair/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "errormsg.h"
#include "image/bits.h"
#include "repair/blocks.h"
#include "repair/claims.h"
#include "repair/count.h"
#include "repair/slots.h"

/* --- writes to be completed -------------------------------------------------------------- */

/* Whether the slot's write has to be completed, and nothing was decided about it. */
static bool is_pending(const struct claims *t, const struct claims_slot *slot)
{
	return slot->is_readable && !slot->is_handled && claims_is_write(slot) &&
	       claims_entry(t, claims_current(slot)->premap) ==
		   claims_current(slot)->old_map;
}

/* Whether map and record agree on the data block of the record's lba. */
static bool is_last_write(const struct claims *t, const struct claims_slot *slot)
{
	const struct btt_flog_record *r;

	if (!slot->is_readable || !claims_is_write(slot))
		return false;
	r = claims_current(slot);
	return btt_map_postmap(claims_entry(t, r->premap)) == btt_map_postmap(r->new_map);
}

/* Two slots' writes gave the same data block to different blocks. */
static bool are_rivals(const struct claims_slot *a, const struct claims_slot *b)
{
	const struct btt_flog_record *x = claims_current(a);
	const struct btt_flog_record *y = claims_current(b);

	return x->premap != y->premap &&
	       btt_map_postmap(x->new_map) == btt_map_postmap(y->new_map);
}

/* Of two rivals: slot has got the data block by taking it from the other one's block. */
static bool is_later(const struct claims_slot *slot, const struct claims_slot *rival)
{
	return claims_is_chained(slot) &&
	       slot->record[slot->cur ^ 1].premap == claims_current(rival)->premap;
}

/* The one map entry that claims the data block of a write is that which the slot took it from. */
static bool is_taken_from_claimant(const struct claims *t, const struct claims_slot *slot)
{
	const struct btt_flog_record *r = claims_current(slot);
	const struct btt_flog_record *other = &slot->record[slot->cur ^ 1];
	uint32_t b = btt_map_postmap(r->new_map);

	return claims_is_chained(slot) && count_of(t, b) == 1 &&
	       other->premap < t->geo->external_nlba &&
	       btt_map_postmap(claims_entry(t, other->premap)) == b;
}

/* Another slot has the data block of a write, and not because the next write freed it there. */
static bool is_free_elsewhere(const struct claims *t, const struct claims_slot *slot)
{
	const struct btt_flog_record *r = claims_current(slot);

	for (unsigned n = 0; n < BTT_NFREE; n++) {
		const struct claims_slot *other = &t->slot[n];
		const struct btt_flog_record *o;

		if (other == slot || !other->is_readable)
			continue;
		o = claims_current(other);
		if (btt_map_postmap(o->old_map) == btt_map_postmap(r->new_map) &&
		    (o->premap != r->premap || o->old_map != r->new_map))
			return true;
	}
	return false;
}

/* The data block of a write is claimed by others: whether the flog proves that it is its own. */
static bool wins(const struct claims *t, const struct claims_slot *slot)
{
	bool contested = count_of(t, btt_map_postmap(claims_current(slot)->new_map)) != 0;

	if (contested && !is_taken_from_claimant(t, slot))
		return false;
	if (is_free_elsewhere(t, slot))
		return false;
	for (unsigned n = 0; n < BTT_NFREE; n++) {
		const struct claims_slot *rival = &t->slot[n];

		if (rival == slot || !(is_pending(t, rival) || is_last_write(t, rival)) ||
		    !are_rivals(slot, rival))
			continue;
		contested = true;
		if (is_later(rival, slot))
			return false;
		if ((is_last_write(t, rival) || claims_is_chained(rival)) &&
		    !is_later(slot, rival))
			return false;
	}
	return !contested || claims_is_chained(slot);
}

static int MUST_CHECK complete(struct claims *t, const struct claims_slot *slot)
{
	const struct btt_flog_record *r = claims_current(slot);
	int ret = plan_note(t->plan, "block %llu: an unfinished write is completed",
			    ULL(t->first_lba + r->premap));

	if (ret == 0)
		ret = claims_change_entry(t, PLAN_MAP_COMPLETE, r->premap, r->new_map);
	count_move(t, btt_map_postmap(r->old_map), btt_map_postmap(r->new_map));
	return ret;
}

static int MUST_CHECK take_back(struct claims *t, unsigned n)
{
	const struct btt_flog_record *r = claims_current(&t->slot[n]);
	uint32_t b = btt_map_postmap(r->new_map);
	int ret = plan_note(t->plan,
			    "block %llu: a write to it cannot be completed, because data "
			    "block %u has another owner; it keeps what it had before",
			    ULL(t->first_lba + r->premap), btt_map_postmap(r->new_map));

	/* Whose data is in a block that a confirmed write may have reached, nobody knows. */
	if (claims_is_chained(&t->slot[n]) && bits_has(t->claimed, b))
		bits_set(t->multi, b);
	return ret < 0 ? ret
		       : slots_call_bad(t, n, "an unfinished write to a block in use");
}

/*
 * Completes what can be, one after the other: the write of one slot may have replaced what
 * another one's has written. Those that others contest are decided upon before any of them is
 * completed, so that the order of the slots does not matter. Leaves the claims counted.
 */
static int MUST_CHECK complete_writes(struct claims *t)
{
	bool good[BTT_NFREE];
	bool again = true;
	bool moved = false;
	int ret = 0;

	count_claims(t);
	while (again && ret == 0) {
		again = false;
		for (unsigned n = 0; n < BTT_NFREE; n++)
			good[n] = is_pending(t, &t->slot[n]) && wins(t, &t->slot[n]);
		for (unsigned n = 0; n < BTT_NFREE && ret == 0; n++) {
			struct claims_slot *slot = &t->slot[n];

			if (!good[n] || !is_pending(t, slot))
				continue;
			ret = complete(t, slot);
			slot->is_handled = true;
			again = moved = true;
		}
	}
	if (moved)
		count_claims(t);
	for (unsigned n = 0; n < BTT_NFREE && ret == 0; n++)
		if (is_pending(t, &t->slot[n]))
			ret = take_back(t, n);
	return ret;
}

/* --- proofs ------------------------------------------------------------------------------ */

/* A proven entry keeps its block; of two that are proven, the later one. */
static void find_proofs(struct claims *t)
{
	bool last[BTT_NFREE];

	for (unsigned n = 0; n < BTT_NFREE; n++)
		last[n] = is_last_write(t, &t->slot[n]);
	for (unsigned n = 0; n < BTT_NFREE; n++) {
		struct claims_slot *slot = &t->slot[n];
		uint32_t b;

		slot->proves = last[n];
		for (unsigned k = 0; k < BTT_NFREE && slot->proves; k++)
			if (last[k] && k != n && are_rivals(slot, &t->slot[k]) &&
			    (!is_later(slot, &t->slot[k]) || is_later(&t->slot[k], slot)))
				slot->proves = false;
		if (!slot->proves)
			continue;
		b = btt_map_postmap(claims_current(slot)->new_map);
		bits_set(t->proven, b);
		if (claims_is_chained(slot))
			bits_set(t->chained, b);
	}
}

/* For an entry of a block with a proof: whether it is the proven one. */
static bool is_proven(const struct claims *t, uint32_t i, uint32_t b)
{
	for (unsigned n = 0; n < BTT_NFREE; n++) {
		const struct claims_slot *slot = &t->slot[n];

		if (slot->proves && claims_current(slot)->premap == i &&
		    btt_map_postmap(claims_current(slot)->new_map) == b)
			return true;
	}
	return false;
}

/* --- map entries -------------------------------------------------------------------------- */

static int MUST_CHECK add_bad_entry(struct claims *t, uint32_t i)
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

static int MUST_CHECK give_up(struct claims *t, uint32_t i, uint32_t entry,
			      const char *why)
{
	if (!btt_map_is_error(entry))
		t->plan->lost_blocks++;
	return plan_note(t->plan,
			 "block %llu: its map entry %#x %s; it goes into the error state",
			 ULL(t->first_lba + i), entry, why);
}

static int MUST_CHECK judge_entry(struct claims *t, uint32_t i)
{
	uint32_t entry = claims_entry(t, i);
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
	if (!bits_has(t->multi, b) || (bits_has(t->proven, b) && is_proven(t, i, b)))
		return 0;
	ret = give_up(t, i, entry, "names a data block that others name");
	if (ret < 0)
		return ret;
	/* Somebody keeps the block: the one that is proven, or the first. */
	if (bits_has(t->proven, b))
		return add_bad_entry(t, i);
	ret = claims_change_entry(t, PLAN_MAP_MARK, i, BTT_MAP_ERROR | b);
	if (ret == 0 && bits_has(t->kept, b))
		return add_bad_entry(t, i);
	bits_set(t->kept, b);
	return ret;
}

/* The first entry in [i, end), none of which was written, whose own block others claim, too. */
static uint32_t find_contested(const struct claims *t, uint32_t i, uint32_t end)
{
	end = (uint32_t)bits_find(t->multi, true, i, end);
	return (uint32_t)bits_find(t->slots, true, i, end);
}

static int MUST_CHECK judge_entries(struct claims *t)
{
	struct btt_map_walk walk = claims_walk(t);
	struct btt_map_run run;
	int ret = 0;

	while (ret == 0 && btt_map_walk_next(&walk, &run)) {
		uint32_t i = run.first;

		while (ret == 0 && i < run.end) {
			if (run.zeros)
				i = find_contested(t, i, run.end);
			if (i < run.end)
				ret = judge_entry(t, i++);
		}
	}
	return ret;
}

/* ----------------------------------------------------------------------------------------- */

static int MUST_CHECK repair_arena(struct claims *t)
{
	int ret = slots_load(t);

	if (ret < 0)
		return ret;
	ret = complete_writes(t);
	if (ret < 0)
		return ret;
	find_proofs(t);
	ret = slots_settle(t);
	if (ret == 0)
		ret = judge_entries(t);
	if (ret == 0)
		ret = blocks_hand_out(t);
	return ret == 0 ? slots_clear(t) : ret;
}

static int MUST_CHECK run(struct claims *t)
{
	unsigned char **const bitmap[] = {&t->claimed, &t->multi, &t->proven, &t->chained,
					  &t->kept,    &t->slots, &t->tallied};
	size_t size = t->geo->internal_nlba / 8 + 1;
	unsigned char *all = calloc(ARRAY_SIZE(bitmap), size);
	int ret;

	if (!all)
		return errormsg_fail(ENOMEM, "out of memory for the census of %u blocks",
				     t->geo->internal_nlba);
	for (size_t i = 0; i < ARRAY_SIZE(bitmap); i++)
		*bitmap[i] = all + i * size;
	ret = repair_arena(t);
	free(all);
	free(t->bad_entry);
	return ret;
}

/* Info blocks, map and flog of an arena. */
static int MUST_CHECK add_basis(struct plan *plan, const struct btt_found_arena *arena)
{
	const struct btt_geometry *geo = &arena->info.geo;
	int ret = plan_add_basis(plan, arena->off, BTT_INFO_SIZE);

	/* Map, flog and the copy of the info block stand one behind the other. */
	return ret < 0 ? ret
		       : plan_add_basis(plan, arena->off + geo->map_arena_off,
					geo->info_arena_off + BTT_INFO_SIZE -
					    geo->map_arena_off);
}

int table_repair(struct image *image, struct plan *plan, const struct btt_found *found)
{
	uint64_t total = 0;
	uint64_t first = 0;
	int ret = 0;

	for (unsigned i = 0; i < found->narena; i++)
		total += found->arena[i].info.geo.external_nlba;
	for (unsigned i = 0; i < found->narena && ret == 0; i++) {
		const struct btt_geometry *geo = &found->arena[i].info.geo;
		uint64_t off = found->arena[i].off;
		struct claims *t = calloc(1, sizeof(*t));

		if (!t)
			return errormsg_fail(ENOMEM, "out of memory");
		*t = (struct claims){.image = image,
				     .plan = plan,
				     .geo = geo,
				     .number = i,
				     .first_lba = first,
				     .total_nlba = total,
				     .map_off = off + geo->map_arena_off,
				     .flog_off = off + geo->flog_arena_off};
		ret = add_basis(plan, &found->arena[i]);
		if (ret == 0)
			ret = run(t);
		first += geo->external_nlba;
		free(t);
	}
	return ret;
}
