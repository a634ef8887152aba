/* SPDX-License-Identifier: BSD-3-Clause */
#include "repair/count.h"

#include <stdlib.h>
#include <string.h>

#include "image/bits.h"

/* --- the tally --------------------------------------------------------------------------- */

static int by_block(const void *a, const void *b)
{
	uint32_t x = ((const struct claims_tally *)a)->block;
	uint32_t y = ((const struct claims_tally *)b)->block;

	return x < y ? -1 : x > y;
}

/* The first element whose block is b or greater. t->ntally: there is none. */
static unsigned find_tally(const struct claims *t, uint32_t b)
{
	unsigned lo = 0;
	unsigned hi = t->ntally;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (t->tally[mid].block < b)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Begins the tally: an element for each block that a slot's write has installed. */
static void make_tally(struct claims *t)
{
	unsigned n = 0;

	for (unsigned i = 0; i < BTT_NFREE; i++)
		if (t->slot[i].is_readable && claims_is_write(&t->slot[i]))
			t->tally[n++] = (struct claims_tally){
			    .block =
				btt_map_postmap(claims_current(&t->slot[i])->new_map)};
	qsort(t->tally, n, sizeof(t->tally[0]), by_block);
	t->ntally = 0;
	for (unsigned i = 0; i < n; i++)
		if (i == 0 || t->tally[i].block != t->tally[i - 1].block)
			t->tally[t->ntally++] = t->tally[i];
	for (unsigned i = 0; i < t->ntally; i++)
		bits_set(t->tallied, t->tally[i].block);
}

static void add(struct claims *t, uint32_t b, int n)
{
	if (b < t->geo->internal_nlba && bits_has(t->tallied, b))
		t->tally[find_tally(t, b)].count += (uint32_t)n;
}

void count_move(struct claims *t, uint32_t from, uint32_t to)
{
	add(t, from, -1);
	add(t, to, 1);
}

uint32_t count_of(const struct claims *t, uint32_t block)
{
	return t->tally[find_tally(t, block)].count;
}

/* --- counting ---------------------------------------------------------------------------- */

static void count_one(struct claims *t, uint32_t b)
{
	if (b >= t->geo->internal_nlba)
		return;
	if (bits_has(t->claimed, b))
		bits_set(t->multi, b);
	bits_set(t->claimed, b);
	add(t, b, 1);
}

/*
 * Counts the entries [from, to). They were never written and claim the blocks of their own
 * numbers.
 */
static void count_initial(struct claims *t, uint32_t from, uint32_t to)
{
	for (unsigned i = find_tally(t, from); i < t->ntally && t->tally[i].block < to;
	     i++)
		t->tally[i].count++;
	while (from < to) {
		uint32_t n = to - from;

		if (from % 8 == 0 && n >= 8)
			n = (uint32_t)bits_find(t->claimed, true, from,
						from + n / 8 * 8) -
			    from;
		if (from % 8 == 0 && n >= 8) {
			memset(t->claimed + from / 8, 0xff, n / 8);
			from += n / 8 * 8;
			continue;
		}
		if (bits_has(t->claimed, from))
			bits_set(t->multi, from);
		bits_set(t->claimed, from);
		from++;
	}
}

void count_claims(struct claims *t)
{
	struct btt_map_walk walk = claims_walk(t);
	struct btt_map_run run;
	size_t size = t->geo->internal_nlba / 8 + 1;

	if (t->is_counted) {
		memset(t->claimed, 0, size);
		memset(t->multi, 0, size);
	}
	t->is_counted = true;
	make_tally(t);
	while (btt_map_walk_next(&walk, &run)) {
		if (run.zeros)
			count_initial(t, run.first, run.end);
		for (uint32_t i = run.first; i < run.end && !run.zeros; i++)
			count_one(t, btt_map_postmap(claims_entry(t, i)));
	}
}
