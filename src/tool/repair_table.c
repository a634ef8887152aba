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
 * Blocks that a damaged slot had for its own are given back to it first: what is left over for
 * the map entries is then more likely to be what they pointed at.
 *
 * A slot is written anew in the form that the layout gives it, {n, error | b, same, 1}, {0}. Any
 * mixture of old and new 8-byte words may be what a power loss leaves, so it goes in four
 * steps: both records' first halves {n, error | b}; the second halves with the sequence numbers
 * they have, after which it does not matter which record is current; the sequence numbers 1 and
 * 0; zeros in the second record.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "btt_flog.h"
#include "btt_map.h"
#include "errormsg.h"
#include "repair.h"

enum slot_state {
	SLOT_GOOD,
	SLOT_PRISTINE, /* as the layout left it */
	SLOT_BAD,
};

struct slot {
	struct btt_flog_record record[2];
	int cur;     /* index of the current record, -1: none */
	bool proves; /* that the map entry of its lba is right */
	enum slot_state state;
};

struct table {
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
	struct slot slot[BTT_NFREE];
};

static bool has(const unsigned char *bits, uint32_t i)
{
	return bits[i / 8] & 1u << i % 8;
}

static void set(unsigned char *bits, uint32_t i)
{
	bits[i / 8] = (unsigned char)(bits[i / 8] | 1u << i % 8);
}

static uint32_t load_entry(const struct table *t, uint32_t i)
{
	uint32_t raw = storage_load32(&t->image->storage,
				      t->map_off + (uint64_t)i * BTT_MAP_ENTRY_SIZE,
				      memory_order_relaxed);

	return btt_map_normalize(raw, i);
}

static int MUST_CHECK change_entry(struct table *t, enum plan_phase phase, uint32_t i,
				   uint32_t entry)
{
	le32 value = cpu_to_le32(entry);

	return plan_change(t->plan, t->image, phase,
			   t->map_off + (uint64_t)i * BTT_MAP_ENTRY_SIZE, &value,
			   sizeof(value));
}

static uint32_t free_block(const struct slot *slot)
{
	return btt_map_postmap(slot->record[slot->cur].old_map);
}

/* --- slots by themselves ------------------------------------------------------------------ */

static const char *judge_slot(const struct table *t, struct slot *slot)
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

static int MUST_CHECK call_bad(struct table *t, unsigned n, const char *why)
{
	t->slot[n].state = SLOT_BAD;
	return plan_note(t->plan,
			 "arena %u: flog slot %u has %s; it gets another free block",
			 t->number, n, why);
}

static int MUST_CHECK load_slots(struct table *t)
{
	static const struct btt_flog_record_media zero;

	for (unsigned n = 0; n < BTT_NFREE; n++) {
		uint64_t off = t->flog_off + (uint64_t)n * BTT_FLOG_SLOT_SIZE;
		struct slot *slot = &t->slot[n];
		const char *why;
		int stale;
		int ret = 0;

		btt_flog_decode(storage_at(&t->image->storage, off), slot->record);
		why = judge_slot(t, slot);
		stale = slot->cur ^ 1;
		if (why) {
			ret = call_bad(t, n, why);
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

/* --- map and slots together ------------------------------------------------------------ */

static void count_claims(struct table *t)
{
	size_t size = t->geo->internal_nlba / 8 + 1;

	memset(t->claimed, 0, size);
	memset(t->multi, 0, size);
	for (uint32_t i = 0; i < t->geo->external_nlba; i++) {
		uint32_t b = btt_map_postmap(load_entry(t, i));

		if (b >= t->geo->internal_nlba)
			continue;
		if (has(t->claimed, b))
			set(t->multi, b);
		set(t->claimed, b);
	}
}

static int MUST_CHECK complete_writes(struct table *t)
{
	bool any = false;

	for (unsigned n = 0; n < BTT_NFREE; n++) {
		struct slot *slot = &t->slot[n];
		const struct btt_flog_record *r;
		uint32_t b;
		int ret;

		if (slot->state == SLOT_BAD)
			continue;
		r = &slot->record[slot->cur];
		b = btt_map_postmap(r->new_map);
		if (r->old_map == r->new_map || load_entry(t, r->lba) != r->old_map)
			continue;
		if (has(t->claimed, b)) {
			ret = call_bad(t, n, "an unfinished write to a block in use");
		} else {
			any = true;
			set(t->claimed, b);
			ret = plan_note(t->plan,
					"block %llu: an unfinished write is completed",
					ULL(t->first_lba + r->lba));
			if (ret == 0)
				ret = change_entry(t, PLAN_MAP, r->lba, r->new_map);
		}
		if (ret < 0)
			return ret;
	}
	if (any)
		count_claims(t);
	return 0;
}

static bool is_never_written(const struct table *t, uint32_t i)
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
static bool is_free_proven(const struct table *t, const struct slot *slot)
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

static int MUST_CHECK settle_slots(struct table *t)
{
	for (unsigned n = 0; n < BTT_NFREE; n++) {
		struct slot *slot = &t->slot[n];
		uint32_t b;
		int ret = 0;

		if (slot->state == SLOT_BAD)
			continue;
		b = free_block(slot);
		if (has(t->slots, b))
			ret = call_bad(t, n, "the free block of another slot");
		else if (has(t->claimed, b) && !is_free_proven(t, slot))
			ret = call_bad(t, n, "a free block that is in use");
		else
			set(t->slots, b);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* The record of a finished write, after which nothing has changed that map entry. */
static bool is_last_write(const struct table *t, const struct slot *slot)
{
	const struct btt_flog_record *r = &slot->record[slot->cur];

	return slot->state == SLOT_GOOD && r->old_map != r->new_map &&
	       load_entry(t, r->lba) == r->new_map;
}

/* A proven entry keeps its block; where two are proven, neither is. */
static void find_proofs(struct table *t)
{
	for (unsigned n = 0; n < BTT_NFREE; n++) {
		struct slot *slot = &t->slot[n];

		slot->proves = slot->state == SLOT_GOOD && is_last_write(t, slot);
	}
	for (unsigned n = 0; n < BTT_NFREE; n++) {
		struct slot *slot = &t->slot[n];
		bool alone = true;

		if (!slot->proves)
			continue;
		for (unsigned k = 0; k < BTT_NFREE && alone; k++) {
			const struct slot *other = &t->slot[k];

			if (k != n && other->state == SLOT_GOOD &&
			    other->record[other->cur].new_map ==
				slot->record[slot->cur].new_map &&
			    other->record[other->cur].lba !=
				slot->record[slot->cur].lba &&
			    is_last_write(t, other))
				alone = false;
		}
		if (alone)
			set(t->proven, btt_map_postmap(slot->record[slot->cur].new_map));
	}
}

/* For an entry of a block with a proof: whether it is the proven one. */
static bool is_proven(const struct table *t, uint32_t i, uint32_t entry)
{
	for (unsigned n = 0; n < BTT_NFREE; n++) {
		const struct slot *slot = &t->slot[n];

		if (slot->proves && slot->record[slot->cur].lba == i &&
		    slot->record[slot->cur].new_map == entry)
			return true;
	}
	return false;
}

static int MUST_CHECK add_bad_entry(struct table *t, uint32_t i)
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

static int MUST_CHECK give_up(struct table *t, uint32_t i, uint32_t entry,
			      const char *why)
{
	if (!btt_map_is_error(entry))
		t->plan->lost_blocks++;
	return plan_note(t->plan,
			 "block %llu: its map entry %#x %s; it goes into the error state",
			 ULL(t->first_lba + i), entry, why);
}

static int MUST_CHECK judge_entry(struct table *t, uint32_t i)
{
	uint32_t entry = load_entry(t, i);
	uint32_t b = btt_map_postmap(entry);
	int ret;

	if (b >= t->geo->internal_nlba) {
		ret = give_up(t, i, entry, "names a data block out of range");
		return ret < 0 ? ret : add_bad_entry(t, i);
	}
	if (has(t->slots, b)) {
		ret = give_up(t, i, entry, "names a free block");
		return ret < 0 ? ret : add_bad_entry(t, i);
	}
	if (!has(t->multi, b) || (has(t->proven, b) && is_proven(t, i, entry)))
		return 0;
	ret = give_up(t, i, entry, "names a data block that others name");
	if (ret < 0)
		return ret;
	/* Somebody keeps the block: the one that is proven, or the first. */
	if (has(t->proven, b))
		return add_bad_entry(t, i);
	ret = change_entry(t, PLAN_MAP_MARK, i, BTT_MAP_ERROR | b);
	if (ret == 0 && has(t->kept, b))
		return add_bad_entry(t, i);
	set(t->kept, b);
	return ret;
}

static bool is_unnamed(const struct table *t, uint32_t b)
{
	return b < t->geo->internal_nlba && !has(t->claimed, b) && !has(t->slots, b);
}

/* --- handing out the blocks that nobody names -------------------------------------------- */

static int MUST_CHECK rewrite_slot(struct table *t, unsigned n, uint32_t b)
{
	static const struct btt_flog_record_media zero;
	uint64_t off = t->flog_off + (uint64_t)n * BTT_FLOG_SLOT_SIZE;
	uint32_t entry = BTT_MAP_ERROR | b;
	le64 first = cpu_to_le64(btt_flog_first_half(n, entry));
	int ret = 0;

	set(t->slots, b);
	for (unsigned i = 0; i < 2 && ret == 0; i++) {
		uint64_t record = off + i * sizeof(struct btt_flog_record_media);
		uint32_t seq = t->slot[n].record[i].seq;
		le64 second = cpu_to_le64(btt_flog_second_half(entry, seq));
		le64 last = cpu_to_le64(btt_flog_second_half(entry, i == 0));

		ret = plan_change(t->plan, t->image, PLAN_FLOG_FIRST_HALVES, record,
				  &first, sizeof(first));
		if (ret == 0)
			ret =
			    plan_change(t->plan, t->image, PLAN_FLOG_SECOND_HALVES,
					record + sizeof(first), &second, sizeof(second));
		if (ret == 0)
			ret = plan_change(t->plan, t->image, PLAN_FLOG_SEQUENCE,
					  record + sizeof(first), &last, sizeof(last));
	}
	if (ret == 0)
		ret = plan_change(t->plan, t->image, PLAN_FLOG_CLEAN, off + sizeof(zero),
				  &zero, sizeof(zero));
	return ret;
}

static int MUST_CHECK take_unnamed(struct table *t, uint32_t *b)
{
	while (t->next_free < t->geo->internal_nlba && !is_unnamed(t, t->next_free))
		t->next_free++;
	if (t->next_free == t->geo->internal_nlba)
		return errormsg_fail(EINVAL, "%s: arena %u has no block left",
				     t->image->path, t->number);
	*b = t->next_free;
	return 0;
}

/* To slots the blocks that they once had. */
static int MUST_CHECK give_back(struct table *t)
{
	for (unsigned n = 0; n < BTT_NFREE; n++) {
		struct slot *slot = &t->slot[n];

		for (int i = 0; i < 2 && slot->state == SLOT_BAD; i++) {
			/* the current record first */
			int k = slot->cur == 1 ? i ^ 1 : i;
			uint32_t b = btt_map_postmap(slot->record[k].old_map);
			int ret;

			if (slot->record[k].seq == 0 || !is_unnamed(t, b))
				continue;
			ret = rewrite_slot(t, n, b);
			if (ret < 0)
				return ret;
			slot->state = SLOT_GOOD;
		}
	}
	return 0;
}

static int MUST_CHECK hand_out(struct table *t)
{
	uint32_t b;
	int ret = give_back(t);

	for (size_t k = 0; k < t->nbad_entry && ret == 0; k++) {
		ret = take_unnamed(t, &b);
		if (ret < 0)
			return ret;
		set(t->claimed, b);
		ret = change_entry(t, PLAN_MAP, t->bad_entry[k], BTT_MAP_ERROR | b);
	}
	for (unsigned n = 0; n < BTT_NFREE && ret == 0; n++) {
		if (t->slot[n].state != SLOT_BAD)
			continue;
		ret = take_unnamed(t, &b);
		if (ret == 0)
			ret = rewrite_slot(t, n, b);
	}
	return ret;
}

static int MUST_CHECK repair_arena(struct table *t)
{
	int ret = load_slots(t);

	if (ret < 0)
		return ret;
	count_claims(t);
	ret = complete_writes(t);
	if (ret == 0)
		ret = settle_slots(t);
	if (ret < 0)
		return ret;
	find_proofs(t);
	for (uint32_t i = 0; i < t->geo->external_nlba && ret == 0; i++)
		ret = judge_entry(t, i);
	if (ret == 0)
		ret = hand_out(t);
	return ret;
}

static int MUST_CHECK run(struct table *t)
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
		struct table *t = calloc(1, sizeof(*t));

		if (!t)
			return errormsg_fail(ENOMEM, "out of memory");
		*t = (struct table){.image = image,
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
