/* SPDX-License-Identifier: BSD-3-Clause */
#include "repair/slots.h"

#include <string.h>

#include "image/bits.h"
#include "repair/blocks.h"

/*
 * What is wrong with a slot, or NULL. A slot with which the pool opens (btt/recover.c) is not
 * called bad here.
 */
static const char *judge(const struct claims *t, struct claims_slot *slot)
{
	const struct btt_flog_record *r;

	slot->cur = btt_flog_find_current(slot->record[0].seq, slot->record[1].seq);
	if (slot->cur < 0)
		return "two records of the same sequence number";
	r = claims_current(slot);
	if ((r->seq & 3) == 0)
		return "a sequence number without successor";
	if (btt_map_postmap(r->old_map) >= t->geo->internal_nlba)
		return "a data block out of range";
	if (r->premap >= t->total_nlba)
		return "a block number out of range";
	if (r->old_map == r->new_map)
		return NULL;
	if (!btt_flog_is_write(r))
		return "a map entry that no write leaves there";
	if (r->premap >= t->geo->external_nlba)
		return "a block number out of range";
	if (btt_map_postmap(r->new_map) >= t->geo->internal_nlba)
		return "a data block out of range";
	return NULL;
}

int slots_call_bad(struct claims *t, unsigned n, const char *why)
{
	t->slot[n].state = SLOT_BAD;
	return plan_note(t->plan,
			 "arena %u: flog slot %u has %s; it gets another free block",
			 t->number, n, why);
}

static int MUST_CHECK load(struct claims *t, unsigned n)
{
	struct claims_slot *slot = &t->slot[n];
	const char *why;

	btt_flog_decode(storage_at(&t->image->storage,
				   t->flog_off + (uint64_t)n * BTT_FLOG_SLOT_SIZE),
			slot->record);
	why = judge(t, slot);
	if (why)
		return slots_call_bad(t, n, why);
	slot->is_readable = true;
	slot->state = SLOT_GOOD;
	slot->clear_other = slot->record[slot->cur ^ 1].premap >= t->total_nlba;
	return 0;
}

int slots_load(struct claims *t)
{
	int ret = 0;

	for (unsigned n = 0; n < BTT_NFREE && ret == 0; n++)
		ret = load(t, n);
	return ret;
}

/* --- against the map ------------------------------------------------------------------------ */

/*
 * Whether another record confirms the free block: it gave this data block to the same block of
 * the pool, whose next write, the slot's own, has freed it.
 */
static bool is_confirmed(const struct claims *t, const struct claims_slot *slot)
{
	const struct btt_flog_record *r = claims_current(slot);

	if (!claims_is_write(slot))
		return false;
	for (unsigned n = 0; n < BTT_NFREE; n++)
		for (int i = 0; i < 2; i++) {
			const struct btt_flog_record *other = &t->slot[n].record[i];

			if (other != r && other->seq != 0 && other->premap == r->premap &&
			    other->new_map == r->old_map)
				return true;
		}
	return false;
}

/* Whether the slot is as the layout, or an earlier repair, has left it. */
static bool is_pristine(const struct claims_slot *slot)
{
	static const struct btt_flog_record zero;
	const struct btt_flog_record *r = claims_current(slot);

	return slot->cur == 0 && r->seq == 1 && r->old_map == r->new_map &&
	       memcmp(&slot->record[1], &zero, sizeof(zero)) == 0;
}

static bool is_never_written(const struct claims *t, uint32_t i)
{
	return i < t->geo->external_nlba &&
	       btt_map_is_initial(storage_load32(
		   &t->image->storage, t->map_off + (uint64_t)i * BTT_MAP_ENTRY_SIZE,
		   memory_order_relaxed));
}

/*
 * Whether the slot's free block is free although the map names it.
 *
 *   1. It is if another record confirms it.
 *   2. Else it is not if the current record frees no block, because it changes a block's state
 *      only, or if both records of some slot prove the map entry.
 *   3. Else it is if the slot was never used, if the block was freed by the first write to a
 *      block, or if the map entry of the block's own number was never written.
 */
static bool wins_over_map(const struct claims *t, const struct claims_slot *slot)
{
	const struct btt_flog_record *r = claims_current(slot);
	uint32_t b = claims_free_block(slot);

	if (is_confirmed(t, slot))
		return true;
	if (r->old_map != r->new_map && !claims_is_write(slot))
		return false;
	if (bits_has(t->chained, b))
		return false;
	return is_pristine(slot) ||
	       (claims_is_write(slot) && r->old_map == (BTT_MAP_NORMAL | r->premap)) ||
	       is_never_written(t, b);
}

static int MUST_CHECK settle(struct claims *t, unsigned n)
{
	struct claims_slot *slot = &t->slot[n];
	uint32_t b = claims_free_block(slot);

	if (bits_has(t->slots, b))
		return slots_call_bad(t, n, "the free block of another slot");
	if (bits_has(t->claimed, b) && !wins_over_map(t, slot)) {
		claims_lose(t, n, LOSS_FREE_BLOCK, b);
		return slots_call_bad(t, n, "a free block that is in use");
	}
	bits_set(t->slots, b);
	return 0;
}

/*
 * Of two slots with the same free block, the one that another record confirms keeps it: the first
 * round settles these.
 */
int slots_settle(struct claims *t)
{
	int ret = 0;

	for (int round = 0; round < 2; round++)
		for (unsigned n = 0; n < BTT_NFREE && ret == 0; n++) {
			struct claims_slot *slot = &t->slot[n];

			if (slot->state == SLOT_GOOD &&
			    is_confirmed(t, slot) == (round == 0))
				ret = settle(t, n);
		}
	return ret;
}

/*
 * Whether pmempool(1) refuses the slot although both libraries accept it: for a slot whose current
 * record is not that of a write, it insists on the form that the layout makes.
 */
static bool is_refused_by_pmempool(const struct claims *t, const struct claims_slot *slot)
{
	static const struct btt_flog_record zero;
	const struct btt_flog_record *r = claims_current(slot);

	if (claims_is_write(slot))
		return false;
	return slot->cur != 0 || r->seq != 1 || r->premap >= t->geo->external_nlba ||
	       memcmp(&slot->record[1], &zero, sizeof(zero)) != 0;
}

static int MUST_CHECK clear_other(struct claims *t, unsigned n)
{
	static const struct btt_flog_record_media zero;
	uint64_t record = t->flog_off + (uint64_t)n * BTT_FLOG_SLOT_SIZE +
			  (uint64_t)(t->slot[n].cur ^ 1) * sizeof(zero);
	int ret = plan_note(t->plan,
			    "arena %u: flog slot %u has a block number out of range in "
			    "the record not in use; it is cleared",
			    t->number, n);

	return ret < 0 ? ret
		       : plan_change(t->plan, t->image, PLAN_FLOG_CLEAN, record, &zero,
				     sizeof(zero));
}

static int MUST_CHECK tidy(struct claims *t, unsigned n)
{
	const struct claims_slot *slot = &t->slot[n];
	int ret;

	if (slot->is_rewritten)
		return 0;
	if (!is_refused_by_pmempool(t, slot))
		return slot->clear_other ? clear_other(t, n) : 0;
	ret = plan_note(t->plan,
			"arena %u: flog slot %u has a form that pmempool refuses; it is "
			"written anew, with the same free block",
			t->number, n);
	return ret < 0 ? ret : blocks_rewrite_slot(t, n, claims_free_block(slot));
}

int slots_tidy(struct claims *t)
{
	int ret = 0;

	for (unsigned n = 0; n < BTT_NFREE && ret == 0; n++)
		ret = tidy(t, n);
	return ret;
}
