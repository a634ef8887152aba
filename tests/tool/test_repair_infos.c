/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arenas that have lost both info blocks: they are computed from the sizes of pool and blocks only
 * if nothing that is left contradicts these. And what becomes of a file that has lost its end, but not
 * its first info block.
 */
#include "support.h"

#include <libpmemblk.h>

#include "damages.h"
#include "pool_file.h"
#include "run_tool.h"

#define BSIZE 4096u

static struct pool_file base;
static const char *path;

static int make_base(void **state)
{
	char block[BSIZE] = "x";
	PMEMblkpool *pool;

	(void)state;
	path = support_path(true, "pool");
	pool = pmemblk_create(path, BSIZE, PMEMBLK_MIN_POOL, 0600);
	if (!pool)
		return -1;
	for (long long lba = 0; lba < 100; lba++)
		if (pmemblk_write(pool, block, lba * 7) != 0)
			return -1;
	pmemblk_close(pool);
	base.p = support_read_file(path, &base.len);
	return btt_geometry_arena(base.len - ARENA, BSIZE, &base.geo);
}

static int free_base(void **state)
{
	(void)state;
	free(base.p);
	free(tool_said);
	return 0;
}

static void set_bsize(struct pool_file *f, uint32_t bsize)
{
	put32(f, POOL_DESCRIPTOR_OFF, bsize);
}

static void assert_beyond_repair(struct pool_file *f)
{
	store_file(path, f);
	assert_int_equal(tool_run(cmd_check, path, NULL), 1);
	if (tool_run(cmd_repair, path, NULL) != 1)
		fail_msg("%s", tool_said);
	assert_non_null(strstr(tool_said, "cannot be repaired"));
	assert_true(is_file(path, f));
}

static void assert_repaired(struct pool_file *f)
{
	unlink(support_path(true, "pool.undo"));
	store_file(path, f);
	if (tool_run(cmd_repair, path, NULL) != 0)
		fail_msg("%s", tool_said);
	assert_int_equal(pmemblk_check(path, 0), 1);
}

static void they_follow_from_the_sizes(void **state)
{
	struct pool_file f = clone_file(&base);

	(void)state;
	memset(f.p + ARENA, 0, 4096);
	memset(f.p + copy_off(&f), 0, 4096);
	assert_repaired(&f);
	free(f.p);
}

/* A flog is at the same place for several block sizes. */
static void slots_that_were_never_used_tell_another_number_of_blocks(void **state)
{
	static const uint32_t bsizes[] = {512,	513,	    1000, 2048,
					  3840, 4096 - 256, 4097, 4200};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bsizes); i++) {
		struct pool_file f = clone_file(&base);

		memset(f.p + ARENA, 0, 4096);
		memset(f.p + copy_off(&f), 0, 4096);
		set_bsize(&f, bsizes[i]);
		assert_beyond_repair(&f);
		free(f.p);
	}
}

/* Their checksums are wrong, or right and the uuid another one. */
static void what_is_left_of_them_tells_another_block_size(void **state)
{
	(void)state;
	for (int foreign = 0; foreign < 2; foreign++) {
		const uint64_t at[2] = {ARENA, copy_off(&base)};
		struct pool_file f = clone_file(&base);

		for (int i = 0; i < 2; i++) {
			f.p[at[i] + 40] ^= 1;
			if (foreign)
				put_sum(&f, at[i],
					offsetof(struct btt_info_media, checksum), 0);
		}
		set_bsize(&f, BSIZE - 1); /* as many blocks as before */
		assert_beyond_repair(&f);
		memset(f.p + ARENA, 0, 4096);
		assert_beyond_repair(&f);
		set_bsize(&f, BSIZE);
		assert_repaired(&f);
		free(f.p);
	}
}

/*
 * The file was cut off, and made as long again. Perhaps the map has lost entries that would read as zeros
 * after a repair.
 */
static void a_file_that_has_lost_its_end_and_got_it_back(void **state)
{
	const uint64_t left[] = {ARENA + BTT_INFO_SIZE, map_off(&base, 0),
				 map_off(&base, 1), map_off(&base, 350),
				 slot_off(&base, 0)};

	(void)state;
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		struct pool_file f = clone_file(&base);

		memset(f.p + left[i], 0, f.len - left[i]);
		assert_beyond_repair(&f);
		assert_non_null(strstr(tool_said, "the file has lost its end"));
		free(f.p);
	}
}

/* Then the map is complete. */
static void an_end_that_is_lost_from_the_flog_on(void **state)
{
	struct pool_file f = clone_file(&base);
	uint32_t last = base.geo.external_nlba - 1;
	uint64_t flog = slot_off(&base, 1);

	(void)state;
	memset(f.p + flog, 0, f.len - flog);
	assert_repaired(&f);
	flog = slot_off(&base, 0);
	memset(f.p + flog, 0, f.len - flog);
	put32(&f, map_off(&base, last), BTT_MAP_ZERO | last);
	assert_repaired(&f);
	free(f.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(they_follow_from_the_sizes),
	    cmocka_unit_test(slots_that_were_never_used_tell_another_number_of_blocks),
	    cmocka_unit_test(what_is_left_of_them_tells_another_block_size),
	    cmocka_unit_test(a_file_that_has_lost_its_end_and_got_it_back),
	    cmocka_unit_test(an_end_that_is_lost_from_the_flog_on),
	};

	return cmocka_run_group_tests(tests, make_base, free_base);
}
