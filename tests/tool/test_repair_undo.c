/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a repair leaves and what an undo brings back. What happens to interrupted repairs is in
 * test_repair.c and test_repair_campaign.c, what a backup may be in test_repair_backup.c.
 */
#include "undo_fixture.h"

#include <errno.h>
#include <sys/syscall.h>

#include "base/fletcher64.h"
#include "btt/info.h"
#include "errormsg.h"
#include "repair/apply.h"
#include "repair/repair.h"
#include "repair/undo.h"

/* --- lengths ------------------------------------------------------------------------------- */

static void assert_repaired_and_undone(const struct pool_file *damaged,
				       const struct pool_file *sound)
{
	unlink(undo);
	store_file(path, damaged);
	assert_int_equal(tool_run(cmd_repair, path, NULL), 0);
	assert_true(is_file(path, sound));
	assert_int_equal(tool_run(cmd_repair, "-u", undo, path, NULL), 0);
	assert_true(is_file(path, damaged));
}

static void a_file_that_was_cut_inside_a_page_gets_its_length_back(void **state)
{
	static const size_t gone[] = {1, 7, 4095, 4096};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(gone); i++) {
		struct pool_file cut = clone_file(&base);

		cut.len -= gone[i];
		assert_repaired_and_undone(&cut, &base);
		/* and once more, as after an undo that was killed at its end */
		assert_int_equal(tool_run(cmd_repair, "-u", undo, path, NULL), 0);
		assert_true(is_file(path, &cut));
		/* the rest of that page is compared, too */
		if (gone[i] % 4096 != 0) {
			cut.p[cut.len - 1] ^= 1;
			store_file(path, &cut);
			assert_refused(undo, &cut);
			assert_non_null(strstr(tool_said, "changed after the repair"));
		}
		free(cut.p);
	}
}

/* The info block's copy ends with its checksum: one byte in 256 is a zero. */
static void a_file_that_lost_nothing_but_a_zero_gets_its_length_back(void **state)
{
	struct pool_file sound = clone_file(&base);
	unsigned char *info = sound.p + ARENA;
	struct pool_file cut;
	uint32_t n = 0;

	(void)state;
	do {
		le64 sum;

		put32(&sound, ARENA + offsetof(struct btt_info_media, uuid), n);
		n += UINT32_C(0x9e3779b1);
		sum = cpu_to_le64(
		    fletcher64(info, BTT_INFO_SIZE, BTT_INFO_SIZE - sizeof(sum), 0));
		memcpy(info + BTT_INFO_SIZE - sizeof(sum), &sum, sizeof(sum));
	} while (info[BTT_INFO_SIZE - 1] != 0);
	memcpy(sound.p + copy_off(&sound), info, BTT_INFO_SIZE);
	cut = sound;
	cut.len--;
	assert_repaired_and_undone(&cut, &sound);
	free(sound.p);
}

/* What was planned for the old length must not be stored. */
static void a_file_whose_length_changes_meanwhile_is_not_repaired(void **state)
{
	(void)state;
	for (int shorter = 0; shorter < 2; shorter++) {
		struct pool_file damaged = damage_all();
		size_t len = shorter ? damaged.len / 2 : damaged.len + BSIZE;
		enum repair_verdict verdict;
		struct image image;
		struct plan plan;

		assert_int_equal(image_open(path, POOLSET_MEND, &image), 0);
		plan_init(&plan, SIZE_MAX);
		assert_int_equal(repair_plan(&image, &plan, &verdict), 0);
		assert_int_equal(verdict, REPAIR_MENDABLE);
		assert_int_equal(truncate(path, (off_t)len), 0);
		assert_int_equal(image_refresh(&image), -EIO);
		assert_non_null(strstr(errormsg_get(), "another process changes it"));
		plan_free(&plan);
		image_close(&image);
		free(damaged.p);
	}
}

/* --- sets ------------------------------------------------------------------------------------ */

/* The map lies in the second part, the header in the first one. */
static void a_pool_in_two_files_is_repaired_and_taken_back(void **state)
{
	const char *set = support_path(true, "set");
	const char *set_undo = support_path(true, "set.undo");
	const char *part[2] = {support_path(true, "part0"), support_path(true, "part1")};
	struct pool_file damaged[2];
	char block[BSIZE] = "z";
	char text[1024];
	PMEMblkpool *pool;
	struct btt_geometry geo;

	(void)state;
	snprintf(text, sizeof(text), "PMEMPOOLSET\nOPTION SINGLEHDR\n9M %s\n9M %s\n",
		 part[0], part[1]);
	support_write_file(set, text, strlen(text));
	pool = pmemblk_create(set, BSIZE, 0, 0600);
	assert_non_null(pool);
	assert_int_equal(pmemblk_write(pool, block, 7), 0);
	pmemblk_close(pool);
	assert_int_equal(btt_geometry_arena((18 << 20) - ARENA, BSIZE, &geo), 0);
	for (int i = 0; i < 2; i++)
		damaged[i].p = support_read_file(part[i], &damaged[i].len);
	put32(&damaged[1], ARENA + geo.map_arena_off + 7 * 4 - (9 << 20), 0xffffffff);
	damaged[0].p[ARENA + 40] ^= 1;
	damaged[0].p[40] ^= 1;
	for (int i = 0; i < 2; i++)
		store_file(part[i], &damaged[i]);
	assert_int_equal(tool_run(cmd_check, set, NULL), 1);
	assert_int_equal(tool_run(cmd_repair, set, NULL), 0);
	assert_int_equal(pmemblk_check(set, 0), 1);
	assert_int_equal(tool_run(cmd_repair, "-u", set_undo, set, NULL), 0);
	for (int i = 0; i < 2; i++) {
		assert_true(is_file(part[i], &damaged[i]));
		free(damaged[i].p);
	}
}

/* --- what a repair leaves -------------------------------------------------------------------- */

/* the n-th sync of the pool from now loses the store to a map entry */
static int lost_in_sync;
static uint32_t lost_value;

SUPPORT_INTERPOSE int msync(void *addr, size_t len, int flags)
{
	int ret = (int)syscall(SYS_msync, addr, len, flags);

	if (lost_in_sync && --lost_in_sync == 0) {
		int fd = open(path, O_WRONLY | O_CLOEXEC);
		le32 value = cpu_to_le32(lost_value);

		if (fd < 0 || pwrite(fd, &value, sizeof(value),
				     (off_t)map_off(&base, 30)) != sizeof(value))
			abort();
		close(fd);
	}
	return ret;
}

/* The last sync is the one of the header. */
static void a_store_that_did_not_arrive_is_noticed(void **state)
{
	struct pool_file damaged = damage_all();

	(void)state;
	lost_value = get32(&damaged, map_off(&damaged, 30));
	lost_in_sync = 7;
	assert_int_equal(tool_run(cmd_repair, path, NULL), 3);
	assert_int_equal(lost_in_sync, 0);
	assert_non_null(strstr(tool_said, "was taken back"));
	assert_true(is_file(path, &damaged));
	free(damaged.p);
}

/* The stores of an undo, too, are compared with the file. */
static void an_undo_notices_a_store_that_did_not_arrive(void **state)
{
	struct pool_file damaged = damage_all();
	struct pool_file repaired;
	int nsync;

	(void)state;
	assert_int_equal(tool_run(cmd_repair, path, NULL), 0);
	repaired = load_file(path, &base);
	lost_in_sync = 1000;
	assert_int_equal(tool_run(cmd_repair, "-u", undo, path, NULL), 0);
	nsync = 1000 - lost_in_sync;
	store_file(path, &repaired);
	lost_value = get32(&repaired, map_off(&repaired, 30));
	lost_in_sync = nsync;
	assert_int_equal(tool_run(cmd_repair, "-u", undo, path, NULL), 3);
	assert_int_equal(lost_in_sync, 0);
	assert_non_null(
	    strstr(tool_said, "stands something else than what was put back"));
	assert_int_equal(tool_run(cmd_repair, "-u", undo, path, NULL), 0);
	assert_true(is_file(path, &damaged));
	free(repaired.p);
	free(damaged.p);
}

static void a_plan_that_leaves_damage_is_taken_back(void **state)
{
	struct pool_file damaged = damage_all();
	le32 entry = cpu_to_le32(get_entry(&damaged, 36));
	enum repair_verdict verdict;
	enum apply_state apply_state;
	struct image image;
	struct plan plan;
	char *name = NULL;

	(void)state;
	assert_int_equal(image_open(path, POOLSET_MEND, &image), 0);
	plan_init(&plan, 10);
	assert_int_equal(repair_plan(&image, &plan, &verdict), 0);
	assert_int_equal(verdict, REPAIR_MENDABLE);
	assert_int_equal(image_refresh(&image), 0);
	assert_int_equal(plan_change(&plan, &image, PLAN_HEADER, map_off(&damaged, 90),
				     &entry, sizeof(entry)),
			 0);
	assert_int_equal(image_refresh(&image), 0);
	/* no backup is written over another file */
	support_write_file(undo, "x", 1);
	apply_state = APPLY_DONE;
	assert_int_equal(apply_plan(&plan, &image, undo, &name, &apply_state), -EEXIST);
	assert_int_equal(apply_state, APPLY_NOTHING);
	free(name);
	unlink(undo);
	assert_true(apply_plan(&plan, &image, undo, &name, &apply_state) < 0);
	assert_int_equal(apply_state, APPLY_TAKEN_BACK);
	assert_true(is_file(path, &damaged));
	free(name);
	plan_free(&plan);
	image_close(&image);
	free(damaged.p);
}

/* The header's checksum covers the shutdown state and has to change with it. */
static void a_shutdown_state_under_the_checksum_is_closed(void **state)
{
	struct pool_file damaged = clone_file(&base);
	uint64_t random = 1;

	(void)state;
	do
		shutdown_state_under_the_sum(&damaged, &random);
	while (get32(&damaged, offsetof(struct pool_header, incompat)) !=
	       POOL_INCOMPAT_SDS);
	unlink(undo);
	store_file(path, &damaged);
	assert_int_equal(tool_run(cmd_check, path, NULL), 1);
	assert_int_equal(tool_run(cmd_repair, path, NULL), 0);
	assert_non_null(strstr(tool_said, "it is set to closed"));
	assert_int_equal(pmemblk_check(path, 0), 1);
	assert_int_equal(tool_run(cmd_repair, "-u", undo, path, NULL), 0);
	assert_true(is_file(path, &damaged));
	free(damaged.p);
}

/* --- what a repair relies on ----------------------------------------------------------------- */

static unsigned char stored[8192]; /* for each page: stored to before the first fence */
static bool is_fenced;

static void store(struct storage *s, struct storage_step *step, uint64_t off,
		  const void *src, size_t len)
{
	(void)step;
	memcpy(s->base + off, src, len);
}

static void note_renewed(struct storage *s, struct storage_step *step, uint64_t off,
			 const void *seen, size_t len)
{
	(void)step;
	assert_memory_equal(s->base + off, seen, len);
	for (uint64_t at = off; at < off + len && !is_fenced; at += 8)
		stored[at / 4096] = 1;
}

static int note_fence(struct storage *s, struct storage_step *step)
{
	(void)s;
	(void)step;
	is_fenced = true;
	return 0;
}

static const struct storage_ops noting = {
    .copy_out = memcpy,
    .write = store,
    .renew = note_renewed,
    .fence = note_fence,
};

/* Whether it is one of the pages for which next_data() says that they are a hole. */
static bool is_hole(const struct storage *s, uint64_t page)
{
	static const unsigned char zero[4096];

	return page % 2 != 0 && memcmp(s->base + page * 4096, zero, sizeof(zero)) == 0;
}

static uint64_t next_data(struct storage *s, uint64_t off, uint64_t end)
{
	while (off < end && is_hole(s, off / 4096))
		off = (off / 4096 + 1) * 4096;
	return off < end ? off : end;
}

/* If an earlier sync failed, pages may be clean in memory and old on the disk. */
static void what_a_repair_relies_on_is_stored_again_first(void **state)
{
	struct pool_file damaged = damage_all();
	struct pool_file work = clone_file(&damaged);
	struct storage s = {.ops = &noting, .base = work.p, .size = work.len};
	uint64_t nhole = 0;
	enum repair_verdict verdict;
	struct image image;
	struct plan plan;

	(void)state;
	assert_int_equal(image_open(path, POOLSET_MEND, &image), 0);
	plan_init(&plan, 10);
	assert_int_equal(repair_plan(&image, &plan, &verdict), 0);
	assert_int_equal(apply_store(&plan, &s), 0);
	for (uint64_t off = 0; off < ARENA + 4096; off += 4096)
		assert_true(stored[off / 4096]);
	for (uint64_t off = ARENA + base.geo.map_arena_off; off < base.len; off += 4096)
		assert_true(stored[off / 4096]);
	/* but not to holes, which would take space */
	memcpy(work.p, damaged.p, work.len);
	memset(stored, 0, sizeof(stored));
	is_fenced = false;
	s.next_data = next_data;
	assert_int_equal(apply_store(&plan, &s), 0);
	memcpy(work.p, damaged.p, work.len);
	for (uint64_t off = ARENA + base.geo.map_arena_off; off < base.len; off += 4096) {
		bool hole = is_hole(&s, off / 4096);

		assert_int_equal(stored[off / 4096], !hole);
		nhole += hole;
	}
	assert_true(nhole > 0);
	plan_free(&plan);
	image_close(&image);
	free(damaged.p);
	free(work.p);
}

static void what_an_undo_finds_done_is_stored_again_first(void **state)
{
	struct pool_file damaged = damage_all();
	struct pool_file work = clone_file(&damaged);
	struct storage s = {.ops = &noting, .base = work.p, .size = work.len};
	struct image image;
	struct undo u;

	(void)state;
	assert_int_equal(tool_run(cmd_repair, path, NULL), 0);
	assert_int_equal(tool_run(cmd_repair, "-u", undo, path, NULL), 0);
	assert_int_equal(image_open(path, POOLSET_MEND, &image), 0);
	assert_int_equal(undo_load(undo, &image, &u), 0);
	memset(stored, 0, sizeof(stored));
	is_fenced = false;
	assert_int_equal(undo_store(&u, &s), 0);
	assert_true(u.nrange > 4);
	for (size_t i = 0; i < u.nrange; i++)
		assert_true(stored[u.range[i].off / 4096]);
	assert_memory_equal(work.p, damaged.p, work.len);
	undo_free(&u);
	image_close(&image);
	free(damaged.p);
	free(work.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_file_that_was_cut_inside_a_page_gets_its_length_back),
	    cmocka_unit_test(a_file_that_lost_nothing_but_a_zero_gets_its_length_back),
	    cmocka_unit_test(a_file_whose_length_changes_meanwhile_is_not_repaired),
	    cmocka_unit_test(a_pool_in_two_files_is_repaired_and_taken_back),
	    cmocka_unit_test(a_store_that_did_not_arrive_is_noticed),
	    cmocka_unit_test(an_undo_notices_a_store_that_did_not_arrive),
	    cmocka_unit_test(a_plan_that_leaves_damage_is_taken_back),
	    cmocka_unit_test(a_shutdown_state_under_the_checksum_is_closed),
	    cmocka_unit_test(what_a_repair_relies_on_is_stored_again_first),
	    cmocka_unit_test(what_an_undo_finds_done_is_stored_again_first),
	};

	return cmocka_run_group_tests(tests, make_base, free_base);
}
