/* SPDX-License-Identifier: BSD-3-Clause */
/* What open and check make of records in the flog that no write has left there. */
#include "btt/geometry.h"

#include "loaded_fixture.h"

#define NORMAL 0xc0000000u
#define ZERO 0x80000000u
#define INT_NLBA (EXT_NLBA + BTT_NFREE)

static void expect_message(const char *text)
{
	if (!strstr(errormsg_get(), text))
		fail_msg("no '%s' in '%s'", text, errormsg_get());
}

/* Reads do, nothing else does; the message of the open says why. */
static void arena_is_read_only(const char *why)
{
	unsigned char buf[512] = {0};
	struct btt *btt;

	errormsg_set("nothing");
	btt = fixture_open(&f);
	expect_message("pool: arena at offset 0x2000 is read-only: flog slot ");
	expect_message(why);
	assert_int_equal(btt_read(btt, buf, 0), 0);
	assert_int_equal(btt_write(btt, buf, 0), -EIO);
	assert_int_equal(btt_set_zero(btt, 0), -EIO);
	assert_int_equal(btt_set_error(btt, 0), -EIO);
	btt_close(btt);
	assert_int_equal(fixture_check(&f), 0);
}

static void equal_sequence_numbers_make_the_arena_read_only(void **state)
{
	(void)state;
	put_record(5, 1, 0, 0, 0, 1);
	arena_is_read_only("slot 5 has two records of the same sequence number (0x1)");
}

/* Their free blocks are not known, so they are not compared. */
static void slots_without_a_current_record_have_no_block_in_common(void **state)
{
	(void)state;
	put_record(5, 1, 0, 0, 0, 1);
	put_record(6, 1, 0, 0, 0, 1);
	arena_is_read_only("slot 6 has two records of the same sequence number (0x1)");
}

/* The next record would never become the current one. */
static void a_sequence_number_without_successor_makes_the_arena_read_only(void **state)
{
	(void)state;
	put_record(5, 0, 5, ZERO | (EXT_NLBA + 5), ZERO | (EXT_NLBA + 5), 4);
	arena_is_read_only("slot 5 has a sequence number without successor (0x4)");
}

static void a_free_block_out_of_range_makes_the_arena_read_only(void **state)
{
	(void)state;
	put_record(5, 1, 0, NORMAL | INT_NLBA, NORMAL, 2);
	arena_is_read_only("slot 5 frees a block out of range (0xc0007eca)");
	put_record(5, 1, 0, NORMAL | 0x3fffffff, NORMAL, 2);
	arena_is_read_only("slot 5 frees a block out of range (0xffffffff)");
	assert_int_equal(fixture_get32(&f, MAP_OFF), NORMAL | EXT_NLBA);
}

/*
 * A block that was never written is recorded as normal. Else a slot that was never used, and has lost the
 * first half of its record, would free data block 0, which belongs to a block.
 */
static void a_record_that_no_write_leaves_makes_the_arena_read_only(void **state)
{
	static const struct {
		uint32_t old, new, wrong;
	} row[] = {
	    {0, ZERO | (EXT_NLBA + 5), 0},
	    {0, NORMAL | (EXT_NLBA + 5), 0},
	    {7, NORMAL | (EXT_NLBA + 5), 7},
	    {NORMAL | 7, ZERO | (EXT_NLBA + 5), ZERO | (EXT_NLBA + 5)},
	    {NORMAL | 7, 0x40000000 | (EXT_NLBA + 5), 0x40000000 | (EXT_NLBA + 5)},
	    {NORMAL | 7, EXT_NLBA + 5, EXT_NLBA + 5},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		char why[80];

		put_record(5, 0, 7, row[i].old, row[i].new, 1);
		snprintf(why, sizeof(why),
			 "slot 5 has a map entry that no write leaves there (%#x)",
			 row[i].wrong);
		arena_is_read_only(why);
		assert_int_equal(fixture_get32(&f, MAP_OFF + 28), 0);
	}
}

/* A write may replace an entry in any of the other states. */
static void a_record_of_a_write_is_no_damage(void **state)
{
	static const uint32_t old[] = {NORMAL, ZERO, 0x40000000};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(old); i++) {
		fixture_put32(&f, MAP_OFF + 28, NORMAL | (EXT_NLBA + 5));
		put_record(5, 1, 7, old[i] | 7, NORMAL | (EXT_NLBA + 5), 2);
		if (fixture_check(&f) != 1)
			fail_msg("%s", errormsg_get());
	}
}

static void a_new_block_out_of_range_is_not_installed(void **state)
{
	(void)state;
	put_record(5, 1, 7, NORMAL | 7, NORMAL | INT_NLBA, 2);
	arena_is_read_only("slot 5 installs a block out of range (0xc0007eca)");
	put_record(5, 1, 7, NORMAL | 7, NORMAL | 0x7ffff, 2);
	arena_is_read_only("slot 5 installs a block out of range (0xc007ffff)");
	assert_int_equal(fixture_get32(&f, MAP_OFF + 28), 0);
}

static void a_free_block_of_two_slots_makes_the_arena_read_only(void **state)
{
	static const unsigned slot[][2] = {{5, 6}, {0, 1}, {254, 255}, {0, 255}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(slot); i++) {
		uint32_t block = ZERO | (EXT_NLBA + slot[i][1]);
		char why[64];

		fixture_load(&f, WRITTEN);
		put_record(slot[i][0], 1, 0, block, block, 2);
		snprintf(why, sizeof(why),
			 "slot %u frees the block of another slot (%#x)", slot[i][1],
			 EXT_NLBA + slot[i][1]);
		arena_is_read_only(why);
		fixture_fini(&f);
	}
}

/* They are told apart, also if a table of them has the same place for each. */
static void free_blocks_at_equal_distances_are_no_damage(void **state)
{
	unsigned char buf[512] = {7};
	struct btt *btt;

	(void)state;
	for (unsigned n = 1; n < 20; n++) {
		uint32_t lba = 1000 + 1024 * n;

		/* a write through slot n, which has freed the block's own data block */
		put_record(n, 1, lba, NORMAL | lba, NORMAL | (EXT_NLBA + n), 2);
		fixture_put32(&f, MAP_OFF + 4 * lba, NORMAL | (EXT_NLBA + n));
	}
	if (fixture_check(&f) != 1)
		fail_msg("%s", errormsg_get());
	btt = fixture_open(&f);
	assert_int_equal(btt_write(btt, buf, 0), 0);
	btt_close(btt);

	put_record(20, 1, 0, ZERO | (1000 + 1024 * 19), ZERO | (1000 + 1024 * 19), 2);
	arena_is_read_only("slot 20 frees the block of another slot (0x4fe8)");
}

/* Also in a record that is not current. */
static void a_flog_record_of_a_block_beyond_the_pool_is_refused(void **state)
{
	static const unsigned slot[] = {0, 1, 200, BTT_NFREE - 1};

	(void)state;
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(slot); i++) {
		unsigned n = slot[i / 2];
		char text[32];

		fixture_load(&f, WRITTEN);
		fixture_put32(&f, FLOG_OFF + 64 * n + 16 * (i % 2), EXT_NLBA - 1);
		assert_int_equal(fixture_check(&f), 1);
		fixture_put32(&f, FLOG_OFF + 64 * n + 16 * (i % 2), EXT_NLBA);
		snprintf(text, sizeof(text), "flog slot %u at", n);
		fixture_open_fails(&f, -EINVAL, text);
		assert_int_equal(fixture_check(&f), -EINVAL);
		fixture_fini(&f);
	}
}

/* The number in a record is the arena's, although the pool has a block of this number. */
static void a_record_names_a_block_of_its_arena(void **state)
{
	const uint64_t half = UINT64_C(1) << 39;
	const uint64_t last = half + DATA_OFF; /* the last arena */
	unsigned char buf[512] = {1};
	struct btt_geometry geo;
	struct fixture two;
	struct btt *btt;

	(void)state;
	fixture_init(&two, last + (64 << 20), sizeof(buf));
	btt = fixture_open(&two);
	assert_int_equal(btt_write(btt, buf, 0), 0);
	btt_close(btt);
	assert_int_equal(btt_geometry_arena(64 << 20, sizeof(buf), &geo), 0);
	for (uint32_t more = 0; more < 2; more++) {
		uint32_t premap = geo.external_nlba - 1 + more;
		uint64_t slot = last + geo.flog_arena_off + (uint64_t)64 * 9;
		uint64_t entry = last + geo.map_arena_off + (uint64_t)4 * premap;
		uint32_t block = NORMAL | (geo.external_nlba + 9);

		fixture_put32(&two, slot + 16, premap);
		fixture_put32(&two, slot + 20, NORMAL | premap);
		fixture_put32(&two, slot + 24, block);
		fixture_put32(&two, slot + 28, 2);
		errormsg_set("nothing");
		btt = fixture_open(&two);
		assert_int_equal(fixture_get32(&two, entry), more ? 0 : block);
		assert_int_equal(btt_write(btt, buf, btt_nblock(btt) - 2),
				 more ? -EIO : 0);
		assert_int_equal(btt_write(btt, buf, 1), 0);
		btt_close(btt);
	}
	fixture_fini(&two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    ON_WRITTEN(equal_sequence_numbers_make_the_arena_read_only),
	    ON_WRITTEN(slots_without_a_current_record_have_no_block_in_common),
	    ON_WRITTEN(a_sequence_number_without_successor_makes_the_arena_read_only),
	    ON_WRITTEN(a_free_block_out_of_range_makes_the_arena_read_only),
	    ON_WRITTEN(a_record_that_no_write_leaves_makes_the_arena_read_only),
	    ON_WRITTEN(a_record_of_a_write_is_no_damage),
	    ON_WRITTEN(a_new_block_out_of_range_is_not_installed),
	    cmocka_unit_test(a_free_block_of_two_slots_makes_the_arena_read_only),
	    ON_WRITTEN(free_blocks_at_equal_distances_are_no_damage),
	    cmocka_unit_test(a_flog_record_of_a_block_beyond_the_pool_is_refused),
	    cmocka_unit_test(a_record_names_a_block_of_its_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
