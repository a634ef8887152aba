/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Repairs under power loss.
 *
 * The test records the stores of a repair and cuts the power in each phase. Everything before the
 * last fence is on the medium; of the later stores any choice of aligned 8-byte words is. The
 * result must not be worse than the damage:
 *
 *   1. If the pool opens, it can be written, and the writes do not damage other blocks.
 *   2. The next repair reaches the same end as an uninterrupted one.
 *   3. An undo restores the pool, also if the power fails during the undo, too.
 */
#include "support.h"

#include <errno.h>

#include <libpmemblk.h>

#include "errormsg.h"
#include "repair/apply.h"
#include "repair/backup.h"
#include "pool_file.h"
#include "recording.h"
#include "repair/repair.h"
#include "repair/undo.h"

#define BSIZE 512u
#define NWRITTEN 200u

static struct pool_file base; /* the sound pool */

/* --- the pool ----------------------------------------------------------------------------- */

static void fill_block(unsigned char *block, uint64_t lba, unsigned version)
{
	uint64_t state = lba << 8 | version;

	for (size_t i = 0; i < BSIZE; i += 8) {
		uint64_t r = support_random(&state);

		memcpy(block + i, &r, 8);
	}
}

/* Blocks 3i are written, most of them twice. */
static unsigned version_of(uint64_t lba)
{
	return lba % 7 ? 2 : 1;
}

static int make_base(void **state)
{
	const char *path = support_path(true, "base");
	unsigned char block[BSIZE];
	PMEMblkpool *pool;

	(void)state;
	pool = pmemblk_create(path, BSIZE, PMEMBLK_MIN_POOL, 0600);
	if (!pool)
		return -1;
	for (unsigned version = 1; version <= 2; version++)
		for (uint64_t lba = 0; lba < 3 * NWRITTEN; lba += 3) {
			if (version > version_of(lba))
				continue;
			fill_block(block, lba, version);
			if (pmemblk_write(pool, block, (long long)lba) != 0)
				return -1;
		}
	pmemblk_close(pool);
	base.p = support_read_file(path, &base.len);
	return btt_geometry_arena(base.len - ARENA, BSIZE, &base.geo);
}

static int free_base(void **state)
{
	(void)state;
	free(base.p);
	return 0;
}

static void store_bytes(const char *path, unsigned char *bytes)
{
	store_file(path, &(struct pool_file){.p = bytes, .len = base.len});
}

static struct recording repairing;
static struct recording undoing;

/* --- repairs ------------------------------------------------------------------------------ */

/* Plans the repair of the pool in the file; the plan may be empty. The image is fresh then. */
static enum repair_verdict plan_file(const char *path, struct image *image,
				     struct plan *plan)
{
	enum repair_verdict verdict;

	assert_int_equal(image_open(path, POOLSET_MEND, image), 0);
	plan_init(plan, 100);
	if (repair_plan(image, plan, &verdict) < 0)
		fail_msg("%s", errormsg_get());
	assert_int_equal(image_refresh(image), 0);
	return verdict;
}

static void finish(struct image *image, struct plan *plan)
{
	plan_free(plan);
	image_close(image);
}

static void apply(const struct plan *plan, struct image *image)
{
	const char *file = support_path(true, "undo");
	enum apply_state state;
	char *name;

	unlink(file);
	if (apply_plan(plan, image, file, &name, &state) < 0)
		fail_msg("%s", errormsg_get());
	assert_int_equal(state, APPLY_DONE);
	free(name);
}

/* Repairs the pool in the file with the real storage. */
static void repair_file(const char *path)
{
	struct image image;
	struct plan plan;
	enum repair_verdict verdict = plan_file(path, &image, &plan);

	if (verdict == REPAIR_HOPELESS)
		fail_msg("cannot be mended: %s", plan.finding[plan.nfinding - 1]);
	if (verdict == REPAIR_MENDABLE)
		apply(&plan, &image);
	finish(&image, &plan);
	assert_int_equal(pmemblk_check(path, BSIZE), 1);
}

/*
 * Every block must read as it was written, or fail if it may be lost. Blocks 3i + 1 below
 * scribbled hold version 9.
 */
static void verify_blocks(PMEMblkpool *pool, const bool *may_be_lost, unsigned scribbled)
{
	static const unsigned char zeros[BSIZE];
	unsigned char block[BSIZE];
	unsigned char want[BSIZE];

	for (uint64_t lba = 0; lba < 3 * NWRITTEN + 100; lba++) {
		int ret = pmemblk_read(pool, block, (long long)lba);

		if (lba < 3 * NWRITTEN && may_be_lost[lba] && ret != 0)
			continue;
		assert_int_equal(ret, 0);
		if (lba < 3 * NWRITTEN && lba % 3 == 0)
			fill_block(want, lba, version_of(lba));
		else if (lba % 3 == 1 && lba < 3 * scribbled)
			fill_block(want, lba, 9);
		else
			memcpy(want, zeros, BSIZE);
		if (memcmp(block, want, BSIZE) != 0)
			fail_msg("block %llu holds something else",
				 (unsigned long long)lba);
	}
}

/* Writes to the unrepaired pool, if it opens: other blocks must not be damaged. */
static void use_unrepaired(const char *path, const bool *may_be_lost)
{
	PMEMblkpool *pool = pmemblk_open(path, BSIZE);
	unsigned char block[BSIZE];
	unsigned n;

	if (!pool)
		return;
	for (n = 0; n < 40; n++) {
		fill_block(block, 3 * n + 1, 9);
		if (pmemblk_write(pool, block, (long long)(3 * n + 1)) != 0)
			break;
	}
	verify_blocks(pool, may_be_lost, n);
	pmemblk_close(pool);
}

static void undo(const char *path, const char *backup, unsigned char *damaged)
{
	struct undo_done done;
	struct image image;

	assert_int_equal(image_open(path, POOLSET_MEND, &image), 0);
	if (undo_repair(backup, &image, &done) < 0)
		fail_msg("%s", errormsg_get());
	image_close(&image);
	assert_true(is_file(path, &(struct pool_file){.p = damaged, .len = base.len}));
}

/*
 * Undoes `cut`, which a power cut in a repair has left; once also with a power cut in the undo.
 */
static void undo_cut(unsigned char *cut, const char *backup, unsigned char *damaged,
		     const bool *may_be_lost, bool usable, uint64_t *random)
{
	const char *path = support_path(true, "taken_back");
	unsigned char *work = malloc(base.len);
	struct storage s = {.ops = &recording, .base = work, .size = base.len};
	struct image image;
	struct undo u;
	unsigned phase;

	assert_non_null(work);
	store_bytes(path, cut);
	assert_int_equal(image_open(path, POOLSET_MEND, &image), 0);
	if (undo_load(backup, &image, &u) < 0)
		fail_msg("%s", errormsg_get());
	memcpy(work, cut, base.len);
	start_recording(&undoing);
	assert_int_equal(undo_store(&u, &s), 0);
	assert_memory_equal(work, damaged, base.len);
	undo_free(&u);
	image_close(&image);

	memcpy(work, cut, base.len);
	phase = (unsigned)(support_random(random) % undoing.nfence);
	apply_words(&undoing, work, phase, (unsigned)support_random(random), random);
	undo(path, backup, damaged);
	if (usable) {
		store_bytes(path, work);
		use_unrepaired(path, may_be_lost);
	}
	store_bytes(path, work);
	undo(path, backup, damaged);
	free(work);
}

/*
 * Cuts the power in every phase of the repair of `damaged`. If a phase stores only a few words,
 * tries all choices of them, otherwise `cuts` choices. usable: the damaged pool can be used
 * without harm.
 */
static void cut_power(unsigned char *damaged, const bool *may_be_lost, bool usable,
		      unsigned cuts)
{
	const char *path = support_path(true, "cut");
	const char *file = support_path(true, "cut.undo");
	unsigned char *work = malloc(base.len);
	struct storage s = {.ops = &recording, .base = work, .size = base.len};
	uint64_t random = 1;
	struct image image;
	struct plan plan;
	unsigned ncut = 0;
	char *name;

	assert_non_null(work);
	if (getenv("CHECK_LONG"))
		cuts *= 10;
	store_bytes(path, damaged);
	assert_int_equal(plan_file(path, &image, &plan), REPAIR_MENDABLE);
	assert_true(plan.nchange > 0);
	unlink(file);
	assert_int_equal(backup_write(&plan, &image, file, &name), 0);
	free(name);
	memcpy(work, damaged, base.len);
	start_recording(&repairing);
	assert_int_equal(apply_store(&plan, &s), 0);
	finish(&image, &plan);
	assert_true(repairing.n > 0);
	assert_true(repairing.store[repairing.n - 1].step < repairing.nfence);

	for (unsigned phase = 0, cut = 0; phase < repairing.nfence; phase += cut == 0) {
		size_t n = words_of(&repairing, phase);
		PMEMblkpool *pool;

		memcpy(work, damaged, base.len);
		apply_words(&repairing, work, phase, cut, &random);
		cut = (cut + 1) % (n <= FEW_WORDS ? 1u << n : cuts);
		if (usable) {
			store_bytes(path, work);
			use_unrepaired(path, may_be_lost);
		}
		if (ncut++ % 3 == 0 || getenv("CHECK_LONG"))
			undo_cut(work, file, damaged, may_be_lost, usable, &random);
		store_bytes(path, work);
		repair_file(path);
		pool = pmemblk_open(path, BSIZE);
		assert_non_null(pool);
		verify_blocks(pool, may_be_lost, 0);
		pmemblk_close(pool);
	}
	free(work);
	start_recording(&repairing);
	start_recording(&undoing);
}

/* --- damages ------------------------------------------------------------------------------ */

/* Slots 0 and 1 are the ones that one thread's writes use. */
static void same_sequence_numbers(void **state)
{
	static const bool none[3 * NWRITTEN];
	struct pool_file f = clone_file(&base);

	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		assert_int_not_equal(get32(&f, slot_off(&f, n) + 12), 0);
		assert_int_not_equal(get32(&f, slot_off(&f, n) + 28), 0);
		for (uint32_t seq = 1; seq <= 3; seq++) {
			put32(&f, slot_off(&f, n) + 12, seq);
			put32(&f, slot_off(&f, n) + 28, seq);
			cut_power(f.p, none, true, 6);
		}
	}
	free(f.p);
}

static void records_of_garbage(void **state)
{
	static const bool none[3 * NWRITTEN];
	struct pool_file f = clone_file(&base);
	uint64_t random = 5;

	(void)state;
	for (unsigned n = 0; n < 2; n++)
		for (unsigned i = 0; i < 32; i += 4)
			put32(&f, slot_off(&f, n) + i,
			      (uint32_t)support_random(&random) | 0x80000000);
	cut_power(f.p, none, false, 8);
	free(f.p);
}

static void entries_out_of_range_and_info_blocks_gone(void **state)
{
	bool lost[3 * NWRITTEN] = {false};
	struct pool_file f = clone_file(&base);

	(void)state;
	put32(&f, map_off(&f, 30), 0xffffffff);
	put32(&f, map_off(&f, 33), 0xfffffff0);
	lost[30] = lost[33] = true;
	f.p[ARENA + 20] ^= 1;
	f.p[ARENA + base.geo.info_arena_off + 20] ^= 1;
	f.p[10] ^= 4;
	put32(&f, slot_off(&f, 1) + 12, 2);
	put32(&f, slot_off(&f, 1) + 28, 2);
	cut_power(f.p, lost, true, 8);
	free(f.p);
}

static void rivals_for_a_block(void **state)
{
	bool lost[3 * NWRITTEN] = {false};
	struct pool_file f = clone_file(&base);

	(void)state;
	put32(&f, map_off(&f, 30), get32(&f, map_off(&f, 60)));
	put32(&f, map_off(&f, 90), get32(&f, map_off(&f, 60)));
	lost[30] = lost[60] = lost[90] = true;
	cut_power(f.p, lost, false, 8);
	free(f.p);
}

/* A map entry that names a block which the flog proves to be free becomes an error. */
static void the_flog_proves_a_block_free(void **state)
{
	bool lost[3 * NWRITTEN] = {false};
	struct pool_file f = clone_file(&base);

	(void)state;
	put32(&f, map_off(&f, 30),
	      BTT_MAP_NORMAL | btt_map_postmap(get32(&f, slot_off(&f, 200) + 4)));
	lost[30] = true;
	cut_power(f.p, lost, false, 8);
	free(f.p);
}

/* The write has to be completed before its record is overwritten. */
static void an_unfinished_write_of_a_slot_that_is_rewritten(void **state)
{
	static const bool none[3 * NWRITTEN];
	struct pool_file f = clone_file(&base);

	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		struct btt_flog_record r[2];
		int cur;

		get_slot(&f, n, r);
		cur = btt_flog_find_current(r[0].seq, r[1].seq);
		assert_true(cur >= 0 &&
			    r[cur].old_map != (BTT_MAP_NORMAL | r[cur].premap));
		put32(&f, map_off(&f, r[cur].premap), r[cur].old_map);
		put32(&f, map_off(&f, 2000 + n), r[cur].old_map);
	}
	cut_power(f.p, none, false, 8);
	free(f.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(same_sequence_numbers),
	    cmocka_unit_test(records_of_garbage),
	    cmocka_unit_test(entries_out_of_range_and_info_blocks_gone),
	    cmocka_unit_test(rivals_for_a_block),
	    cmocka_unit_test(the_flog_proves_a_block_free),
	    cmocka_unit_test(an_unfinished_write_of_a_slot_that_is_rewritten),
	};

	return cmocka_run_group_tests(tests, make_base, free_base);
}
