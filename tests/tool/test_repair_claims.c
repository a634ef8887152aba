/* SPDX-License-Identifier: BSD-3-Clause */
/* Two claims on one data block: a case for each row of the table in src/tool/repair/table.c. */
#include "claims_fixture.h"

static void C1_of_two_entries_neither_is_believed(void **state)
{
	(void)state;
	for (uint32_t lba = 10; lba <= 40; lba += 10)
		write_block(0, lba);
	set_entry(20, get_entry(&now, 10));
	repair(2);
	assert_error_with(10, E);
	assert_error(20);
}

static void C2_a_proven_entry_keeps_its_block(void **state)
{
	(void)state;
	write_block(0, 10);
	set_entry(5, get_entry(&now, 10));
	set_entry(20, get_entry(&now, 10));
	repair(3);
	assert_entry(10, NORMAL(E));
	assert_said("block 10: its data block %u is also named by other blocks; it may "
		    "hold older data, or another block's\n",
		    E);
	assert_error(5);
	assert_error(20);
}

/* Slot 0 gave data block E to block 10. Then slot 1 freed it and gave it to block 20. */
static void give_from_10_to_20(void)
{
	write_block(0, 10);
	write_block(1, 10);
	write_block(1, 20);
	set_entry(10, NORMAL(E));
}

static void C3_of_two_proven_entries_the_later_one_keeps_the_block(void **state)
{
	(void)state;
	give_from_10_to_20();
	repair(2);
	assert_entry(20, NORMAL(E));
	assert_said("block 20: its data block %u is also named by other blocks; it may "
		    "hold older data, or another block's\n",
		    E);
	assert_error(10);
}

static void C4_of_two_proven_entries_without_order_neither_is_believed(void **state)
{
	(void)state;
	give_from_10_to_20();
	spoil_other_record(1);
	repair(2);
	assert_error_with(10, E);
	assert_error(20);
}

/* Slot 1 took data block E from block 20 and gave it to block 10; the map knows of neither. */
static void C5_a_confirmed_write_is_completed_against_the_entry_before(void **state)
{
	(void)state;
	write_block(0, 20);
	write_block(1, 20);
	write_block(1, 10);
	write_block(0, 30);
	write_block(0, 30);
	set_entry(10, NORMAL(10));
	set_entry(20, NORMAL(E));
	repair(2);
	assert_entry(10, NORMAL(E));
	assert_true(is_named(10));
	assert_error(20);
}

static void C6_a_write_that_nothing_confirms_gives_way_to_an_entry(void **state)
{
	(void)state;
	write_block(0, 10);
	set_entry(10, NORMAL(10));
	set_entry(20, NORMAL(E));
	spoil_other_record(0);
	repair(2);
	assert_entry(10, NORMAL(10));
	assert_true(is_named(10));
	assert_entry(20, NORMAL(E));
	assert_said("block 20: its data block %u was also given to block 10 by an "
		    "unfinished write; it may hold older data, or another block's\n",
		    E);
}

static void C7_a_write_gives_way_to_a_proven_entry(void **state)
{
	uint64_t record;

	(void)state;
	write_block(1, 20);
	write_block(0, 10);
	set_entry(10, NORMAL(10));
	record = record_off(&now, 0, current(0));
	put32(&now, record + 8, NORMAL(E + 1));
	record = record_off(&now, 0, current(0) ^ 1);
	put32(&now, record, 30);
	put32(&now, record + 4, NORMAL(E + 1));
	repair(2);
	assert_entry(10, NORMAL(10));
	assert_true(is_named(10));
	assert_entry(20, NORMAL(E + 1));
	assert_said("block 20: its data block %u was also given to block 10 by an "
		    "unfinished write; it may hold older data, or another block's\n",
		    E + 1);
}

/* Both slots 0 and 1 have an unfinished write to data block E. */
static void two_unfinished_writes(void)
{
	write_block(0, 10);
	write_block(1, 20);
	set_entry(10, NORMAL(10));
	set_entry(20, NORMAL(20));
	put32(&now, record_off(&now, 1, current(1)) + 8, NORMAL(E));
}

static void C8_of_two_writes_the_confirmed_one_is_completed(void **state)
{
	(void)state;
	two_unfinished_writes();
	repair(2);
	assert_entry(10, NORMAL(E));
	assert_true(is_named(10));
	assert_entry(20, NORMAL(20));
	assert_true(is_named(20));
}

static void C8_of_two_writes_that_nothing_confirms_none_is_completed(void **state)
{
	(void)state;
	two_unfinished_writes();
	spoil_other_record(0);
	repair(2);
	assert_entry(10, NORMAL(10));
	assert_true(is_named(10));
	assert_entry(20, NORMAL(20));
	assert_true(is_named(20));
}

static void C9_an_entry_keeps_a_block_that_a_slot_only_claims(void **state)
{
	(void)state;
	write_block(0, 10);
	write_block(0, 30);
	write_block(0, 10);
	assert_int_equal(free_block(0), E);
	set_entry(20, NORMAL(E));
	repair(1);
	assert_entry(20, NORMAL(E));
	assert_int_equal(free_block(0), 20);
	assert_said("block 20: its data block %u is also the free block of flog slot 0; "
		    "it may hold older data, or another block's\n",
		    E);
}

/*
 * Slot 0 gave data block 10 to block 20, and slot 1 took it away again. Block 10 was written before,
 * so that it does not have the data block of its own number any more.
 */
static void
C9_a_block_that_was_written_before_tells_nothing_of_its_first_block(void **state)
{
	(void)state;
	write_block(0, 10);
	write_block(0, 20);
	write_block(0, 30);
	write_block(1, 20);
	write_block(0, 40);
	assert_int_equal(free_block(1), 10);
	set_entry(50, NORMAL(10));
	repair(1);
	assert_entry(50, NORMAL(10));
	assert_said("block 50: its data block 10 is also the free block of flog slot %d; "
		    "it may hold older data, or another block's\n",
		    1);
}

/*
 * Slot 0 gave data block E to block 20, which has another one now. Blocks 30 and 40 have had data
 * block E since then. The map falls back: block 20 reads what block 40 has left.
 */
static void C9_a_block_whose_entry_fell_back_is_named(void **state)
{
	(void)state;
	write_block(0, 20);
	write_block(1, 20);
	write_block(1, 30);
	write_block(2, 30);
	write_block(2, 40);
	write_block(3, 40);
	write_block(1, 50);
	write_block(2, 50);
	assert_int_equal(free_block(3), E);
	spoil_other_record(2);
	set_entry(20, NORMAL(E));
	repair(1);
	assert_entry(20, NORMAL(E));
	assert_said("block 20: its data block %u is also the free block of flog slot 3; "
		    "it may hold older data, or another block's\n",
		    E);
}

/* Their sequence number, the half in use, or the other half is not that of the layout. */
static void C9_slots_that_are_not_quite_as_laid_out_were_used(void **state)
{
	const struct btt_flog_record zero = {0, 0, 0, 0};
	const struct btt_flog_record first = {5, BTT_MAP_ZERO | (E + 5),
					      BTT_MAP_ZERO | (E + 5), 1};
	const struct btt_flog_record second = {5, BTT_MAP_ZERO | (E + 5),
					       BTT_MAP_ZERO | (E + 5), 2};
	const struct btt_flog_record left = {7, NORMAL(7), NORMAL(9), 0};
	const struct {
		struct btt_flog_record record[2];
	} slots[] = {{{second, zero}}, {{zero, first}}, {{first, left}}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
		put_record(&now, 5, 0, &slots[i].record[0]);
		put_record(&now, 5, 1, &slots[i].record[1]);
		set_entry(20, NORMAL(E + 5));
		repair(1);
		assert_entry(20, NORMAL(E + 5));
		assert_true(is_named(20));
		assert_int_equal(free_block(5), 20);
	}
}

/* It reads as an error, so that there is nothing to be mistaken. */
static void C9_a_block_in_the_error_state_needs_no_name(void **state)
{
	(void)state;
	write_block(0, 10);
	write_block(0, 30);
	write_block(0, 10);
	set_entry(20, BTT_MAP_ERROR | E);
	repair(0);
	assert_entry(20, BTT_MAP_ERROR | E);
}

static void C10_a_slot_keeps_a_block_that_another_record_tells_of(void **state)
{
	(void)state;
	write_block(0, 10);
	write_block(1, 10);
	assert_int_equal(free_block(1), E);
	set_entry(20, NORMAL(E));
	repair(1);
	assert_error(20);
	assert_int_equal(free_block(1), E);
}

/* In either half of its slot, and whatever its sequence number is. */
static void C10_it_does_not_matter_where_that_record_stands(void **state)
{
	(void)state;
	for (uint32_t nwrite = 1; nwrite <= 6; nwrite++) {
		for (uint32_t i = 1; i < nwrite; i++)
			write_block(0, 30 + i);
		write_block(0, 10);
		write_block(1, 10);
		set_entry(20, NORMAL(free_block(1)));
		repair(1);
		assert_error(20);
		assert_int_equal(free_block(1), nwrite == 1 ? E : 30 + nwrite - 1);
		free(now.p);
		now = clone_file(&fresh);
	}
}

static void C11_a_slot_that_was_never_used_keeps_its_block(void **state)
{
	(void)state;
	set_entry(20, NORMAL(E + 5));
	repair(1);
	assert_error(20);
	assert_int_equal(free_block(5), E + 5);
}

static void C11_a_slot_keeps_what_the_first_write_replaced(void **state)
{
	(void)state;
	write_block(0, 10);
	set_entry(20, NORMAL(10));
	repair(1);
	assert_error(20);
	assert_int_equal(free_block(0), 10);
}

/* Slot n looks like a slot that was never used, with data block b. */
static void reset_slot(unsigned n, uint32_t b)
{
	btt_flog_encode_pristine(n, b - n, (void *)(now.p + slot_off(&now, n)));
}

static void C12_a_confirmed_entry_wins_against_a_slot_never_used(void **state)
{
	(void)state;
	write_block(5, 10);
	reset_slot(6, E + 5);
	repair(1);
	assert_entry(10, NORMAL(E + 5));
	assert_said("block 10: its data block %u is also the free block of flog slot 6; "
		    "it may hold older data, or another block's\n",
		    E + 5);
	assert_int_equal(free_block(6), E + 6);
}

static void C13_of_two_slots_the_confirmed_one_keeps_the_block(void **state)
{
	(void)state;
	write_block(2, 10);
	write_block(3, 10);
	assert_int_equal(free_block(3), E + 2);
	reset_slot(0, E + 2);
	repair(0);
	assert_int_equal(free_block(3), E + 2);
	assert_int_equal(free_block(0), E);
}

static void C13_of_two_slots_the_first_one_keeps_the_block(void **state)
{
	(void)state;
	reset_slot(4, E + 3);
	repair(0);
	assert_int_equal(free_block(3), E + 3);
	assert_int_equal(free_block(4), E + 4);
}

static void C14_the_current_record_wins_against_an_older_block(void **state)
{
	(void)state;
	write_block(0, 18);
	write_block(0, 16);
	set_entry(16, NORMAL(16));
	set_entry(18, NORMAL(18));
	repair(2);
	assert_entry(16, NORMAL(18));
	assert_true(is_named(16));
	assert_error(18);
}

/*
 * Block 10 was written twice through slot 0 and has its data block again, block 20 has got the one
 * in between; then the flog fell back to the first of these writes.
 */
static void C15_a_flog_that_fell_back_gives_no_block_away(void **state)
{
	struct btt_flog_record r[2];

	(void)state;
	write_block(0, 10);
	get_slot(&now, 0, r);
	write_block(0, 10);
	assert_int_equal(get_entry(&now, 10), NORMAL(10));
	write_block(0, 20);
	assert_int_equal(get_entry(&now, 20), NORMAL(E));
	put_record(&now, 0, 0, &r[0]);
	put_record(&now, 0, 1, &r[1]);
	repair(2);
	assert_entry(10, NORMAL(10));
	assert_true(is_named(10));
	assert_error_with(20, E);
}

/*
 * Slot 1 took data block E from block 20 and gave it to block 10. Later block 20 got it again, and
 * block 10 has its first data block again; then the flog fell back to the write of block 10.
 */
static void C15_a_block_that_came_back_is_not_taken_away_again(void **state)
{
	struct btt_flog_record r[2];

	(void)state;
	write_block(0, 20);
	write_block(1, 20);
	write_block(1, 10);
	get_slot(&now, 1, r);
	write_block(2, 10);
	write_block(2, 20);
	assert_int_equal(get_entry(&now, 20), NORMAL(E));
	write_block(2, 30);
	write_block(2, 30);
	write_block(1, 10);
	write_block(0, 40);
	write_block(0, 40);
	assert_int_equal(get_entry(&now, 10), NORMAL(10));
	put_record(&now, 1, 0, &r[0]);
	put_record(&now, 1, 1, &r[1]);
	repair(2);
	assert_entry(10, NORMAL(10));
	assert_true(is_named(10));
	assert_error_with(20, E);
}

/*
 * As in the first case of C15, and block 20 has been written once more, through slot 1: that has the
 * data block now.
 */
static void C16_a_block_that_another_slot_has_is_not_given_away(void **state)
{
	struct btt_flog_record r[2];

	(void)state;
	write_block(0, 10);
	get_slot(&now, 0, r);
	write_block(0, 10);
	write_block(0, 20);
	write_block(1, 20);
	assert_int_equal(free_block(1), E);
	put_record(&now, 0, 0, &r[0]);
	put_record(&now, 0, 1, &r[1]);
	repair(1);
	assert_entry(10, NORMAL(10));
	assert_true(is_named(10));
	assert_entry(20, NORMAL(E + 1));
	assert_int_equal(free_block(1), E);
}

/*
 * Slots 3 and 7 have exchanged their blocks. Slot 5 names none that there is. Slot 9 has written block
 * 10; its older record names the block that slot 5 had.
 */
static void bad_slots_get_back_the_blocks_that_they_had(void **state)
{
	(void)state;
	for (unsigned n = 3; n <= 7; n += 2)
		for (int i = 0; i < 2; i++) {
			uint32_t had =
			    NORMAL(n == 5 ? fresh.geo.internal_nlba : E + 10 - n);
			struct btt_flog_record r = {0, had, had, 2};

			put_record(&now, n, i, &r);
		}
	write_block(9, 10);
	put32(&now, record_off(&now, 9, 0) + 4, NORMAL(E + 5));
	put32(&now, record_off(&now, 9, 1), BTT_MAP_LBA_MASK);
	repair(0);
	assert_int_equal(free_block(3), E + 7);
	assert_int_equal(free_block(7), E + 3);
	assert_int_equal(free_block(9), 10);
	assert_int_equal(free_block(5), E + 5);
	assert_entry(10, NORMAL(E + 9));
}

/* Block 0 was never written. Slot 5, which was never used, has lost the first half of its record. */
static void a_record_that_no_write_leaves_claims_nothing(void **state)
{
	(void)state;
	put32(&now, record_off(&now, 5, 0), 0);
	put32(&now, record_off(&now, 5, 0) + 4, 0);
	repair(0);
	assert_said(
	    "arena 0: flog slot %d has a map entry that no write leaves there; it "
	    "gets another free block",
	    5);
	assert_int_equal(free_block(5), E + 5);
	assert_entry(0, NORMAL(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(C1_of_two_entries_neither_is_believed),
	    CASE(C2_a_proven_entry_keeps_its_block),
	    CASE(C3_of_two_proven_entries_the_later_one_keeps_the_block),
	    CASE(C4_of_two_proven_entries_without_order_neither_is_believed),
	    CASE(C5_a_confirmed_write_is_completed_against_the_entry_before),
	    CASE(C6_a_write_that_nothing_confirms_gives_way_to_an_entry),
	    CASE(C7_a_write_gives_way_to_a_proven_entry),
	    CASE(C8_of_two_writes_the_confirmed_one_is_completed),
	    CASE(C8_of_two_writes_that_nothing_confirms_none_is_completed),
	    CASE(C9_an_entry_keeps_a_block_that_a_slot_only_claims),
	    CASE(C9_a_block_that_was_written_before_tells_nothing_of_its_first_block),
	    CASE(C9_a_block_whose_entry_fell_back_is_named),
	    CASE(C9_slots_that_are_not_quite_as_laid_out_were_used),
	    CASE(C9_a_block_in_the_error_state_needs_no_name),
	    CASE(C10_a_slot_keeps_a_block_that_another_record_tells_of),
	    CASE(C10_it_does_not_matter_where_that_record_stands),
	    CASE(C11_a_slot_that_was_never_used_keeps_its_block),
	    CASE(C11_a_slot_keeps_what_the_first_write_replaced),
	    CASE(C12_a_confirmed_entry_wins_against_a_slot_never_used),
	    CASE(C13_of_two_slots_the_confirmed_one_keeps_the_block),
	    CASE(C13_of_two_slots_the_first_one_keeps_the_block),
	    CASE(C14_the_current_record_wins_against_an_older_block),
	    CASE(C15_a_flog_that_fell_back_gives_no_block_away),
	    CASE(C15_a_block_that_came_back_is_not_taken_away_again),
	    CASE(C16_a_block_that_another_slot_has_is_not_given_away),
	    CASE(bad_slots_get_back_the_blocks_that_they_had),
	    CASE(a_record_that_no_write_leaves_claims_nothing),
	};

	return cmocka_run_group_tests(tests, make_fresh, free_fresh);
}
