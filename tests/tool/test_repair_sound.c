/* SPDX-License-Identifier: BSD-3-Clause */
/* Claims that are sound: a repair of something else leaves them alone, or completes them. */
#include "claims_fixture.h"

/* Writes the pool, with the writes of slot 0, and repairs one other block. */
static void repair_another_block(void)
{
	set_entry(50, NORMAL(BTT_MAP_LBA_MASK));
	repair(1);
	assert_error(50);
}

static void a_slot_that_replaced_a_block_by_itself_keeps_its_free_block(void **state)
{
	struct btt_flog_record r = {10, NORMAL(E), NORMAL(E), 2};

	(void)state;
	put_record(&now, 0, 1, &r);
	repair_another_block();
	assert_int_equal(free_block(0), E);
}

/* Both libraries accept these; pmempool accepts only what the layout makes. */
static void slots_in_unusual_forms_get_that_of_the_layout(void **state)
{
	const struct btt_flog_record zero = {0, 0, 0, 0};
	const struct {
		struct btt_flog_record record[2];
	} slots[] = {
	    {{{0, BTT_MAP_ZERO | E, BTT_MAP_ZERO | E, 2}, zero}},
	    {{{0, BTT_MAP_ZERO | E, BTT_MAP_ZERO | E, 5}, zero}},
	    {{{0, E, E, 0x101}, zero}},
	    {{zero, {0, BTT_MAP_ZERO | E, BTT_MAP_ZERO | E, 1}}},
	    {{zero, {7, BTT_MAP_ZERO | E, NORMAL(E), 7}}},
	    {{{0, BTT_MAP_ZERO | E, BTT_MAP_ZERO | E, 1}, {0, BTT_MAP_ZERO, 0, 0}}},
	    {{{0, BTT_MAP_ZERO | E, BTT_MAP_ZERO | E, 1}, {7, NORMAL(7), NORMAL(9), 3}}},
	    {{{7, NORMAL(7), NORMAL(E), 2}, {8, NORMAL(E), NORMAL(E), 3}}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
		const char *path = support_path(true, "unusual");
		struct btt_flog_record r[2];

		put_record(&now, 0, 0, &slots[i].record[0]);
		put_record(&now, 0, 1, &slots[i].record[1]);
		set_entry(50, NORMAL(50));
		store_file(path, &now);
		assert_int_equal(tool_run(cmd_check, path, NULL), 0);
		repair_another_block();
		assert_said("arena 0: flog slot %d has a form that pmempool refuses", 0);
		get_slot(&now, 0, r);
		assert_int_equal(current(0), 0);
		assert_int_equal(free_block(0), E);
		assert_int_equal(r[0].premap, 0);
		assert_int_equal(r[0].new_map, r[0].old_map);
		assert_int_equal(r[0].seq, 1);
		assert_memory_equal(&r[1], &zero, sizeof(zero));
	}
}

/* pmempool accepts these, too. */
static void slots_that_tell_of_a_write_are_left_alone(void **state)
{
	const struct btt_flog_record zero = {0, 0, 0, 0};
	const struct {
		struct btt_flog_record record[2];
	} slots[] = {
	    {{zero, {7, NORMAL(7), NORMAL(E), 1}}},
	    {{{7, NORMAL(7), NORMAL(E), 6}, {8, BTT_MAP_ZERO | E, 9, 1}}},
	    {{{7, NORMAL(7), NORMAL(E), 5}, zero}},
	};

	(void)state;
	set_entry(7, NORMAL(E));
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
		struct btt_flog_record r[2];

		put_record(&now, 0, 0, &slots[i].record[0]);
		put_record(&now, 0, 1, &slots[i].record[1]);
		set_entry(50, NORMAL(50));
		repair_another_block();
		get_slot(&now, 0, r);
		assert_memory_equal(r, slots[i].record, sizeof(r));
	}
}

static void a_block_set_to_zero_after_its_write_is_proven_all_the_same(void **state)
{
	(void)state;
	write_block(0, 10);
	set_entry(10, BTT_MAP_ZERO | E);
	set_entry(20, NORMAL(E));
	repair(2);
	assert_true(is_named(10));
	assert_entry(10, BTT_MAP_ZERO | E);
	assert_error(20);
}

/* A write of slot 7 replaced what a write of slot 9 wrote, and the map lacks both. */
static void writes_are_completed_one_after_the_other(void **state)
{
	(void)state;
	write_block(9, 10);
	write_block(7, 10);
	set_entry(10, NORMAL(10));
	repair(2);
	assert_entry(10, NORMAL(E + 7));
}

/* The plan would hold both changes of one record, and the clearing is in a later phase. */
static void a_slot_that_is_rewritten_is_not_cleared_afterwards(void **state)
{
	int cur;

	(void)state;
	write_block(1, 20);
	for (uint32_t lba = 10; lba < 14; lba++) {
		write_block(0, lba);
		cur = current(0);
		put32(&now, record_off(&now, 0, cur ^ 1), E + 5);
		put32(&now, record_off(&now, 0, cur) + 4, NORMAL(E + 1));
		repair(1);
		assert_entry(20, NORMAL(E + 1));
		assert_true(is_named(20));
		assert_int_equal(current(0), 0);
	}
}

static void a_record_not_in_use_that_names_no_block_is_cleared(void **state)
{
	(void)state;
	for (uint32_t lba = 10; lba < 12; lba++) {
		int cur;

		write_block(0, lba);
		cur = current(0);
		put32(&now, record_off(&now, 0, cur ^ 1), E + 5);
		repair(0);
		assert_int_equal(current(0), cur);
		assert_int_equal(get32(&now, record_off(&now, 0, cur ^ 1)), 0);
	}
}

/* The first slot and the last one have exchanged theirs; records may have any sequence number. */
static void every_bad_slot_gets_back_the_block_that_it_had(void **state)
{
	(void)state;
	for (uint32_t seq = 1; seq <= 3; seq++) {
		for (unsigned n = 0; n < BTT_NFREE; n += BTT_NFREE - 1)
			for (int i = 0; i < 2; i++) {
				uint32_t had = NORMAL(E + BTT_NFREE - 1 - n);
				struct btt_flog_record r = {0, had, had, seq};

				put_record(&now, n, i, &r);
			}
		/* a third one names no block: it gets the one that is left */
		for (int i = 0; i < 2; i++)
			put32(&now, record_off(&now, 5, i) + 4, BTT_MAP_LBA_MASK);
		repair(0);
		assert_int_equal(free_block(0), E + BTT_NFREE - 1);
		assert_int_equal(free_block(5), E + 5);
		assert_int_equal(free_block(BTT_NFREE - 1), E);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_slot_that_replaced_a_block_by_itself_keeps_its_free_block),
	    CASE(slots_in_unusual_forms_get_that_of_the_layout),
	    CASE(slots_that_tell_of_a_write_are_left_alone),
	    CASE(a_block_set_to_zero_after_its_write_is_proven_all_the_same),
	    CASE(writes_are_completed_one_after_the_other),
	    CASE(a_slot_that_is_rewritten_is_not_cleared_afterwards),
	    CASE(a_record_not_in_use_that_names_no_block_is_cleared),
	    CASE(every_bad_slot_gets_back_the_block_that_it_had),
	};

	return cmocka_run_group_tests(tests, make_fresh, free_fresh);
}
