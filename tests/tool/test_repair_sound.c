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

static void a_slot_that_replaced_a_block_by_itself_is_left_alone(void **state)
{
	struct btt_flog_record r = {10, NORMAL(E), NORMAL(E), 2};

	(void)state;
	put_record(&now, 0, 1, &r);
	repair_another_block();
	assert_int_equal(get32(&now, record_off(&now, 0, 1) + 12), 2);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_slot_that_replaced_a_block_by_itself_is_left_alone),
	    CASE(a_block_set_to_zero_after_its_write_is_proven_all_the_same),
	    CASE(writes_are_completed_one_after_the_other),
	    CASE(a_slot_that_is_rewritten_is_not_cleared_afterwards),
	    CASE(a_record_not_in_use_that_names_no_block_is_cleared),
	};

	return cmocka_run_group_tests(tests, make_fresh, free_fresh);
}
