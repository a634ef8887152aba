/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools that grow under power loss.
 *
 * The test records the stores of a grow and cuts the power in each of its steps. Then everything
 * before the last fence is in the file, and any choice of the 8-byte words that were stored after
 * it. After each cut:
 *
 *   1. If the header is sound, this library and the original open the file as the old pool or as
 *      the new one, and every block is as it was. If not, neither of them opens it.
 *   2. A second grow finishes the first one. If the pool is locked, and all else was done, a repair
 *      unlocks it; otherwise a repair refuses it.
 *   3. If the info block is damaged later, the pool is the same one, restored from the copy.
 *   4. The backup takes the pool back, byte for byte, even if the power fails again during the
 *      undo.
 */
#include "support.h"

#include <errno.h>

#include "grown_plan.h"
#include "repair/undo.h"

#define MIN_ARENA (UINT64_C(16) << 20)
#define MAX_ARENA (UINT64_C(1) << 39)

/* Where the base has its last copy of an info block; 0: that arena keeps its size. */
static uint64_t old_copy;
static bool replaces_tail; /* what is behind the old arena */
static struct recording growing;
static struct recording undoing;

/* --- growing -------------------------------------------------------------------------------- */

/* Really grows the pool in the file. */
static void grow_file(const char *path)
{
	const char *backup = support_path(true, "second.undo");
	enum apply_state state;
	struct image image;
	struct grow grow;
	struct plan plan;
	char *name = NULL;

	plan_file(path, &image, &grow, &plan);
	unlink(backup);
	if (apply_plan(&plan, &image, backup, &name, &state) < 0)
		fail_msg("%s", errormsg_get());
	assert_int_equal(state, APPLY_DONE);
	free(name);
	finish(&image, &grow, &plan);
}

static void undo_file(const char *path, const char *backup)
{
	struct pool_file was;
	struct undo_done done;
	struct image image;

	assert_int_equal(image_open(path, POOLSET_MEND, &image), 0);
	if (undo_repair(backup, &image, &done) < 0)
		fail_msg("%s", errormsg_get());
	image_close(&image);
	if (base_length > UINT64_C(1) << 30) {
		struct stat st;

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, base_length);
		return; /* too large to compare: its blocks are read later */
	}
	was.p = support_read_file(base, &was.len);
	assert_true(is_file(path, &was));
	free(was.p);
}

/* Opens the pool and checks all blocks. Returns their number; 0: it does not open. */
static uint64_t open_file(const char *path)
{
	PMEMblkpool *pool = pmemblk_open(path, bsize);
	uint64_t n = 0;

	assert_int_equal(pool != NULL, has_sound_header(path));
	if (!pool)
		return 0;
	n = pmemblk_nblock(pool);
	assert_true(n == base_nblock || n == grown_nblock);
	assert_true(has_blocks(pool, n, read_ours));
	pmemblk_close(pool);
	return n;
}

/* Opens the pool again in a copy of the file, in which the first info block is damaged. */
static uint64_t open_damaged(const char *path)
{
	static const unsigned char zeros[PAGE];
	const char *damaged = support_path(true, "damaged");
	uint64_t n;
	int fd;

	copy_sparse(path, damaged);
	fd = open(damaged, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, zeros, PAGE, 8192), PAGE);
	close(fd);
	n = open_file(damaged);
	unlink(damaged);
	return n;
}

/* Undoes what a power cut has left, with another power cut during the undo. */
static void undo_cut(const char *cut, const char *backup, uint64_t *random)
{
	const char *path = support_path(true, "taken_back");
	struct medium m;
	struct image image;
	struct undo u;

	copy_sparse(cut, path);
	assert_int_equal(image_open(path, POOLSET_MEND, &image), 0);
	if (undo_load(backup, &image, &u) < 0)
		fail_msg("%s", errormsg_get());
	open_medium(&m, path);
	start_recording(&undoing);
	assert_int_equal(undo_store(&u, &m.s), 0);
	close_medium(&m);
	undo_free(&u);
	image_close(&image);

	copy_sparse(cut, path);
	open_medium(&m, path);
	apply_words(&undoing, m.s.base,
		    (unsigned)(support_random(random) % undoing.nfence),
		    (unsigned)support_random(random), random);
	close_medium(&m);
	keep_for_original(path);
	copy_sparse(path, support_path(true, "used"));
	assert_int_equal(open_file(support_path(true, "used")), open_damaged(path));
	undo_file(path, backup);
	assert_int_equal(open_file(path), base_nblock);
}

static bool is_locked(const char *path)
{
	struct pool_header h;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &h, sizeof(h), 0), sizeof(h));
	close(fd);
	return pool_header_is_sealed(&h) &&
	       pool_header_has(h.incompat, POOL_INCOMPAT_LOCKED);
}

static bool has_equal_copies(struct image *image)
{
	struct storage *s = &image->storage;
	struct btt_found found;
	bool equal = true;

	assert_int_equal(btt_find_layout(s, &image->params, &found), 0);
	for (unsigned i = 0; i < found.narena; i++) {
		const struct btt_found_arena *a = &found.arena[i];
		uint64_t copy = a->off + a->info.geo.info_arena_off;

		equal = equal &&
			memcmp(storage_at(s, a->off), storage_at(s, copy), PAGE) == 0;
	}
	btt_find_free(&found);
	return equal;
}

/* In a new data block it might be found one day. */
static bool has_old_copy(const char *path)
{
	static const char signature[] = "BTT_ARENA_INFO";
	char found[sizeof(signature)];
	int fd;

	if (!old_copy)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, found, sizeof(found), (off_t)old_copy), sizeof(found));
	close(fd);
	return memcmp(found, signature, sizeof(found)) == 0;
}

/*
 * Repairs what a power cut has left locked. The result is the new pool. The backups of the repair
 * and of the grow take it back. Returns false if the repair refuses the pool.
 */
static bool unlock_cut(const char *cut, const char *backup)
{
	const char *path = support_path(true, "unlocked");
	const char *second = support_path(true, "repair.undo");
	enum repair_verdict verdict;
	struct undo_done done;
	struct image image;

	copy_sparse(cut, path);
	verdict = repair_file(path, second);
	if (verdict == REPAIR_REFUSED) {
		unlink(path);
		return false;
	}
	assert_int_equal(verdict, REPAIR_MENDABLE);
	keep_for_original(path);
	assert_false(has_old_copy(path));
	copy_sparse(path, support_path(true, "used"));
	assert_int_equal(open_file(support_path(true, "used")), grown_nblock);
	assert_int_equal(image_open(path, POOLSET_MEND, &image), 0);
	assert_true(has_equal_copies(&image));
	if (undo_repair(second, &image, &done) < 0)
		fail_msg("%s", errormsg_get());
	image_close(&image);
	assert_true(is_locked(path));
	undo_file(path, backup);
	assert_int_equal(open_file(path), base_nblock);
	unlink(path);
	return true;
}

static void try_cut(const char *path, const char *backup, bool undoes, uint64_t *random)
{
	uint64_t n;

	keep_for_original(path);
	if (undoes || !has_sound_header(path))
		undo_cut(path, backup, random);
	n = open_file(path);
	if (n == 0) {
		undo_file(path, backup);
		n = open_file(path);
		assert_int_equal(n, base_nblock);
	}
	if (n != grown_nblock)
		grow_file(path);
	if (pmemblk_check(path, bsize) != 1)
		fail_msg("%s", pmemblk_errormsg());
	assert_int_equal(open_file(path), grown_nblock);
}

static bool note_done(void *arg, uint64_t done)
{
	*(uint64_t *)arg = done;
	return true;
}

/*
 * Records the stores of a grow of the base, and writes its backup. Returns whether old and new
 * metadata overlap.
 */
static bool record_grow(const char *path, const char *backup)
{
	uint64_t done = 0;
	const struct grow_watch watch = {note_done, &done};
	bool moves = false;
	struct image image;
	struct grow grow;
	struct plan plan;

	copy_sparse(base, path);
	plan_file(path, &image, &grow, &plan);
	grown_nblock = grow.nblock;
	assert_int_equal(grow.nblock_before, base_nblock);
	replaces_tail = false;
	for (size_t i = 0; i < plan.nchange; i++) {
		replaces_tail = replaces_tail || plan.change[i].phase == PLAN_GROW_BEHIND;
		moves = moves || plan.change[i].phase == PLAN_GROW_MOVE;
	}
	old_copy = grow.metadata.moves ? grow.found.arena[grow.found.narena - 1].off +
					     grow.metadata.old.info_arena_off
				       : 0;
	grow.watch = &watch;
	record_planned(path, backup, &image, &grow, &plan, &growing);
	assert_int_equal(done, grow.nstore);
	finish(&image, &grow, &plan);
	assert_true(growing.n > 0);
	assert_true(growing.store[growing.n - 1].step < growing.nfence);
	return moves;
}

/*
 * Cuts the power in every step of a grow to this length: in all ways if the step stores a few
 * words, else `cuts` times. moves: whether old and new metadata overlap.
 */
static void cut_power(uint64_t length, unsigned cuts, bool moves)
{
	const char *path = support_path(true, "cut");
	const char *backup = support_path(true, "cut.undo");
	unsigned seen[2] = {0};	  /* opened as the old pool, as the new one */
	unsigned locked[2] = {0}; /* a repair refuses the pool, unlocks it */
	uint64_t random = 1;
	unsigned ncut = 0;

	grown_length = length;
	if (getenv("CHECK_LONG"))
		cuts *= 10;
	assert_int_equal(record_grow(path, backup), moves);
	assert_int_equal(open_file(path), grown_nblock);
	for (unsigned step = 0, cut = 0; step < growing.nfence; step += cut == 0) {
		size_t n = words_of(&growing, step);
		struct medium m;

		copy_sparse(base, path);
		assert_int_equal(truncate(path, (off_t)length), 0);
		open_medium(&m, path);
		apply_words(&growing, m.s.base, step, cut, &random);
		close_medium(&m);
		copy_sparse(path, support_path(true, "used"));
		assert_int_equal(open_file(support_path(true, "used")),
				 open_damaged(path));
		seen[0] += open_file(support_path(true, "used")) == base_nblock;
		seen[1] += open_file(support_path(true, "used")) == grown_nblock;
		if (is_locked(path))
			locked[unlock_cut(path, backup)]++;
		cut = (cut + 1) % (n <= FEW_WORDS ? 1u << n : cuts);
		try_cut(path, backup, ncut++ % 3 == 0 || getenv("CHECK_LONG"), &random);
	}
	print_message("%u power cuts: %u open as before, %u larger, %u not; a repair "
		      "unlocks %u of %u\n",
		      ncut, seen[0], seen[1], ncut - seen[0] - seen[1], locked[1],
		      locked[0] + locked[1]);
	assert_true(seen[0] > 0 && seen[1] > 0);
	assert_true(seen[0] + seen[1] < ncut);
	assert_true(locked[0] > 0 && locked[1] > 0);
	judge_by_original();
	start_recording(&growing);
	start_recording(&undoing);
}

/* --- what is there already ------------------------------------------------------------------ */

static struct {
	bool *is_stored; /* for each page: it was stored, or stored again */
	size_t n;
} pages;

static void mark(struct storage *s, uint64_t off, size_t len)
{
	for (uint64_t at = off - off % PAGE; at < off + len; at += PAGE)
		pages.is_stored[at / PAGE] = true;
	assert_true(off + len <= s->size);
}

static void mark_write(struct storage *s, struct storage_step *step, uint64_t off,
		       const void *src, size_t len)
{
	(void)step;
	mark(s, off, len);
	memcpy(s->base + off, src, len);
}

static void mark_renewed(struct storage *s, struct storage_step *step, uint64_t off,
			 const void *seen, size_t len)
{
	keep(s, step, off, seen, len);
	mark(s, off, len);
}

static int no_fence(struct storage *s, struct storage_step *step)
{
	(void)s;
	(void)step;
	return 0;
}

static const struct storage_ops marking = {
    .copy_out = memcpy,
    .write = mark_write,
    .renew = mark_renewed,
    .fence = no_fence,
};

/* Does what a grow does to a file of its length. */
static void store_grow(const char *path, const struct storage_ops *ops, bool is_whole)
{
	struct medium m;
	struct image image;
	struct grow grow;
	struct plan plan;

	plan_file(path, &image, &grow, &plan);
	assert_int_equal(truncate(path, (off_t)grown_length), 0);
	open_medium(&m, path);
	m.s.ops = ops;
	assert_int_equal(ahead_store(&grow, &m.s), 0);
	if (is_whole)
		assert_int_equal(apply_store(&plan, &m.s), 0);
	close_medium(&m);
	finish(&image, &grow, &plan);
}

/*
 * The first grow is interrupted, and the kernel cannot write its stores: the pages count as clean,
 * and nothing but a store makes them dirty.
 */
static void what_an_interrupted_grow_has_left_is_stored_again(void **state)
{
	const char *path = support_path(true, "left");

	(void)state;
	make_base(8192 + MIN_ARENA, 512);
	grown_length = 8192 + 2 * MIN_ARENA;
	copy_sparse(base, path);
	start_recording(&growing);
	store_grow(path, &recording, false);
	assert_true(growing.n >= 6);
	pages.n = grown_length / PAGE;
	pages.is_stored = calloc(pages.n, sizeof(*pages.is_stored));
	assert_non_null(pages.is_stored);
	store_grow(path, &marking, true);
	for (size_t i = 0; i < growing.n; i++)
		assert_true(pages.is_stored[growing.store[i].off / PAGE]);
	assert_int_equal(pmemblk_check(path, 512), 1);
	free(pages.is_stored);
	start_recording(&growing);
	unlink(path);
}

/* --- cases ---------------------------------------------------------------------------------- */

static void far_from_the_old_end(void **state)
{
	(void)state;
	make_base(8192 + MIN_ARENA, 512);
	cut_power(8192 + 3 * MIN_ARENA / 2 + 77, 5, false);
}

/* The tail of a file of odd length is overwritten by the new map. */
static void a_tail_that_is_overwritten(void **state)
{
	int fd;

	(void)state;
	make_base(8192 + MIN_ARENA, 512);
	fd = open(base, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "behind the last page", 20), 20);
	close(fd);
	base_length += 20;
	/* exactly what the metadata need: the new map begins where the old arena ends */
	cut_power(base_length - 20 + 151552, 5, false);
	assert_true(replaces_tail);
}

static void old_and_new_metadata_overlap(void **state)
{
	(void)state;
	make_base(8192 + MIN_ARENA, 512);
	cut_power(8192 + MIN_ARENA + 16384, 5, true);
}

static void one_page_more(void **state)
{
	(void)state;
	make_base(8192 + MIN_ARENA + 8192, 512);
	cut_power(8192 + MIN_ARENA + 12288, 4, true);
}

/* The last write has stored its flog record, but not its map entry. */
static void a_write_that_is_not_in_the_map_yet(void **state)
{
	struct btt_flog_record r[2];
	struct pool_file f;
	unsigned n = 0;
	int cur = -1;

	(void)state;
	make_base(8192 + MIN_ARENA, 512);
	f.p = support_read_file(base, &f.len);
	assert_int_equal(btt_geometry_arena(MIN_ARENA, bsize, &f.geo), 0);
	for (; n < BTT_NFREE; n++) {
		get_slot(&f, n, r);
		cur = btt_flog_find_current(r[0].seq, r[1].seq);
		if (cur >= 0 && r[cur].old_map != r[cur].new_map &&
		    get32(&f, map_off(&f, r[cur].premap)) == r[cur].new_map)
			break;
	}
	assert_true(n < BTT_NFREE);
	put32(&f, map_off(&f, r[cur].premap), r[cur].old_map);
	store_file(base, &f);
	free(f.p);
	cut_power(8192 + 2 * MIN_ARENA, 4, false);
	cut_power(8192 + MIN_ARENA + 20480, 4, true);
}

/* A full arena stays as it is, and gets a successor. */
static void an_arena_is_added(void **state)
{
	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* the sanitizer's run time leaves no address space for it */
	make_base(8192 + MAX_ARENA, MAX_BSIZE);
	cut_power(8192 + MAX_ARENA + MIN_ARENA, 4, false);
}

/* A file of 512 GiB: its arena needs 8 KiB to become full, and other arenas follow. */
static void an_arena_becomes_full_and_others_are_added(void **state)
{
	(void)state;
	if (SUPPORT_SANITIZED)
		skip();
	make_base(MAX_ARENA, MAX_BSIZE);
	cut_power(2 * MAX_ARENA + MIN_ARENA + 8192 + 99, 3, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_an_interrupted_grow_has_left_is_stored_again),
	    cmocka_unit_test(far_from_the_old_end),
	    cmocka_unit_test(a_tail_that_is_overwritten),
	    cmocka_unit_test(old_and_new_metadata_overlap),
	    cmocka_unit_test(one_page_more),
	    cmocka_unit_test(a_write_that_is_not_in_the_map_yet),
	    cmocka_unit_test(an_arena_is_added),
	    cmocka_unit_test(an_arena_becomes_full_and_others_are_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
