/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The count of who claims which data block (repair/count.h), on maps at random: runs of entries that
 * were never written, between others that name blocks once, several times, or out of range. The test
 * counts entry by entry.
 */
#include "support.h"

#include <string.h>

#include "repair/count.h"

#define NBLOCK 6000u /* map entries */
#define NDATA (NBLOCK + BTT_NFREE)
#define ROOM 8192u /* whole pages of entries */

static le32 map[ROOM];
static struct image image;
static struct btt_geometry geo;
static struct claims *t;
static uint32_t count[NDATA];

static int setup(void **state)
{
	unsigned char *bits = calloc(3, ROOM);

	(void)state;
	t = calloc(1, sizeof(*t));
	if (!t || !bits)
		return -1;
	geo = (struct btt_geometry){.external_nlba = NBLOCK, .internal_nlba = NDATA};
	image.storage.base = (unsigned char *)map;
	image.storage.size = sizeof(map);
	t->image = &image;
	t->geo = &geo;
	t->claimed = bits;
	t->multi = bits + ROOM;
	t->tallied = bits + 2 * ROOM;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(t->claimed);
	free(t);
	return 0;
}

/* Stretches of initial entries with others between them; many blocks are named near their ends. */
static void make_map(uint64_t *random)
{
	uint32_t i = 0;

	memset(map, 0, sizeof(map));
	while (i < NBLOCK) {
		uint32_t n = 1 + (uint32_t)(support_random(random) % 40);

		i += (uint32_t)(support_random(random) % 2500);
		for (; n > 0 && i < NBLOCK; n--, i++) {
			uint64_t r = support_random(random);
			uint32_t b = r % 8 == 0	  ? NDATA + (uint32_t)(r >> 40) % 3
				     : r % 8 == 1 ? i - i % 1024
				     : r % 8 == 2 ? NDATA - 1
						  : (uint32_t)(r >> 40) % NDATA;

			map[i] = cpu_to_le32((r % 3 == 0   ? BTT_MAP_ZERO
					      : r % 3 == 1 ? BTT_MAP_ERROR
							   : BTT_MAP_NORMAL) |
					     b);
		}
	}
}

static void make_slots(uint64_t *random)
{
	for (unsigned n = 0; n < BTT_NFREE; n++) {
		struct claims_slot *s = &t->slot[n];
		uint64_t r = support_random(random);
		uint32_t b = r % 3 == 0	  ? (uint32_t)(r >> 40) % 6 * 1024
			     : r % 3 == 1 ? (uint32_t)(r >> 40) % 64
					  : (uint32_t)(r >> 40) % NDATA;

		if (b >= NDATA)
			b = NDATA - 1;
		*s = (struct claims_slot){.cur = r >> 8 & 1,
					  .is_readable = (r >> 9) % 8 != 0};
		s->record[s->cur] = (struct btt_flog_record){
		    .old_map = BTT_MAP_NORMAL | ((r >> 12) % 8 ? (b + 7) % NDATA : b),
		    .new_map = BTT_MAP_NORMAL | b};
		/* the other record says something else */
		s->record[s->cur ^ 1].new_map = BTT_MAP_NORMAL | NDATA;
	}
}

static void check_tally(void)
{
	for (unsigned n = 0; n < BTT_NFREE; n++)
		if (t->slot[n].is_readable && claims_is_write(&t->slot[n])) {
			uint32_t b =
			    btt_map_postmap(claims_current(&t->slot[n])->new_map);

			assert_int_equal(count_of(t, b), count[b]);
		}
}

static void every_claim_is_counted(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		uint64_t random = seed;

		make_map(&random);
		make_slots(&random);
		memset(count, 0, sizeof(count));
		for (uint32_t i = 0; i < NBLOCK; i++) {
			uint32_t b =
			    btt_map_postmap(btt_map_normalize(le32_to_cpu(map[i]), i));

			if (b < NDATA)
				count[b]++;
		}
		memset(t->tallied, 0, ROOM);
		count_claims(t);
		for (uint32_t b = 0; b < NDATA; b++) {
			assert_int_equal(bits_has(t->claimed, b), count[b] > 0);
			assert_int_equal(bits_has(t->multi, b), count[b] > 1);
		}
		check_tally();
		for (unsigned n = 0; n < 200; n++) {
			uint32_t from = (uint32_t)support_random(&random) % NDATA;
			uint32_t to = (uint32_t)support_random(&random) % (NDATA + 9);

			if (count[from] == 0)
				continue;
			count_move(t, from, to);
			count[from]--;
			if (to < NDATA)
				count[to]++;
		}
		check_tally();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_claim_is_counted),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
