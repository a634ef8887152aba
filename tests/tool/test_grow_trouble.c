/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Disturbs grows and undos: it kills them at a sync, lets all syncs from one on fail, or lets an
 * allocation find no space, in turn for every call of that kind. Afterwards the pool has its old
 * bytes and its old length, or the backup restores them. Then the pool can grow.
 */
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <libpmemblk.h>

#include "errormsg.h"
#include "grow/examine.h"
#include "pool_file.h"
#include "repair/backup.h"
#include "run_tool.h"
#include "trouble.h"

#define BSIZE 512u
#define MIN_ARENA (UINT64_C(16) << 20)

/* --- the pool ------------------------------------------------------------------------------ */

static struct pool_file base;
static char size[32]; /* to which it grows */
static const char *path;
static const char *undo;

static void make_base(uint64_t length, uint64_t grown)
{
	char block[BSIZE] = "x";
	PMEMblkpool *pool;
	int on = 1;

	path = support_path(true, "pool");
	undo = support_path(true, "pool.undo");
	free(base.p);
	unlink(path);
	unlink(undo);
	pool = pmemblk_create(path, BSIZE, length, 0600);
	assert_non_null(pool);
	for (long long lba = 0; lba < 300; lba += 3)
		assert_int_equal(pmemblk_write(pool, block, lba), 0);
	assert_int_equal(pmemblk_set_error(pool, 4), 0);
	pmemblk_close(pool);
	base.p = support_read_file(path, &base.len);
	snprintf(size, sizeof(size), "%llu", (unsigned long long)grown);
	/* so that opening the pool does not change it */
	assert_int_equal(pmemblk_ctl_set(NULL, "copy_on_write.at_open", &on), 0);
}

static bool has_blocks(size_t *nblock)
{
	char block[BSIZE];
	PMEMblkpool *pool = pmemblk_open(path, BSIZE);

	if (!pool)
		return false;
	*nblock = pmemblk_nblock(pool);
	for (long long lba = 0; lba < 400; lba++) {
		int ret = pmemblk_read(pool, block, lba);

		assert_int_equal(ret, lba == 4 ? -1 : 0);
		if (lba != 4)
			assert_int_equal(block[0], lba < 300 && lba % 3 == 0 ? 'x' : 0);
	}
	pmemblk_close(pool);
	return true;
}

/* --- trouble -------------------------------------------------------------------------------- */

enum ending { ENDED, KILLED, FAILED };

static enum ending disturb(bool undoes, enum trouble kind, unsigned n)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		int rc;

		trouble = kind;
		trouble_at = n;
		rc = undoes ? tool_run(cmd_grow, "-u", undo, path, NULL)
			    : tool_run(cmd_grow, "-s", size, path, NULL);
		_exit(rc);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(kind, KILL);
		return KILLED;
	}
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 0)
		return ENDED;
	assert_int_equal(WEXITSTATUS(status), 3);
	return FAILED;
}

#define RUN(...)                                                                         \
	do {                                                                             \
		if (tool_run(__VA_ARGS__, NULL) != 0)                                    \
			fail_msg("%s: %s", #__VA_ARGS__, tool_said);                     \
	} while (0)

/*
 * An interrupted grow has left the old pool, or a backup that restores it. Then the pool can
 * grow.
 */
static void take_back_and_grow(enum trouble kind)
{
	size_t n;

	if (kind == FULL) {
		assert_true(is_file(path, &base));
		assert_true(access(undo, F_OK) != 0);
	}
	/* if the backup is not complete, the killed process has changed nothing else */
	if (!is_file(path, &base)) {
		if (!has_blocks(&n)) {
			assert_true(tool_run(cmd_grow, "-s", size, path, NULL) != 0);
			assert_non_null(
			    strstr(tool_said, "was interrupted when it grew"));
		}
		RUN(cmd_grow, "-u", undo, path);
	}
	assert_true(is_file(path, &base));
	unlink(undo);
	RUN(cmd_grow, "-s", size, path);
	assert_int_equal(pmemblk_check(path, BSIZE), 1);
}

/* If the pool opens, a second grow finishes the first one. */
static void go_on(void)
{
	const char *second = support_path(true, "pool.undo.1");
	size_t before;
	size_t after;

	if (!has_blocks(&before))
		RUN(cmd_grow, "-u", undo, path);
	if (tool_run(cmd_grow, "-s", size, path, NULL) != 0)
		assert_non_null(strstr(tool_said, "blocks already"));
	assert_true(has_blocks(&after));
	assert_int_equal(pmemblk_check(path, BSIZE), 1);
	unlink(second);
}

static unsigned disturb_grow(enum trouble kind, bool goes_on)
{
	enum ending ending = FAILED;
	unsigned n = 0;

	while (ending != ENDED) {
		unlink(undo);
		store_file(path, &base);
		ending = disturb(false, kind, ++n);
		if (ending == ENDED)
			break;
		if (goes_on)
			go_on();
		else
			take_back_and_grow(kind);
	}
	return n - 1;
}

static unsigned disturb_undo(enum trouble kind)
{
	enum ending ending = FAILED;
	unsigned n = 0;

	while (ending != ENDED) {
		unlink(undo);
		store_file(path, &base);
		RUN(cmd_grow, "-s", size, path);
		ending = disturb(true, kind, ++n);
		RUN(cmd_grow, "-u", undo, path);
		assert_true(is_file(path, &base));
	}
	return n - 1;
}

static void try_all(uint64_t length, uint64_t grown)
{
	unsigned n[6];

	make_base(length, grown);
	for (unsigned kind = KILL; kind <= FAIL; kind++) {
		n[kind] = disturb_grow(kind, false);
		n[2 + kind] = disturb_grow(kind, true);
		n[4 + kind] = disturb_undo(kind);
	}
	for (unsigned i = 0; i < 6; i++)
		assert_true(n[i] >= 5);
	assert_true(disturb_grow(FULL, false) >= 2);
	print_message("%u syncs of a grow, %u of an undo\n", n[0], n[4]);
}

/* --- cases ---------------------------------------------------------------------------------- */

static void far_from_the_old_end(void **state)
{
	(void)state;
	try_all(8192 + MIN_ARENA, 8192 + 2 * MIN_ARENA + 5);
}

static void old_and_new_metadata_overlap(void **state)
{
	(void)state;
	try_all(8192 + MIN_ARENA, 8192 + MIN_ARENA + 20480);
}

/* The new metadata overwrite the last part of a page, and an undo restores it. */
static void a_file_of_odd_length(void **state)
{
	(void)state;
	try_all(8192 + MIN_ARENA + 123, 8192 + MIN_ARENA + 151552);
}

/* Only its length changes. */
static void a_pool_without_a_layout(void **state)
{
	PMEMblkpool *pool;

	(void)state;
	make_base(8192 + MIN_ARENA, 8192 + 2 * MIN_ARENA);
	free(base.p);
	unlink(path);
	pool = pmemblk_create(path, BSIZE, 8192 + MIN_ARENA + 77, 0600);
	assert_non_null(pool);
	pmemblk_close(pool);
	base.p = support_read_file(path, &base.len);
	for (unsigned kind = KILL; kind <= FAIL; kind++)
		for (unsigned n = 1;; n++) {
			enum ending ending;

			store_file(path, &base);
			ending = disturb(false, kind, n);
			if (ending == ENDED)
				break;
			assert_int_equal(pmemblk_check(path, BSIZE), 1);
			if (tool_run(cmd_grow, "-s", size, path, NULL) != 0)
				assert_non_null(strstr(tool_said, "blocks already"));
		}
	assert_true(access(undo, F_OK) != 0);
}

/* Replaces the data area of the file, below the tool that has the file open. */
static void put_data_area(const struct pool_file *f)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, f->p + ARENA, f->len - ARENA, (off_t)ARENA),
			 f->len - ARENA);
	close(fd);
}

/* Between the look at it and the change of its length. */
static void a_pool_that_gets_a_layout_meanwhile_keeps_its_length(void **state)
{
	char block[BSIZE] = "x";
	struct pool_file laid;
	PMEMblkpool *pool;
	int off = 0;

	(void)state;
	make_base(8192 + MIN_ARENA, 8192 + 2 * MIN_ARENA);
	free(base.p);
	unlink(path);
	assert_int_equal(pmemblk_ctl_set(NULL, "copy_on_write.at_open", &off), 0);
	pool = pmemblk_create(path, BSIZE, 8192 + MIN_ARENA, 0600);
	assert_non_null(pool);
	pmemblk_close(pool);
	base.p = support_read_file(path, &base.len);
	pool = pmemblk_open(path, BSIZE);
	assert_non_null(pool);
	assert_int_equal(pmemblk_write(pool, block, 0), 0);
	pmemblk_close(pool);
	laid.p = support_read_file(path, &laid.len);
	for (unsigned is_damaged = 0; is_damaged < 2; is_damaged++) {
		enum grow_verdict verdict;
		struct image image;
		struct grow grow;
		struct stat st;

		store_file(path, &base);
		assert_int_equal(image_open(path, POOLSET_MEND, &image), 0);
		assert_int_equal(
		    examine_length(&image, 8192 + 2 * MIN_ARENA, &grow, &verdict), 0);
		assert_int_equal(verdict, GROW_POSSIBLE);
		assert_false(grow.is_laid_out);
		if (is_damaged)
			memset(laid.p + ARENA, 0xff, 4096);
		put_data_area(&laid);
		assert_int_equal(grow_lengthen(&grow), -EIO);
		assert_non_null(
		    strstr(errormsg_get(), is_damaged ? "the info block is damaged"
						      : "is laid out all of a sudden"));
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, 8192 + MIN_ARENA);
		examine_free(&grow);
		image_close(&image);
	}
	free(laid.p);
}

/* What a sync has not stored: a slot of the new flog. */
static void lose_slot(void)
{
	struct btt_geometry geo;
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || btt_geometry_arena(2 * MIN_ARENA, BSIZE, &geo) != 0 ||
	    pwrite(fd, (char[64]){"lost"}, 64, (off_t)(ARENA + geo.flog_arena_off)) != 64)
		abort();
	close(fd);
}

/* The backup's sums of the new metadata are those of what did not arrive. */
static void a_grow_whose_stores_do_not_arrive_is_taken_back(void **state)
{
	unsigned nsync;

	(void)state;
	make_base(8192 + MIN_ARENA, 8192 + 2 * MIN_ARENA);
	lose = lose_slot;
	lose_at = 1000;
	RUN(cmd_grow, "-s", size, path);
	nsync = 1000 - lose_at;
	unlink(undo);
	store_file(path, &base);
	lose_at = nsync;
	assert_int_equal(tool_run(cmd_grow, "-s", size, path, NULL), 3);
	assert_int_equal(lose_at, 0);
	assert_non_null(strstr(tool_said, "the pool is as it was"));
	assert_true(is_file(path, &base));
	unlink(undo);
	RUN(cmd_grow, "-s", size, path);
}

/* Gives a changed backup the right checksum. */
static void seal(char *text, size_t room)
{
	char *end = strstr(text, "\nend ") + 1;
	unsigned long n = strtoul(end + 4, NULL, 10);
	uint64_t sum = backup_sum(BACKUP_SUM_START, text, (size_t)(end - text));

	snprintf(end, room - (size_t)(end - text), "end %lu %016llx\n", n,
		 (unsigned long long)sum);
}

/* A backup with a wrong length is refused, although each line is well formed. */
static void a_backup_cannot_cut_off_a_pool(void **state)
{
	const char *name = support_path(true, "text");
	struct pool_file grown;
	struct pool_file backup;
	char *text;
	char *line;

	(void)state;
	make_base(8192 + MIN_ARENA, 8192 + 2 * MIN_ARENA);
	RUN(cmd_grow, "-s", size, path);
	grown = load_file(path, &base);
	backup.p = support_read_file(undo, &backup.len);
	text = calloc(1, backup.len + 100);
	assert_non_null(text);
	memcpy(text, backup.p, backup.len);
	line = strstr(text, "\nlength 16785408 ");
	assert_non_null(line);
	for (unsigned i = 0; i < 3; i++) {
		static const char *const lengths[] = {"00000004", "16777216", "16781311"};

		memcpy(line + 8, lengths[i], 8);
		if (i == 0)
			memmove(line + 8, line + 15, strlen(line + 15) + 1);
		seal(text, backup.len + 100);
		support_write_file(name, text, strlen(text));
		assert_int_equal(tool_run(cmd_grow, "-u", name, path, NULL), 3);
		assert_non_null(strstr(tool_said, "the pool would be cut off"));
		assert_true(is_file(path, &grown));
		memcpy(text, backup.p, backup.len);
	}
	/* the seal itself is right */
	seal(text, backup.len + 100);
	support_write_file(name, text, strlen(text));
	RUN(cmd_grow, "-u", name, path);
	assert_true(is_file(path, &base));
	free(text);
	free(grown.p);
	free(backup.p);
}

/*
 * An undo sums up all areas. If they could overlap, a short backup could keep it busy for days. Its
 * signals are held back meanwhile.
 */
static void a_backup_names_no_area_twice(void **state)
{
	const char *name = support_path(true, "text");
	struct pool_file grown;
	struct pool_file backup;
	size_t room;
	size_t len;
	char *text;
	char *area;

	(void)state;
	make_base(8192 + MIN_ARENA, 8192 + 2 * MIN_ARENA);
	RUN(cmd_grow, "-s", size, path);
	grown = load_file(path, &base);
	backup.p = support_read_file(undo, &backup.len);
	room = backup.len + 200;
	text = calloc(1, room);
	assert_non_null(text);
	memcpy(text, backup.p, backup.len);
	area = strstr(text, "\narea ") + 1;
	len = strcspn(area, "\n") + 1;
	memmove(area + len, area, strlen(area) + 1);
	seal(text, room);
	support_write_file(name, text, strlen(text));
	assert_int_equal(tool_run(cmd_grow, "-u", name, path, NULL), 3);
	assert_non_null(strstr(tool_said, "an area that no pool has"));
	assert_true(is_file(path, &grown));
	free(text);
	free(grown.p);
	free(backup.p);
}

static int free_all(void **state)
{
	(void)state;
	free(base.p);
	free(tool_said);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(far_from_the_old_end),
	    cmocka_unit_test(old_and_new_metadata_overlap),
	    cmocka_unit_test(a_file_of_odd_length),
	    cmocka_unit_test(a_pool_without_a_layout),
	    cmocka_unit_test(a_pool_that_gets_a_layout_meanwhile_keeps_its_length),
	    cmocka_unit_test(a_grow_whose_stores_do_not_arrive_is_taken_back),
	    cmocka_unit_test(a_backup_cannot_cut_off_a_pool),
	    cmocka_unit_test(a_backup_names_no_area_twice),
	};

	return cmocka_run_group_tests(tests, NULL, free_all);
}
