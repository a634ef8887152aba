/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two claims on one data block: a case for each row of the table in src/tool/repair/table.c.
 *
 * The pool is laid out and was never written: block i has data block i, slot n has data block
 * E + n, E being the number of blocks. Each case writes through slots as the library would,
 * then damages something, repairs, and looks at who has what.
 */
#include "support.h"

#include <libpmemblk.h>

#include "pool_file.h"
#include "run_tool.h"

#define BSIZE 4096u
#define NORMAL(b) (BTT_MAP_NORMAL | (b))

static struct pool_file fresh; /* laid out */
static struct pool_file now;   /* what the case makes of it, then the repaired pool */
static uint32_t E;

static int make_fresh(void **state)
{
	static const char zero[BSIZE];
	const char *path = support_path(true, "fresh");
	PMEMblkpool *pool = pmemblk_create(path, BSIZE, PMEMBLK_MIN_POOL, 0600);

	(void)state;
	if (!pool || pmemblk_write(pool, zero, 0) != 0)
		return -1;
	pmemblk_close(pool);
	fresh.p = support_read_file(path, &fresh.len);
	if (btt_geometry_arena(fresh.len - ARENA, BSIZE, &fresh.geo) != 0)
		return -1;
	E = fresh.geo.external_nlba;
	put32(&fresh, map_off(&fresh, 0), 0);
	for (unsigned n = 0; n < BTT_NFREE; n++)
		btt_flog_encode_pristine(n, E, (void *)(fresh.p + slot_off(&fresh, n)));
	return 0;
}

static int free_fresh(void **state)
{
	(void)state;
	free(fresh.p);
	free(tool_said);
	return 0;
}

static int begin(void **state)
{
	(void)state;
	now = clone_file(&fresh);
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(now.p);
	return 0;
}

static int current(unsigned n)
{
	struct btt_flog_record r[2];

	get_slot(&now, n, r);
	return btt_flog_find_current(r[0].seq, r[1].seq);
}

static void set_entry(uint32_t lba, uint32_t entry)
{
	put32(&now, map_off(&now, lba), entry);
}

static uint32_t free_block(unsigned n)
{
	return btt_map_postmap(get32(&now, record_off(&now, n, current(n)) + 4));
}

/* A write of the block through slot n, complete. */
static void write_block(unsigned n, uint32_t lba)
{
	int cur = current(n);
	struct btt_flog_record r = {
	    .premap = lba,
	    .old_map = get_entry(&now, lba),
	    .new_map = NORMAL(free_block(n)),
	    .seq = btt_flog_next_seq(get32(&now, record_off(&now, n, cur) + 12)),
	};

	put_record(&now, n, cur ^ 1, &r);
	set_entry(lba, r.new_map);
}

/* The next write has begun to prepare its record, so that the other one does not confirm. */
static void spoil_other_record(unsigned n)
{
	uint64_t at = record_off(&now, n, current(n) ^ 1);

	put32(&now, at, 99);
	put32(&now, at + 4, NORMAL(99));
}

static bool is_named(uint32_t lba)
{
	char text[32];
	const char *p;

	snprintf(text, sizeof(text), "block %u: ", lba);
	p = strstr(tool_said, text);
	return p && (p == tool_said || p[-1] == '\n');
}

static unsigned count_named(void)
{
	unsigned n = 0;

	for (const char *p = tool_said; (p = strstr(p, "block ")) != NULL; p++)
		if ((p == tool_said || p[-1] == '\n') && p[6] >= '0' && p[6] <= '9')
			n++;
	return n;
}

/* Repairs; the output names so many blocks. Repaired again and undone, too. */
static void repair(unsigned nnamed)
{
	const char *path = support_path(true, "claims");
	const char *undo = support_path(true, "claims.undo");
	struct pool_file damaged = now;

	unlink(undo);
	store_file(path, &damaged);
	assert_int_not_equal(pmemblk_check(path, 0), 1);
	assert_int_equal(tool_run(cmd_repair, "-v", path, NULL), 0);
	if (count_named() != nnamed)
		fail_msg("%u blocks named instead of %u:\n%s", count_named(), nnamed,
			 tool_said);
	assert_int_equal(pmemblk_check(path, 0), 1);
	now = load_file(path, &fresh);
	{
		char *said = tool_said;

		tool_said = NULL;
		assert_int_equal(tool_run(cmd_repair, "-u", undo, path, NULL), 0);
		assert_true(is_file(path, &damaged));
		free(tool_said);
		tool_said = said;
	}
	free(damaged.p);
}

static void assert_entry(uint32_t lba, uint32_t entry)
{
	if (get_entry(&now, lba) != entry)
		fail_msg("block %u: %#x instead of %#x", lba, get_entry(&now, lba),
			 entry);
}

static void assert_error(uint32_t lba)
{
	assert_true(btt_map_is_error(get_entry(&now, lba)));
	assert_true(is_named(lba));
}

/* Its entry stands in the error state and has the data block. */
static void assert_error_with(uint32_t lba, uint32_t b)
{
	assert_error(lba);
	assert_entry(lba, BTT_MAP_ERROR | b);
}

/* --- the rows ------------------------------------------------------------------------------ */

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
	repair(2);
	assert_entry(10, NORMAL(E));
	assert_error(5);
	assert_error(20);
}

/* Block 10 had data block E from slot 0; slot 1 took it away and gave it to block 20. */
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
	repair(1);
	assert_entry(20, NORMAL(E));
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

static void C5_a_confirmed_write_is_completed_against_an_entry(void **state)
{
	(void)state;
	write_block(0, 10);
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
	repair(1);
	assert_entry(10, NORMAL(10));
	assert_true(is_named(10));
	assert_entry(20, NORMAL(E));
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
	repair(1);
	assert_entry(10, NORMAL(10));
	assert_true(is_named(10));
	assert_entry(20, NORMAL(E + 1));
}

/* Slots 0 and 1 both say that they were about to use data block E. */
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
	repair(0);
	assert_entry(20, NORMAL(E));
	assert_int_equal(free_block(0), 20);
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

/* Slot n looks as if it had never been used and had data block b. */
static void reset_slot(unsigned n, uint32_t b)
{
	btt_flog_encode_pristine(n, b - n, (void *)(now.p + slot_off(&now, n)));
}

static void C12_a_confirmed_entry_wins_against_a_slot_never_used(void **state)
{
	(void)state;
	write_block(5, 10);
	reset_slot(6, E + 5);
	repair(0);
	assert_entry(10, NORMAL(E + 5));
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

/* --- what is sound is left alone ------------------------------------------------------------ */

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
	repair(1);
	assert_entry(10, BTT_MAP_ZERO | E);
	assert_error(20);
}

/* A write of slot 9 replaced what one of slot 7 wrote, and the map has fallen behind both. */
static void writes_are_completed_one_after_the_other(void **state)
{
	(void)state;
	write_block(9, 10);
	write_block(7, 10);
	set_entry(10, NORMAL(10));
	repair(2);
	assert_entry(10, NORMAL(E + 7));
}

/* Both would be planned for one record, and the clearing comes in a later phase. */
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
		repair(0);
		assert_entry(20, NORMAL(E + 1));
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

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(C1_of_two_entries_neither_is_believed),
	    CASE(C2_a_proven_entry_keeps_its_block),
	    CASE(C3_of_two_proven_entries_the_later_one_keeps_the_block),
	    CASE(C4_of_two_proven_entries_without_order_neither_is_believed),
	    CASE(C5_a_confirmed_write_is_completed_against_an_entry),
	    CASE(C6_a_write_that_nothing_confirms_gives_way_to_an_entry),
	    CASE(C7_a_write_gives_way_to_a_proven_entry),
	    CASE(C8_of_two_writes_the_confirmed_one_is_completed),
	    CASE(C8_of_two_writes_that_nothing_confirms_none_is_completed),
	    CASE(C9_an_entry_keeps_a_block_that_a_slot_only_claims),
	    CASE(C10_a_slot_keeps_a_block_that_another_record_tells_of),
	    CASE(C11_a_slot_that_was_never_used_keeps_its_block),
	    CASE(C11_a_slot_keeps_what_the_first_write_replaced),
	    CASE(C12_a_confirmed_entry_wins_against_a_slot_never_used),
	    CASE(C13_of_two_slots_the_confirmed_one_keeps_the_block),
	    CASE(C13_of_two_slots_the_first_one_keeps_the_block),
	    CASE(C14_the_current_record_wins_against_an_older_block),
	    CASE(a_slot_that_replaced_a_block_by_itself_is_left_alone),
	    CASE(a_block_set_to_zero_after_its_write_is_proven_all_the_same),
	    CASE(a_slot_that_is_rewritten_is_not_cleared_afterwards),
	    CASE(a_record_not_in_use_that_names_no_block_is_cleared),
	    CASE(writes_are_completed_one_after_the_other),
	};

	return cmocka_run_group_tests(tests, make_fresh, free_fresh);
}
