/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The repair of an arena's map and flog. An arena has as many data blocks as map entries and
 * slots together, and each of these names one. So for each entry or slot that loses its block
 * there is one block that nobody names.
 *
 * What the flog proves. The current record of a slot says: a write gave data block N to block L
 * in place of data block F, and F has been the slot's free block since then.
 *
 *   1. Proof. If the map names N for L, the record proves that N belongs to L.
 *   2. Completion. If the map still names F for L, the write was interrupted, or the map has lost
 *      it. The write is completed, as opening the pool would do, and a finding names L. Then
 *      rule 1 holds.
 *   3. Confirmation. If the slot's other record freed N, it confirms the current one: a write
 *      uses the block that the slot's previous write has freed. Two records do not agree like
 *      this by chance.
 *   4. Order. Of two records that give N to different blocks, one is later if its slot's other
 *      record freed N from the other one's block.
 *
 * When two claim one data block, the table says which of them keeps it. The other one gets a
 * block that nobody names. If that is a map entry, it gets the block in the error state, and a
 * finding names the entry's block.
 *
 *   | first claim             | second claim                | who keeps the block        | case |
 *   |-------------------------|-----------------------------|----------------------------|------|
 *   | entry                   | entry                       | the first entry; both go   |      |
 *   |                         |                             | into the error state       | C1   |
 *   | entry, proven           | entry                       | the proven one             | C2   |
 *   | entry, proven           | entry, proven               | the one with the later     |      |
 *   |                         |                             | record (rule 4)            | C3   |
 *   | entry, proven           | entry, proven, and no       | as C1                      |      |
 *   |                         | record is the later one     |                            | C4   |
 *   | write to be completed,  | entry from which the slot's | the write; the entry goes  |      |
 *   | confirmed               | other record freed the      | into the error state       |      |
 *   |                         | block; nobody owns what the |                            |      |
 *   |                         | entry got in its place      |                            | C5   |
 *   | write to be completed,  | entry                       | the entry; the write's     |      |
 *   | not confirmed           |                             | block keeps its old data,  |      |
 *   |                         |                             | and a finding names it     | C6   |
 *   | write to be completed   | entry, proven, other than   | as C6                      |      |
 *   |                         | the one in C5               |                            | C7   |
 *   | write to be completed   | write to be completed       | the confirmed one; if      |      |
 *   |                         |                             | there is none, neither,    |      |
 *   |                         |                             | and both are as in C6      | C8   |
 *   | entry                   | slot                        | the entry, unchanged       | C9   |
 *   | entry                   | slot, and another record    | the slot; the entry goes   |      |
 *   |                         | says how the block came     | into the error state       |      |
 *   |                         | there                       |                            | C10  |
 *   | entry                   | slot that was never used,   | the slot, as in C10        |      |
 *   |                         | or whose block was freed by |                            |      |
 *   |                         | the first write to a block  |                            | C11  |
 *   | entry, proven, and the  | slot as in C11              | the entry, unchanged       |      |
 *   | record confirmed        |                             |                            | C12  |
 *   | slot                    | slot                        | the one of which C10       |      |
 *   |                         |                             | holds, else the first; no  |      |
 *   |                         |                             | data is lost either way    | C13  |
 *   | slot's current record,  | entry of the slot's other   | the current record; the    |      |
 *   | to be completed         | record, if the map has lost | entry goes into the error  |      |
 *   |                         | that write, too             | state                      | C14  |
 *   | write to be completed,  | entry other than the one in | neither; the write's block |      |
 *   | confirmed               | C5                          | is as in C6, and the entry |      |
 *   |                         |                             | goes into the error state  | C15  |
 *   | write to be completed   | slot whose write is not the | the slot; the write's      |      |
 *   |                         | next one to the same block  | block is as in C6          | C16  |
 *
 * An entry that keeps a block against another claim may be the wrong one: if the map has lost
 * stores, the entry names a block that has belonged to another claim since then. So a finding
 * names the entry's block, too (C2, C3, C6, C7, C9, C12). It reads as before the repair.
 *
 * In C15 and C16 it may be the flog that has lost stores, not the map. Then the write was
 * completed long ago, and its data block belongs to another block by now.
 *
 * tests/tool/test_repair_claims.c has a case for each row.
 *
 * A slot whose current record is not that of a write is left in the form that the layout makes, with
 * the free block that it has: pmempool(1) refuses all others. Both libraries accept them, so that
 * alone is no reason for a repair.
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

/* Whether the slot's write has to be completed, and nothing has been decided about it yet. */
static bool is_pending(const struct claims *t, const struct claims_slot *slot)
{
	return slot->is_readable && !slot->is_handled && claims_is_write(slot) &&
	       claims_entry(t, claims_current(slot)->premap) ==
		   claims_current(slot)->old_map;
}

/* Whether the map and the current record name the same data block for the record's lba. */
static bool is_last_write(const struct claims *t, const struct claims_slot *slot)
{
	const struct btt_flog_record *r;

	if (!slot->is_readable || !claims_is_write(slot))
		return false;
	r = claims_current(slot);
	return btt_map_postmap(claims_entry(t, r->premap)) == btt_map_postmap(r->new_map);
}

/* Whether two slots' writes gave the same data block to different blocks. */
static bool are_rivals(const struct claims_slot *a, const struct claims_slot *b)
{
	const struct btt_flog_record *x = claims_current(a);
	const struct btt_flog_record *y = claims_current(b);

	return x->premap != y->premap &&
	       btt_map_postmap(x->new_map) == btt_map_postmap(y->new_map);
}

/* Whether slot's record is the later one of two rivals (rule 4). */
static bool is_later(const struct claims_slot *slot, const struct claims_slot *rival)
{
	return claims_is_chained(slot) &&
	       slot->record[slot->cur ^ 1].premap == claims_current(rival)->premap;
}

/* Whether a map entry or a slot names data block b. */
static bool is_owned(const struct claims *t, uint32_t b)
{
	if (b < t->geo->internal_nlba && bits_has(t->claimed, b))
		return true;
	for (unsigned n = 0; n < BTT_NFREE; n++)
		if (t->slot[n].is_readable && claims_free_block(&t->slot[n]) == b)
			return true;
	return false;
}

/*
 * Whether a write's data block is claimed by the map entry alone that the slot took it from, and
 * nobody owns the block which that entry got in its place: then it is the map that has lost
 * stores. If somebody owns it, it may be the flog, and the entry may be right.
 */
static bool is_taken_from_claimant(const struct claims *t, const struct claims_slot *slot)
{
	const struct btt_flog_record *r = claims_current(slot);
	const struct btt_flog_record *other = &slot->record[slot->cur ^ 1];
	uint32_t b = btt_map_postmap(r->new_map);

	return claims_is_chained(slot) && count_of(t, b) == 1 &&
	       other->premap < t->geo->external_nlba &&
	       btt_map_postmap(claims_entry(t, other->premap)) == b &&
	       !is_owned(t, btt_map_postmap(other->new_map));
}

/*
 * Whether a write's data block is the free block of another slot, and not as the result of the
 * next write to the same block.
 */
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

/*
 * Whether a write may have its data block: nobody else claims it, or the flog proves the write's
 * claim.
 */
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

	/* A confirmed write may have reached the block: nobody knows whose data it holds. */
	if (claims_is_chained(&t->slot[n]) && bits_has(t->claimed, b))
		bits_set(t->multi, b);
	claims_lose(t, n, LOSS_WRITE, b);
	return ret < 0 ? ret
		       : slots_call_bad(t, n, "an unfinished write to a block in use");
}

/*
 * Completes the writes that win, and gives up the others. One write may replace what another
 * slot's write has written, so this goes on until no pending write wins. Each round decides about
 * all writes before it completes the first, so that the order of the slots does not matter.
 * Leaves the claims counted.
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

/*
 * A proven entry keeps its block. Of two proven entries of one block, the one with the later
 * record keeps it.
 */
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

/* The slot whose record proves that entry i owns block b, or NULL. */
static const struct claims_slot *find_proof(const struct claims *t, uint32_t i,
					    uint32_t b)
{
	for (unsigned n = 0; n < BTT_NFREE; n++) {
		const struct claims_slot *slot = &t->slot[n];

		if (slot->proves && claims_current(slot)->premap == i &&
		    btt_map_postmap(claims_current(slot)->new_map) == b)
			return slot;
	}
	return NULL;
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

/* Names block i, whose entry keeps data block b although others claim it, too. */
static int MUST_CHECK name_keeper(struct claims *t, uint32_t i, uint32_t b)
{
	static const char may[] = "it may hold older data, or another block's";
	uint64_t lba = t->first_lba + i;

	for (unsigned n = 0; n < BTT_NFREE; n++) {
		const struct claims_slot *slot = &t->slot[n];

		if (slot->loss == LOSS_NONE || slot->lost_block != b)
			continue;
		if (slot->loss == LOSS_FREE_BLOCK)
			return plan_note(t->plan,
					 "block %llu: its data block %u is also the free "
					 "block of flog slot %u; %s",
					 ULL(lba), b, n, may);
		return plan_note(t->plan,
				 "block %llu: its data block %u was also given to block "
				 "%llu by an unfinished write; %s",
				 ULL(lba), b,
				 ULL(t->first_lba + claims_current(slot)->premap), may);
	}
	return plan_note(t->plan,
			 "block %llu: its data block %u is also named by other blocks; "
			 "%s",
			 ULL(lba), b, may);
}

static int MUST_CHECK judge_entry(struct claims *t, uint32_t i)
{
	uint32_t entry = claims_entry(t, i);
	uint32_t b = btt_map_postmap(entry);
	const struct claims_slot *proof;
	int ret;

	if (b >= t->geo->internal_nlba) {
		ret = give_up(t, i, entry, "names a data block out of range");
		return ret < 0 ? ret : add_bad_entry(t, i);
	}
	if (bits_has(t->slots, b)) {
		ret = give_up(t, i, entry, "names a free block");
		return ret < 0 ? ret : add_bad_entry(t, i);
	}
	proof = bits_has(t->proven, b) ? find_proof(t, i, b) : NULL;
	if (!bits_has(t->multi, b) || proof) {
		if ((!bits_has(t->multi, b) && !bits_has(t->lost, b)) ||
		    (proof && proof->is_handled) || btt_map_is_error(entry))
			return 0; /* nothing to say, or it has been said */
		return name_keeper(t, i, b);
	}
	ret = give_up(t, i, entry, "names a data block that others name");
	if (ret < 0)
		return ret;
	/* One entry keeps the block: the proven one, or else the first. */
	if (bits_has(t->proven, b))
		return add_bad_entry(t, i);
	ret = claims_change_entry(t, PLAN_MAP_MARK, i, BTT_MAP_ERROR | b);
	if (ret == 0 && bits_has(t->kept, b))
		return add_bad_entry(t, i);
	bits_set(t->kept, b);
	return ret;
}

/*
 * The first entry in [i, end) whose initial block others claim, too. None of these entries was
 * ever written.
 */
static uint32_t find_contested(const struct claims *t, uint32_t i, uint32_t end)
{
	end = (uint32_t)bits_find(t->multi, true, i, end);
	end = (uint32_t)bits_find(t->lost, true, i, end);
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
	return ret == 0 ? slots_tidy(t) : ret;
}

static int MUST_CHECK run(struct claims *t)
{
	unsigned char **const bitmap[] = {&t->claimed, &t->multi,  &t->proven,
					  &t->chained, &t->kept,   &t->slots,
					  &t->lost,    &t->tallied};
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

	/* Map, flog and the copy of the info block follow each other. */
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
