/* SPDX-License-Identifier: BSD-3-Clause */
/* How open and check judge interrupted, damaged and hostile layouts. */
#include "btt/info.h"

#include "loaded_fixture.h"
#include "vectors.h"

#define OPS "tests/support/vectors/pool-ops.txt"

static void open_and_expect_block_0(int byte)
{
	struct btt *btt = fixture_open(&f);

	fixture_expect_byte(btt, 0, byte);
	fixture_expect_byte(btt, 1, 0);
	btt_close(btt);
}

/* --- replay ------------------------------------------------------------------------------ */

static void replay_equals_the_vectors(void **state)
{
	struct vectors rows;

	(void)state;
	vectors_open(&rows, "flog-replay.csv", ';', 6);
	while (vectors_next(&rows)) {
		uint32_t v[6];

		for (int i = 1; i < 6; i++)
			v[i] = (uint32_t)strtoul(rows.field[i], NULL, 0);
		fixture_load(&f, WRITTEN);
		put_record(9, 1, v[1], v[2], v[3], 2);
		fixture_put32(&f, MAP_OFF + 4 * v[1], v[4]);
		btt_close(fixture_open(&f));
		if (fixture_get32(&f, MAP_OFF + 4 * v[1]) != v[5])
			fail_msg("%s: map entry %#x, not %#x", rows.field[0],
				 fixture_get32(&f, MAP_OFF + 4 * v[1]), v[5]);
		fixture_fini(&f);
	}
	vectors_close(&rows, 14);
}

static void an_interrupted_write_is_finished(void **state)
{
	(void)state;
	/*
	 * a write of block 1 through slot 1: its data and record are stored, its map entry is not
	 */
	memset(f.ram.s.base + DATA_OFF + 4096 + (EXT_NLBA + 1) * 512, 0x22, 512);
	put_record(1, 1, 1, 0xc0000001, 0xc0000000 | (EXT_NLBA + 1), 2);
	assert_int_equal(fixture_check(&f), 1);
	struct btt *btt = fixture_open(&f);
	fixture_expect_byte(btt, 0, 0xa5);
	fixture_expect_byte(btt, 1, 0x22);
	btt_close(btt);
	assert_int_equal(fixture_get32(&f, MAP_OFF + 4), 0xc0000000 | (EXT_NLBA + 1));
}

static void the_flog_is_made_durable_before_the_first_replayed_store(void **state)
{
	(void)state;
	put_record(1, 1, 1, 0xc0000001, 0xc0000000 | (EXT_NLBA + 1), 2);
	f.ram.fail_fence_at = 1;
	struct btt *btt;
	assert_int_equal(btt_open(&f.ram.s, &f.params, &btt), -EIO);
	assert_int_equal(f.ram.stores, 0);
	assert_int_equal(fixture_get32(&f, MAP_OFF + 4), 0);
}

/* The second page of the map is a hole of the file, whatever a private copy has there. */
static uint64_t next_data_but_one_page(struct storage *s, uint64_t off, uint64_t end)
{
	(void)s;
	if (off >= MAP_OFF + 4096 && off < MAP_OFF + 8192)
		off = MAP_OFF + 8192;
	return off < end ? off : end;
}

static void check_sees_what_it_has_recovered_in_a_hole(void **state)
{
	(void)state;
	f.ram.s.next_data = next_data_but_one_page;
	put_record(1, 1, 1500, 0xc0000000 | 1500, 0xc0000000 | (EXT_NLBA + 1), 2);
	put_record(2, 1, 1502, 0xc0000000 | 1502, 0xc0000000 | (EXT_NLBA + 2), 2);
	put_record(3, 1, 2047, 0xc0000000 | 2047, 0xc0000000 | (EXT_NLBA + 3), 2);
	put_record(4, 1, 1024, 0xc0000000 | 1024, 0xc0000000 | (EXT_NLBA + 4), 2);
	if (fixture_check(&f) != 1)
		fail_msg("%s", errormsg_get());
}

/* --- map damage -------------------------------------------------------------------------- */

static void an_entry_out_of_range_is_never_followed(void **state)
{
	unsigned char buf[512];
	uint64_t off = MAP_OFF + 4 * 3;
	static const uint32_t bad[] = {0xc0000000 | 0x7eca, 0xffffffff,
				       0xc0000000 | 0x8000};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct btt *btt;

		fixture_put32(&f, off, bad[i]);
		btt = fixture_open(&f);
		memset(buf, 0x77, sizeof(buf));
		assert_int_equal(btt_read(btt, buf, 3), -EIO);
		assert_non_null(strstr(errormsg_get(), "check and repair"));
		assert_int_equal(buf[0], 0x77);
		assert_int_equal(btt_write(btt, buf, 3), -EIO);
		assert_int_equal(btt_set_zero(btt, 3), -EIO);
		assert_int_equal(btt_set_error(btt, 3), -EIO);
		assert_int_equal(fixture_get32(&f, off), bad[i]);
		assert_int_equal(btt_write(btt, buf, 4), 0);
		btt_close(btt);
		assert_int_equal(fixture_check(&f), 0);
	}
}

static void doubly_owned_and_lost_blocks_are_found(void **state)
{
	(void)state;
	fixture_put32(&f, MAP_OFF + 4 * 3, 0xc0000004);
	assert_int_equal(fixture_check(&f), 0);
	fixture_put32(&f, MAP_OFF + 4 * 3,
		      0xc0000000 | (EXT_NLBA + 9)); /* the free block of slot 9 */
	assert_int_equal(fixture_check(&f), 0);
	fixture_put32(&f, MAP_OFF + 4 * 3, 0x80000003);
	assert_int_equal(fixture_check(&f), 1);
	fixture_put32(&f, MAP_OFF + 4 * 3, 0x40000003);
	assert_int_equal(fixture_check(&f), 1);
}

/* --- info blocks ------------------------------------------------------------------------- */

static void a_damaged_primary_is_restored_from_its_copy(void **state)
{
	unsigned char good[4096];

	(void)state;
	memcpy(good, f.ram.s.base + DATA_OFF, sizeof(good));
	for (int how = 0; how < 4; how++) {
		if (how == 0)
			memset(f.ram.s.base + DATA_OFF, 0, 4096);
		else
			f.ram.s.base[DATA_OFF + (unsigned)how * 37] ^= 0x80;
		assert_int_equal(fixture_check(&f), 0);
		assert_non_null(strstr(errormsg_get(),
				       "arena 0 at offset 0x2000: the info "
				       "block is damaged; its copy is "
				       "intact"));
		open_and_expect_block_0(0xa5);
		assert_memory_equal(good, f.ram.s.base + DATA_OFF, sizeof(good));
		assert_int_equal(fixture_check(&f), 1);
	}
}

static void a_damaged_copy_is_restored_from_the_primary(void **state)
{
	unsigned char good[4096];

	(void)state;
	memcpy(good, f.ram.s.base + COPY_OFF, sizeof(good));
	memset(f.ram.s.base + COPY_OFF, 0xff, 4096);
	assert_int_equal(fixture_check(&f), 0);
	assert_non_null(strstr(
	    errormsg_get(), "arena 0 at offset 0x2000: the info block's copy in the last "
			    "page is damaged; the info block itself is intact"));
	open_and_expect_block_0(0xa5);
	assert_memory_equal(good, f.ram.s.base + COPY_OFF, sizeof(good));
	assert_int_equal(fixture_check(&f), 1);
}

/* A block that is sound by itself need not be the copy of this arena's. */
static void a_copy_that_states_another_size_is_restored_from_the_primary(void **state)
{
	const uint64_t mib = 1 << 20;
	const struct {
		uint64_t stated; /* the size of the arena; it has 20 MiB */
		uint64_t area;	 /* the size of the data area */
	} row[] = {
	    {16 * mib, 20 * mib},	    {20 * mib - 4096, 20 * mib},
	    {20 * mib + 4096, 20 * mib},    {24 * mib, 20 * mib},
	    {BTT_ARENA_MAX_SIZE, 20 * mib}, {16 * mib, 24 * mib},
	    {20 * mib + 4096, 24 * mib},    {24 * mib, 24 * mib},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		unsigned char block[512] = {7};
		struct btt_info_media good;
		struct btt_info_media *copy;
		struct btt_info info;
		struct btt *btt;

		fixture_init(&f, DATA_OFF + 24 * mib, sizeof(block));
		f.params.data_size = 20 * mib;
		btt = fixture_open(&f);
		assert_int_equal(btt_write(btt, block, 0), 0);
		btt_close(btt);
		copy = (void *)(f.ram.s.base + DATA_OFF + 20 * mib - sizeof(*copy));
		good = *copy;
		assert_int_equal(btt_info_decode(&good, &f.params.parent, sizeof(block),
						 20 * mib, &info),
				 BTT_INFO_VALID);
		assert_int_equal(
		    btt_geometry_arena(row[i].stated, sizeof(block), &info.geo), 0);
		btt_info_encode(&info, &f.params.parent, copy);
		f.params.data_size = row[i].area;
		assert_int_equal(fixture_check(&f), 0);
		btt_close(fixture_open(&f));
		if (memcmp(copy, &good, sizeof(good)) != 0)
			fail_msg("row %zu: the copy is as it was", i);
		assert_int_equal(fixture_check(&f), 1);
		fixture_fini(&f);
	}
}

/*
 * A layout that was interrupted leaves a copy with another uuid, and the original stores the error flag
 * in one block after the other. If the primary is lost one day, it must not be restored from these.
 */
static void a_sound_copy_that_differs_is_replaced_and_is_no_damage(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct btt_info_media *first = (void *)(f.ram.s.base + DATA_OFF);
		struct btt_info_media *copy = (void *)(f.ram.s.base + COPY_OFF);
		struct btt_info info;

		assert_int_equal(btt_info_decode(first, &f.params.parent, 512,
						 POOL_SIZE - DATA_OFF, &info),
				 BTT_INFO_VALID);
		if (i == 0)
			info.uuid.bytes[3] ^= 1;
		info.error = i > 0;
		/* in the last round the primary has got the flag */
		btt_info_encode(&info, &f.params.parent, i == 2 ? first : copy);
		assert_memory_not_equal(first, copy, sizeof(*first));
		assert_int_equal(fixture_check(&f), 1);
		open_and_expect_block_0(0xa5);
		assert_memory_equal(first, copy, sizeof(*first));
		assert_int_equal(btt_info_decode(first, &f.params.parent, 512,
						 POOL_SIZE - DATA_OFF, &info),
				 BTT_INFO_VALID);
		assert_true(info.error == (i == 2));
	}
}

/* The disk fails while the pool is opened. */
static bool has_lost_both;

static void lose_info_blocks(void)
{
	f.ram.at_fence = NULL;
	memset(f.ram.s.base + COPY_OFF, 0xff, 4096);
	if (has_lost_both)
		memset(f.ram.s.base + DATA_OFF, 0xff, 4096);
}

static void info_blocks_that_are_lost_meanwhile_are_not_stored_again(void **state)
{
	unsigned char good[4096];
	struct btt *btt;

	(void)state;
	memcpy(good, f.ram.s.base + COPY_OFF, sizeof(good));
	has_lost_both = false;
	f.ram.at_fence = lose_info_blocks;
	open_and_expect_block_0(0xa5);
	assert_null(f.ram.at_fence);
	assert_memory_equal(f.ram.s.base + COPY_OFF, good, sizeof(good));

	has_lost_both = true;
	f.ram.at_fence = lose_info_blocks;
	assert_int_equal(btt_open(&f.ram.s, &f.params, &btt), -EIO);
	assert_non_null(
	    strstr(errormsg_get(),
		   "pool: the info block at offset 0x1001000 is no longer what"));
	/* nothing has been stored over it */
	memset(good, 0xff, sizeof(good));
	assert_memory_equal(f.ram.s.base + COPY_OFF, good, sizeof(good));
}

static void a_copy_that_was_never_written_is_no_damage(void **state)
{
	struct btt *btt = fixture_open(&f);
	unsigned char buf[512] = {1};

	(void)state;
	/* a layout that lost power before it stored the copy */
	assert_int_equal(btt_set_error(btt, 5), 0);
	btt_close(btt);
	fixture_put32(&f, MAP_OFF + 20, 0);
	memset(f.ram.s.base + COPY_OFF, 0, 4096);
	assert_int_equal(fixture_check(&f), 1);
	/* after a write a missing copy is damage */
	btt = fixture_open(&f);
	assert_int_equal(btt_write(btt, buf, 0), 0);
	btt_close(btt);
	memset(f.ram.s.base + COPY_OFF, 0, 4096);
	assert_int_equal(fixture_check(&f), 0);
}

static void a_copy_that_was_cut_off_is_damage_but_no_obstacle(void **state)
{
	(void)state;
	f.params.data_size -= 4096;
	assert_int_equal(fixture_check(&f), 0);
	assert_non_null(strstr(errormsg_get(),
			       "arena 0 at offset 0x2000: the info block's copy in the "
			       "last page was cut off; the info block itself is intact"));
	open_and_expect_block_0(0xa5);
	f.params.data_size -= 4096;
	fixture_open_fails(&f, -EINVAL, "cut off");
	f.params.data_size -= 1 << 20;
	fixture_open_fails(&f, -EINVAL, "cut off");
	assert_int_equal(fixture_check(&f), 0);
}

static void another_block_size_in_the_descriptor_is_no_reason_to_format(void **state)
{
	(void)state;
	f.params.bsize = 1024;
	fixture_open_fails(&f, -EINVAL, "1024");
	assert_int_equal(fixture_check(&f), 0);
}

/* The file has all its pages, so it was not cut off. */
static void a_copy_that_does_not_fit_beside_a_damaged_primary(void **state)
{
	struct btt_info_media *copy = (void *)(f.ram.s.base + COPY_OFF);
	struct btt_info info;

	(void)state;
	assert_int_equal(
	    btt_info_decode(copy, &f.params.parent, 512, POOL_SIZE - DATA_OFF, &info),
	    BTT_INFO_VALID);
	assert_int_equal(btt_geometry_arena(POOL_SIZE - DATA_OFF + 4096, 512, &info.geo),
			 0);
	btt_info_encode(&info, &f.params.parent, copy);
	memset(f.ram.s.base + DATA_OFF, 0, 4096);
	fixture_open_fails(&f, -EINVAL,
			   "the info block is damaged, and a copy does not fit a data "
			   "area of 16777216 bytes");
	assert_int_equal(fixture_check(&f), 0);
}

static void lost_info_blocks_are_never_formatted_over(void **state)
{
	(void)state;
	memset(f.ram.s.base + DATA_OFF, 0, 4096);
	memset(f.ram.s.base + COPY_OFF, 0, 4096);
	fixture_open_fails(&f, -EINVAL, "both info blocks");
	assert_int_equal(fixture_check(&f), 0);
	f.params.user_file = true;
	f.params.zeroed = false;
	fixture_open_fails(&f, -EINVAL, "both info blocks");
	assert_int_equal(fixture_check(&f), 0);
}

/* Somebody has cut off the file, and made it as long again. All blocks would read as zeros. */
static void a_table_of_zeros_is_no_empty_pool(void **state)
{
	struct btt *btt;
	uint32_t block;

	(void)state;
	memset(f.ram.s.base + MAP_OFF, 0, FLOG_OFF - MAP_OFF);
	block = fixture_get32(&f, FLOG_OFF + 4);
	memset(f.ram.s.base + FLOG_OFF, 0, COPY_OFF - FLOG_OFF);
	for (int i = 0; i < 2; i++) {
		fixture_open_fails(&f, -EINVAL,
				   "the map and the flog hold only zeros, but there is "
				   "an info block");
		assert_int_equal(fixture_check(&f), 0);
		memset(f.ram.s.base + COPY_OFF, 0, 4096);
	}
	/* if anything is left, it can be read */
	put_record(255, 0, 255, block, block, 1);
	btt = fixture_open(&f);
	fixture_expect_byte(btt, 0, 0);
	btt_close(btt);
}

static void a_grown_file_finds_the_copy_where_it_was(void **state)
{
	static const uint64_t more[] = {40 << 20, UINT64_C(3) << 30};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		struct fixture grown;
		struct btt *btt;

		fixture_init(&grown, POOL_SIZE + more[i], 512);
		memcpy(grown.ram.s.base, f.ram.s.base, POOL_SIZE);
		grown.params.parent = f.params.parent;
		memset(grown.ram.s.base + DATA_OFF, 0, 4096);
		btt = fixture_open(&grown);
		assert_int_equal(btt_nblock(btt), EXT_NLBA);
		fixture_expect_byte(btt, 0, 0xa5);
		btt_close(btt);
		assert_memory_equal(grown.ram.s.base + DATA_OFF, f.ram.s.base + DATA_OFF,
				    4096);
		fixture_fini(&grown);
	}
}

static void the_error_flag_makes_the_arena_read_only_and_check_does_not_mind(void **state)
{
	unsigned char buf[512] = {0};
	struct btt *btt;

	(void)state;
	fixture_load(&f, WRITTEN);
	for (int i = 0; i < 2; i++) {
		/* flags 1 adds 1 to the low sum and 1 for each later word to the high one */
		uint64_t at = i ? COPY_OFF : DATA_OFF;
		le64 sum;

		fixture_put32(&f, at + 48, 1);
		memcpy(&sum, f.ram.s.base + at + 4088, sizeof(sum));
		sum = cpu_to_le64(le64_to_cpu(sum) + 1 + ((uint64_t)(1024 - 12) << 32));
		memcpy(f.ram.s.base + at + 4088, &sum, sizeof(sum));
	}
	btt = fixture_open(&f);
	fixture_expect_byte(btt, 0, 0xa5);
	assert_int_equal(btt_write(btt, buf, 0), -EIO);
	btt_close(btt);
	assert_int_equal(fixture_check(&f), 1);
	fixture_fini(&f);
}

/* --- the original's ---------------------------------------------------------------------- */

static void the_originals_pool_reads_as_it_was_written(void **state)
{
	unsigned char buf[512];
	struct btt *btt;

	(void)state;
	fixture_load(&f, OPS);
	assert_int_equal(fixture_check(&f), 1);
	btt = fixture_open(&f);
	fixture_expect_byte(btt, 0, 6);
	fixture_expect_byte(btt, 7, 0);
	assert_int_equal(btt_read(btt, buf, 8), -EIO);
	fixture_expect_byte(btt, 9, 0);
	btt_close(btt);
	assert_int_equal(f.ram.stores, 0);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(replay_equals_the_vectors),
	    ON_WRITTEN(an_interrupted_write_is_finished),
	    ON_WRITTEN(the_flog_is_made_durable_before_the_first_replayed_store),
	    ON_WRITTEN(check_sees_what_it_has_recovered_in_a_hole),
	    ON_WRITTEN(an_entry_out_of_range_is_never_followed),
	    ON_WRITTEN(doubly_owned_and_lost_blocks_are_found),
	    ON_WRITTEN(a_damaged_primary_is_restored_from_its_copy),
	    ON_WRITTEN(a_damaged_copy_is_restored_from_the_primary),
	    cmocka_unit_test(
		a_copy_that_states_another_size_is_restored_from_the_primary),
	    ON_WRITTEN(a_sound_copy_that_differs_is_replaced_and_is_no_damage),
	    ON_WRITTEN(info_blocks_that_are_lost_meanwhile_are_not_stored_again),
	    ON_FRESH(a_copy_that_was_never_written_is_no_damage),
	    ON_WRITTEN(a_copy_that_was_cut_off_is_damage_but_no_obstacle),
	    ON_WRITTEN(another_block_size_in_the_descriptor_is_no_reason_to_format),
	    ON_WRITTEN(a_copy_that_does_not_fit_beside_a_damaged_primary),
	    ON_WRITTEN(lost_info_blocks_are_never_formatted_over),
	    ON_WRITTEN(a_table_of_zeros_is_no_empty_pool),
	    ON_WRITTEN(a_grown_file_finds_the_copy_where_it_was),
	    cmocka_unit_test(
		the_error_flag_makes_the_arena_read_only_and_check_does_not_mind),
	    cmocka_unit_test(the_originals_pool_reads_as_it_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
