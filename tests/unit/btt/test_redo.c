/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files whose pages may have left the memory without their last map updates: what the flog says
 * counts, for readers after a failed sync, and for calls that set flags.
 */
#include "btt/modify.h"
#include "btt/poison.h"
#include "btt/redo.h"
#include "btt/zero_range.h"

#include "loaded_fixture.h"

#define NORMAL 0xc0000000u
#define ZERO 0x80000000u
#define ERROR 0x40000000u

/* The sequence numbers of the two records of a slot, and which one is current. */
static const struct {
	uint32_t seq[2];
	unsigned current;
} pair[] = {
    {{1, 2}, 1}, {{2, 3}, 1}, {{3, 1}, 1}, {{0, 1}, 1},
    {{2, 1}, 0}, {{3, 2}, 0}, {{1, 3}, 0}, {{1, 0}, 0},
};

static const unsigned slots[] = {0, 1, 100, BTT_NFREE - 1};

#define TRIALS (ARRAY_SIZE(pair) * ARRAY_SIZE(slots))

/* A pool whose file may drop pages, open. */
static struct btt *open_file(void)
{
	fixture_load(&f, WRITTEN);
	f.ram.s.drops_pages = true;
	return fixture_open(&f);
}

/* A write to a block that was never written, whose map update is lost. */
static uint32_t lose_update(size_t trial, uint32_t premap)
{
	unsigned n = slots[trial / ARRAY_SIZE(pair)];
	size_t p = trial % ARRAY_SIZE(pair);
	unsigned current = pair[p].current;

	put_record(n, !current, premap, NORMAL | premap, NORMAL | (premap + 1),
		   pair[p].seq[!current]);
	put_record(n, current, premap, NORMAL | premap, NORMAL | (EXT_NLBA + n),
		   pair[p].seq[current]);
	memset(f.ram.s.base + DATA_OFF + 4096 + (uint64_t)(EXT_NLBA + n) * 512, 0x22,
	       512);
	assert_int_equal(fixture_get32(&f, MAP_OFF + 4 * premap), 0);
	return EXT_NLBA + n;
}

static void readers_follow_the_current_record_after_a_failed_sync(void **state)
{
	(void)state;
	for (size_t i = 0; i < TRIALS; i++) {
		struct btt *btt = open_file();

		lose_update(i, 777);
		fixture_expect_byte(btt, 777, 0);
		assert_int_equal(btt_poison(btt, -EIO), -EIO);
		fixture_expect_byte(btt, 777, 0x22);
		/* nobody stores it, and others' blocks are not taken for it */
		assert_int_equal(fixture_get32(&f, MAP_OFF + 4 * 777), 0);
		fixture_expect_byte(btt, 776, 0);
		fixture_expect_byte(btt, 778, 0);
		btt_close(btt);
		fixture_fini(&f);
	}
}

static void a_record_whose_update_was_replaced_does_not_count(void **state)
{
	struct btt *btt = open_file();

	(void)state;
	lose_update(0, 777);
	fixture_put32(&f, MAP_OFF + 4 * 777, ZERO | 776);
	assert_int_equal(btt_poison(btt, -EIO), -EIO);
	fixture_expect_byte(btt, 777, 0);
	btt_close(btt);
	fixture_fini(&f);
}

static void readers_of_an_arena_that_is_read_only_believe_its_map(void **state)
{
	struct btt *btt;

	(void)state;
	fixture_load(&f, WRITTEN);
	f.ram.s.drops_pages = true;
	put_record(9, 1, 0, 0, 0, 1);
	btt = fixture_open(&f);
	fixture_expect_byte(btt, 0, 0xa5);
	lose_update(20, 777);
	assert_int_equal(btt_poison(btt, -EIO), -EIO);
	fixture_expect_byte(btt, 0, 0xa5);
	fixture_expect_byte(btt, 777, 0);
	btt_close(btt);
	fixture_fini(&f);
}

static void a_flag_keeps_the_data_block_that_the_current_record_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < TRIALS; i++) {
		struct btt *btt = open_file();
		uint32_t block = lose_update(i, 777);
		bool is_error = i % 2;

		assert_int_equal(
		    is_error ? btt_set_error(btt, 777) : btt_set_zero(btt, 777), 0);
		assert_int_equal(fixture_get32(&f, MAP_OFF + 4 * 777),
				 (is_error ? ERROR : ZERO) | block);
		btt_close(btt);
		fixture_fini(&f);
	}
}

/* Whatever the place of the block in the range. */
static void a_range_of_zeros_keeps_the_data_blocks_that_current_records_name(void **state)
{
	static const struct {
		uint64_t lba, nblock;
		bool is_inside;
	} range[] = {
	    {777, 1, true}, {770, 8, true},   {777, 100, true}, {700, 200, true},
	    {0, 778, true}, {0, 32000, true}, {770, 7, false},	{778, 50, false},
	};

	(void)state;
	for (size_t i = 0; i < TRIALS; i++) {
		size_t k = (i + i / ARRAY_SIZE(pair)) % ARRAY_SIZE(range);
		struct btt *btt = open_file();
		uint32_t block = lose_update(i, 777);
		long long failed;

		assert_int_equal(
		    btt_zero_range(btt, range[k].lba, range[k].nblock, &failed), 0);
		if (fixture_get32(&f, MAP_OFF + 4 * 777) !=
		    (range[k].is_inside ? ZERO | block : 0))
			fail_msg("trial %zu: %#x", i,
				 fixture_get32(&f, MAP_OFF + 4 * 777));
		assert_int_equal(fixture_get32(&f, MAP_OFF + 4 * 776), 0);
		assert_int_equal(fixture_get32(&f, MAP_OFF + 4 * 778), 0);
		btt_close(btt);
		fixture_fini(&f);
	}
}

/* Those of the range, whatever the list held before. */
static void a_list_holds_the_records_of_its_range(void **state)
{
	struct btt *btt = open_file();
	static struct btt_redo_list list;

	(void)state;
	lose_update(20, 777);
	for (uint32_t first = 0; first < 778; first += 777) {
		list.n = 3;
		list.record[0].premap = 5;
		btt_redo_collect_locked(btt, btt->arena, first, 1, &list);
		assert_int_equal(list.n, 1);
		assert_int_equal(list.record[0].premap, first);
	}
	btt_redo_collect_locked(btt, btt->arena, 256, 521, &list);
	assert_int_equal(list.n, 0);
	btt_close(btt);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(readers_follow_the_current_record_after_a_failed_sync),
	    cmocka_unit_test(a_record_whose_update_was_replaced_does_not_count),
	    cmocka_unit_test(readers_of_an_arena_that_is_read_only_believe_its_map),
	    cmocka_unit_test(a_flag_keeps_the_data_block_that_the_current_record_names),
	    cmocka_unit_test(
		a_range_of_zeros_keeps_the_data_blocks_that_current_records_name),
	    cmocka_unit_test(a_list_holds_the_records_of_its_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
