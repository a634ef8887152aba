/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The power fails while a pool grows, and then somebody gives the file its old length back by hand.
 * The old info block is that of a pool of this length. But parts of the new metadata may stand over
 * the old ones, and the pool may look consistent all the same. A repair must not unlock it then.
 */
#include "support.h"

#include "grown_plan.h"
#include "repair/undo.h"

#define MIN_ARENA (UINT64_C(16) << 20)

/* These two blocks own each other's data blocks; no other block in this page of the map is written. */
#define FIRST_SWAPPED (10 * PAGE / BTT_MAP_ENTRY_SIZE)

static struct recording recorded;

static bool reads_as(PMEMblkpool *pool, uint32_t lba, char wanted)
{
	char block[512];

	return pmemblk_read(pool, block, lba) == 0 && block[0] == wanted;
}

/* The contents are those of the base. */
static bool has_swapped(PMEMblkpool *pool)
{
	return reads_as(pool, FIRST_SWAPPED, 'f') &&
	       reads_as(pool, FIRST_SWAPPED + 1, 's');
}

static void swap_two_blocks(void)
{
	struct pool_file f;

	f.p = support_read_file(base, &f.len);
	assert_int_equal(btt_geometry_arena(MIN_ARENA, bsize, &f.geo), 0);
	for (uint32_t i = 0; i < 2; i++) {
		const uint32_t block = FIRST_SWAPPED + 1 - i;

		put32(&f, map_off(&f, FIRST_SWAPPED + i), BTT_MAP_NORMAL | block);
		f.p[ARENA + f.geo.data_arena_off +
		    (uint64_t)block * f.geo.internal_lbasize] = i ? 's' : 'f';
	}
	store_file(base, &f);
	free(f.p);
}

/* Records the stores of a grow, or of its undo. */
static void record_stores(const char *path, const char *backup, bool undoes)
{
	struct image image;
	struct grow grow;
	struct plan plan;
	struct undo undo;
	struct medium m;

	copy_sparse(base, path);
	plan_file(path, &image, &grow, &plan);
	record_planned(path, backup, &image, &grow, &plan, &recorded);
	finish(&image, &grow, &plan);
	if (!undoes)
		return;
	copy_sparse(path, base);
	assert_int_equal(image_open(path, POOLSET_MEND, &image), 0);
	if (undo_load(backup, &image, &undo) < 0)
		fail_msg("%s", errormsg_get());
	open_medium(&m, path);
	start_recording(&recorded);
	assert_int_equal(undo_store(&undo, &m.s), 0);
	close_medium(&m);
	undo_free(&undo);
	image_close(&image);
}

/* Returns whether a repair has mended the pool, or has found nothing wrong. */
static bool repair(const char *path)
{
	enum repair_verdict verdict =
	    repair_file(path, support_path(true, "repair.undo"));

	return verdict == REPAIR_MENDABLE || verdict == REPAIR_CONSISTENT;
}

/* Of the stores of the last step, only number `taken` has reached the medium, or all but that. */
static void leave(const char *path, size_t taken, bool all_but)
{
	const unsigned step = recorded.store[taken].step;
	struct medium m;

	copy_sparse(base, path);
	assert_int_equal(truncate(path, (off_t)grown_length), 0);
	open_medium(&m, path);
	for (size_t i = 0; i < recorded.n; i++) {
		const struct store *s = &recorded.store[i];

		if (s->step < step || (s->step == step && (i == taken) != all_but))
			memcpy(m.s.base + s->off, s->bytes, s->len);
	}
	close_medium(&m);
	assert_int_equal(truncate(path, (off_t)base_length), 0);
}

static void cut_off(bool undoes)
{
	const char *path = support_path(true, "cut");
	unsigned repaired = 0;
	unsigned refused = 0;

	make_base(8192 + MIN_ARENA, 512);
	swap_two_blocks();
	grown_length = base_length + 16384;
	record_stores(path, support_path(true, "cut.undo"), undoes);
	for (size_t i = 0; i < 2 * recorded.n; i++) {
		PMEMblkpool *pool;

		leave(path, i / 2, i % 2);
		if (!repair(path)) {
			refused++;
			continue;
		}
		repaired++;
		pool = pmemblk_open(path, 512);
		if (!pool)
			fail_msg("%s", pmemblk_errormsg());
		assert_int_equal(pmemblk_nblock(pool), base_nblock);
		if (!has_blocks(pool, base_nblock, read_ours) || !has_swapped(pool))
			fail_msg("wrong blocks after store %zu", i / 2);
		pmemblk_close(pool);
	}
	print_message("%zu stores: %u repaired, %u not\n", recorded.n, repaired, refused);
	assert_true(repaired > 0 && refused > 0);
	start_recording(&recorded);
}

static void
a_pool_that_was_cut_off_in_its_grow_is_the_old_one_or_stays_locked(void **state)
{
	(void)state;
	cut_off(false);
}

static void
a_pool_that_was_cut_off_in_an_undo_is_the_old_one_or_stays_locked(void **state)
{
	(void)state;
	cut_off(true);
}

/*
 * Here old and new metadata do not overlap, and the old map and flog are left in the data blocks. Later
 * writes have changed the new ones only.
 */
static void a_grown_pool_that_was_cut_off_is_not_the_old_one(void **state)
{
	const char *path = support_path(true, "cut");
	PMEMblkpool *pool;

	(void)state;
	make_base(8192 + MIN_ARENA, 512);
	grown_length = base_length + MIN_ARENA;
	record_stores(path, support_path(true, "cut.undo"), false);
	start_recording(&recorded);
	pool = pmemblk_open(path, 512);
	if (!pool)
		fail_msg("%s", pmemblk_errormsg());
	assert_true(pmemblk_nblock(pool) > base_nblock);
	write_blocks(pool, 300, 600);
	pmemblk_close(pool);
	assert_int_equal(truncate(path, (off_t)base_length), 0);
	assert_null(pmemblk_open(path, 512));
	assert_non_null(strstr(pmemblk_errormsg(), "the file was cut off"));
	assert_int_equal(pmemblk_check(path, 512), 0);
	assert_false(repair(path));
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		a_pool_that_was_cut_off_in_its_grow_is_the_old_one_or_stays_locked),
	    cmocka_unit_test(
		a_pool_that_was_cut_off_in_an_undo_is_the_old_one_or_stays_locked),
	    cmocka_unit_test(a_grown_pool_that_was_cut_off_is_not_the_old_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
