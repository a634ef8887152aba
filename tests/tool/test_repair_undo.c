/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Backups: damaged ones, old ones, ones of other pools; and repairs that do not leave what they
 * should. What happens to interrupted repairs is in test_repair.c and test_repair_campaign.c.
 */
#include "support.h"

#include <signal.h>
#include <sys/syscall.h>

#include <libpmemblk.h>

#include "damages.h"
#include "errormsg.h"
#include "pool_file.h"
#include "repair/apply.h"
#include "repair/repair.h"
#include "repair/undo.h"
#include "run_tool.h"

#define BSIZE 4096u

static struct pool_file base;
static const char *path;
static const char *undo;

static int make_base(void **state)
{
	char block[BSIZE] = "x";
	PMEMblkpool *pool;

	(void)state;
	path = support_path(true, "pool");
	undo = support_path(true, "pool.undo");
	pool = pmemblk_create(path, BSIZE, PMEMBLK_MIN_POOL + 8192, 0600);
	if (!pool)
		return -1;
	for (long long lba = 0; lba < 300; lba += 3)
		if (pmemblk_write(pool, block, lba % 150) != 0)
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

/* A pool with something to mend in each phase. */
static struct pool_file damage_all(void)
{
	struct pool_file f = clone_file(&base);

	put32(&f, map_off(&f, 30), 0xffffffff);
	put32(&f, map_off(&f, 33), get_entry(&f, 36));
	put32(&f, record_off(&f, 1, 0) + 12, 2);
	put32(&f, record_off(&f, 1, 1) + 12, 2);
	f.p[ARENA + 40] ^= 1;
	f.p[40] ^= 1;
	unlink(undo);
	store_file(path, &f);
	return f;
}

static char *read_text(const char *name)
{
	size_t len;
	char *bytes = (char *)support_read_file(name, &len);
	char *text = calloc(1, len + 1);

	assert_non_null(text);
	memcpy(text, bytes, len);
	free(bytes);
	return text;
}

static void assert_refused(const char *backup, const struct pool_file *pool)
{
	if (tool_run(cmd_repair, "-u", backup, path, NULL) != 3)
		fail_msg("not refused: %s", tool_said);
	assert_true(is_file(path, pool));
}

/* --- damaged backups ------------------------------------------------------------------------ */

/* Changes the text somehow; it has room for one more line. */
static void spoil(char *text, uint64_t *random)
{
	size_t len = strlen(text);
	size_t at = support_random(random) % len;
	size_t n = 1 + support_random(random) % 40;
	char *line;

	switch (support_random(random) % 6) {
	case 0:
		text[at] = (char)(text[at] ^ 1 << support_random(random) % 7);
		break;
	case 1:
		text[at] = "0123456789abcdef \n:"[support_random(random) % 19];
		break;
	case 2:
		text[at] = '\0';
		break;
	case 3:
		if (at + n < len)
			memmove(text + at, text + at + n, len - at - n + 1);
		break;
	case 4:
		memmove(text + at + n, text + at, len - at + 1);
		break;
	default: /* without a line */
		line = strchr(text + at, '\n');
		if (line && strchr(line + 1, '\n'))
			memmove(line, strchr(line + 1, '\n'),
				strlen(strchr(line + 1, '\n')) + 1);
	}
}

static void damaged_backups_are_refused(void **state)
{
	const char *spoilt = support_path(true, "spoilt");
	struct pool_file damaged = damage_all();
	unsigned rounds = getenv("CHECK_LONG") ? 5000 : 250;
	struct pool_file repaired;
	unsigned done = 0;
	char *text;

	(void)state;
	assert_int_equal(tool_run(cmd_repair, path, NULL), 0);
	repaired = load_file(path, &base);
	text = read_text(undo);
	for (unsigned seed = 1; seed <= rounds; seed++) {
		char *copy = calloc(1, strlen(text) + 100);
		uint64_t random = seed;

		assert_non_null(copy);
		strcpy(copy, text);
		spoil(copy, &random);
		if (strcmp(copy, text) != 0) {
			support_write_file(spoilt, copy, strlen(copy));
			if (tool_run(cmd_repair, "-u", spoilt, path, NULL) != 3)
				fail_msg("seed %u: %s", seed, tool_said);
			done++;
		}
		free(copy);
	}
	assert_true(is_file(path, &repaired));
	assert_true(done > rounds / 2);
	assert_int_equal(tool_run(cmd_repair, "-u", undo, path, NULL), 0);
	assert_true(is_file(path, &damaged));
	free(text);
	free(damaged.p);
	free(repaired.p);
}

/* Whatever it says, and although each line is well formed. */
static void a_backup_cannot_empty_a_pool(void **state)
{
	static const char *const texts[] = {
	    "pmemblk backup 1\npool %s\nlength 0\nend 0\n",
	    "pmemblk backup 1\npool %s\nlength 4096\nend 0\n",
	    "pmemblk backup 1\npool %s\nlength 99999999999\nend 0\n",
	    "pmemblk backup 2\npool %s %s\nlength 0 0\nend 0 0000000000000000\n",
	    "",
	    "pmemblk backup 3\n",
	};
	const char *name = support_path(true, "text");
	char uuid[2 * UUID_SIZE + 1];

	(void)state;
	store_file(path, &base);
	for (unsigned i = 0; i < UUID_SIZE; i++)
		snprintf(uuid + 2 * i, 3, "%02x", base.p[24 + i]);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char text[512];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
		snprintf(text, sizeof(text), texts[i], uuid, uuid);
#pragma GCC diagnostic pop
		support_write_file(name, text, strlen(text));
		assert_refused(name, &base);
	}
}

static void what_is_no_regular_file_is_refused(void **state)
{
	const char *fifo = support_path(true, "fifo");

	(void)state;
	store_file(path, &base);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	alarm(20);
	assert_refused(fifo, &base);
	assert_non_null(strstr(tool_said, "not a regular file"));
	assert_refused("/dev/zero", &base);
	assert_non_null(strstr(tool_said, "not a regular file"));
	assert_refused(support_tmpdir(true), &base);
	alarm(0);
}

/* Two pools with the same damage. */
static void a_backup_is_for_its_own_pool(void **state)
{
	struct pool_file damaged = clone_file(&base);
	struct pool_file other;

	(void)state;
	put32(&damaged, map_off(&damaged, 30), 0xffffffff);
	unlink(undo);
	store_file(path, &damaged);
	assert_int_equal(tool_run(cmd_repair, path, NULL), 0);
	other = load_file(path, &base);
	for (unsigned i = 0; i < UUID_SIZE; i++)
		other.p[24 + i] ^= 0x55;
	store_file(path, &other);
	assert_refused(undo, &other);
	assert_non_null(strstr(tool_said, "another pool's"));
	free(other.p);
	free(damaged.p);
}

static void a_backup_is_not_for_a_pool_that_was_used(void **state)
{
	struct pool_file damaged = damage_all();
	struct pool_file used;
	char block[BSIZE] = "y";
	PMEMblkpool *pool;

	(void)state;
	assert_int_equal(tool_run(cmd_repair, path, NULL), 0);
	pool = pmemblk_open(path, 0);
	assert_non_null(pool);
	assert_int_equal(pmemblk_write(pool, block, 30), 0);
	pmemblk_close(pool);
	used = load_file(path, &base);
	assert_refused(undo, &used);
	assert_non_null(strstr(tool_said, "changed after the repair"));
	free(used.p);
	free(damaged.p);
}

/* Of many blocks the output names the first ones only. */
static void the_backup_names_every_block(void **state)
{
	struct pool_file f = clone_file(&base);
	char *text;

	(void)state;
	for (uint32_t i = 0; i < 200; i++)
		put32(&f, map_off(&f, i), 0xffffffff);
	unlink(undo);
	store_file(path, &f);
	assert_int_equal(tool_run(cmd_repair, path, NULL), 0);
	assert_non_null(strstr(tool_said, "... and 150 more\n"));
	text = read_text(undo);
	for (unsigned i = 0; i < 200; i++) {
		char line[64];

		snprintf(line, sizeof(line), "\nnote block %u: its map entry", i);
		assert_non_null(strstr(text, line));
	}
	free(text);
	assert_int_equal(tool_run(cmd_repair, "-u", undo, path, NULL), 0);
	assert_true(is_file(path, &f));
	free(f.p);
}

/* --- version 1 ------------------------------------------------------------------------------- */

static void print_hex(FILE *f, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%02x", p[i]);
}

/* A backup of version 1 of what differs between two pools of the same length. */
static void write_version_1(const char *name, const struct pool_file *old,
			    const struct pool_file *new, uint64_t length)
{
	FILE *f = fopen(name, "w");
	unsigned n = 0;

	assert_non_null(f);
	fputs("pmemblk backup 1\npool ", f);
	print_hex(f, new->p + 24, UUID_SIZE);
	fprintf(f, "\nlength %llu\n", (unsigned long long)length);
	for (size_t off = 0, len; off < new->len; off += len) {
		bool is_page = off < 4096 || off == ARENA || off == copy_off(new);

		len = is_page ? 4096 : 4;
		if (memcmp(old->p + off, new->p + off, len) == 0)
			continue;
		fprintf(f, "%zu ", off);
		print_hex(f, old->p + off, len);
		fputc(' ', f);
		print_hex(f, new->p + off, len);
		fputc('\n', f);
		n++;
	}
	fprintf(f, "end %u\n", n);
	fclose(f);
}

static void backups_of_version_1_are_still_read(void **state)
{
	const char *old = support_path(true, "old");
	struct pool_file damaged = damage_all();
	struct pool_file repaired;

	(void)state;
	assert_int_equal(tool_run(cmd_repair, path, NULL), 0);
	repaired = load_file(path, &base);
	write_version_1(old, &damaged, &repaired, damaged.len);
	assert_int_equal(tool_run(cmd_repair, "-u", old, path, NULL), 0);
	assert_true(is_file(path, &damaged));
	free(damaged.p);
	free(repaired.p);
}

static void a_page_that_version_1_appended_is_cut_off_again(void **state)
{
	const char *old = support_path(true, "old");
	struct pool_file cut = clone_file(&base);

	(void)state;
	memset(cut.p + cut.len - 4096, 0, 4096);
	write_version_1(old, &cut, &base, base.len - 4096);
	cut.len -= 4096;
	store_file(path, &base);
	assert_int_equal(tool_run(cmd_repair, "-u", old, path, NULL), 0);
	assert_true(is_file(path, &cut));
	free(cut.p);
}

/* --- lengths ------------------------------------------------------------------------------- */

static void a_file_that_was_cut_inside_a_page_gets_its_length_back(void **state)
{
	static const size_t gone[] = {1, 7, 4095, 4096};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(gone); i++) {
		struct pool_file cut = clone_file(&base);

		cut.len -= gone[i];
		unlink(undo);
		store_file(path, &cut);
		assert_int_equal(tool_run(cmd_repair, path, NULL), 0);
		assert_true(is_file(path, &base));
		assert_int_equal(tool_run(cmd_repair, "-u", undo, path, NULL), 0);
		assert_true(is_file(path, &cut));
		/* and once more, as after an undo that was killed at its end */
		assert_int_equal(tool_run(cmd_repair, "-u", undo, path, NULL), 0);
		assert_true(is_file(path, &cut));
		free(cut.p);
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

static int
    lost_in_sync; /* the n-th sync of the pool from now loses the store to a map entry */
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

static void a_plan_that_leaves_damage_is_taken_back(void **state)
{
	struct pool_file damaged = damage_all();
	le32 entry = cpu_to_le32(get_entry(&damaged, 36));
	enum repair_verdict verdict;
	enum apply_state apply_state;
	struct image image;
	struct plan plan;
	char *name;

	(void)state;
	assert_int_equal(image_open(path, &image), 0);
	plan_init(&plan, 10);
	assert_int_equal(repair_plan(&image, &plan, &verdict), 0);
	assert_int_equal(verdict, REPAIR_MENDABLE);
	assert_int_equal(image_refresh(&image), 0);
	assert_int_equal(plan_change(&plan, &image, PLAN_HEADER, map_off(&damaged, 90),
				     &entry, sizeof(entry)),
			 0);
	assert_int_equal(image_refresh(&image), 0);
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

/* An earlier sync may have failed, after which pages are clean in memory and old on the disk. */
static void what_a_repair_relies_on_is_stored_again_first(void **state)
{
	struct pool_file damaged = damage_all();
	struct pool_file work = clone_file(&damaged);
	struct storage s = {.ops = &noting, .base = work.p, .size = work.len};
	enum repair_verdict verdict;
	struct image image;
	struct plan plan;

	(void)state;
	assert_int_equal(image_open(path, &image), 0);
	plan_init(&plan, 10);
	assert_int_equal(repair_plan(&image, &plan, &verdict), 0);
	assert_int_equal(apply_store(&plan, &s), 0);
	for (uint64_t off = 0; off < ARENA + 4096; off += 4096)
		assert_true(stored[off / 4096]);
	for (uint64_t off = ARENA + base.geo.map_arena_off; off < base.len; off += 4096)
		assert_true(stored[off / 4096]);
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
	assert_int_equal(image_open(path, &image), 0);
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
	    cmocka_unit_test(damaged_backups_are_refused),
	    cmocka_unit_test(a_backup_cannot_empty_a_pool),
	    cmocka_unit_test(what_is_no_regular_file_is_refused),
	    cmocka_unit_test(a_backup_is_for_its_own_pool),
	    cmocka_unit_test(a_backup_is_not_for_a_pool_that_was_used),
	    cmocka_unit_test(the_backup_names_every_block),
	    cmocka_unit_test(backups_of_version_1_are_still_read),
	    cmocka_unit_test(a_page_that_version_1_appended_is_cut_off_again),
	    cmocka_unit_test(a_file_that_was_cut_inside_a_page_gets_its_length_back),
	    cmocka_unit_test(a_pool_in_two_files_is_repaired_and_taken_back),
	    cmocka_unit_test(a_store_that_did_not_arrive_is_noticed),
	    cmocka_unit_test(a_plan_that_leaves_damage_is_taken_back),
	    cmocka_unit_test(a_shutdown_state_under_the_checksum_is_closed),
	    cmocka_unit_test(what_a_repair_relies_on_is_stored_again_first),
	    cmocka_unit_test(what_an_undo_finds_done_is_stored_again_first),
	};

	return cmocka_run_group_tests(tests, make_base, free_base);
}
