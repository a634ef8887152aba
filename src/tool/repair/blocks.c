/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hands out the blocks that nobody names.
 *
 * A bad slot first gets a block back that one of its records calls free. Then the blocks that are
 * left for the map entries are more likely to be the ones that these have lost.
 *
 * A slot n that gets block b is written anew as the layout writes it: {n, error | b, same, 1},
 * {0}. A power loss may leave any mixture of old and new 8-byte words. So the slot is written in
 * four phases:
 *
 *   1. The first halves of both records, {n, error | b}.
 *   2. Their second halves, with their old sequence numbers. From now on it does not matter which
 *      record is the current one.
 *   3. The sequence numbers 1 and 0.
 *   4. Zeros in the second record.
 */
#include "repair/blocks.h"

#include <errno.h>

#include "errormsg.h"
#include "image/bits.h"

static bool is_unnamed(const struct claims *t, uint32_t b)
{
	return b < t->geo->internal_nlba && !bits_has(t->claimed, b) &&
	       !bits_has(t->slots, b);
}

int blocks_rewrite_slot(struct claims *t, unsigned n, uint32_t b)
{
	static const struct btt_flog_record_media zero;
	uint64_t off = t->flog_off + (uint64_t)n * BTT_FLOG_SLOT_SIZE;
	uint32_t entry = BTT_MAP_ERROR | b;
	le64 first = cpu_to_le64(btt_flog_first_half(n, entry));
	int ret = 0;

	t->slot[n].state = SLOT_GOOD;
	t->slot[n].is_rewritten = true;
	bits_set(t->slots, b);
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

static int MUST_CHECK take_unnamed(struct claims *t, uint32_t *b)
{
	for (;; t->next_free++) {
		t->next_free = (uint32_t)bits_find(t->claimed, false, t->next_free,
						   t->geo->internal_nlba);
		if (t->next_free == t->geo->internal_nlba)
			return errormsg_fail(EINVAL, "%s: arena %u has no block left",
					     t->image->path, t->number);
		if (!bits_has(t->slots, t->next_free))
			break;
	}
	*b = t->next_free;
	return 0;
}

/* Gives bad slots the blocks that they once had. */
static int MUST_CHECK give_back(struct claims *t)
{
	for (unsigned n = 0; n < BTT_NFREE; n++) {
		struct claims_slot *slot = &t->slot[n];

		for (int i = 0; i < 2 && slot->state == SLOT_BAD; i++) {
			/* the current record first */
			int k = slot->cur == 1 ? i ^ 1 : i;
			uint32_t b = btt_map_postmap(slot->record[k].old_map);
			int ret;

			if (slot->record[k].seq == 0 || !is_unnamed(t, b))
				continue;
			ret = blocks_rewrite_slot(t, n, b);
			if (ret < 0)
				return ret;
		}
	}
	return 0;
}

int blocks_hand_out(struct claims *t)
{
	uint32_t b;
	int ret = give_back(t);

	for (size_t k = 0; k < t->nbad_entry && ret == 0; k++) {
		ret = take_unnamed(t, &b);
		if (ret < 0)
			return ret;
		bits_set(t->claimed, b);
		ret =
		    claims_change_entry(t, PLAN_MAP, t->bad_entry[k], BTT_MAP_ERROR | b);
	}
	for (unsigned n = 0; n < BTT_NFREE && ret == 0; n++) {
		if (t->slot[n].state != SLOT_BAD)
			continue;
		ret = take_unnamed(t, &b);
		if (ret == 0)
			ret = blocks_rewrite_slot(t, n, b);
	}
	return ret;
}
