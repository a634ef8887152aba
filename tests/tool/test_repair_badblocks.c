/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools on bad blocks, on a sysfs of the test's own: the tool has the library's opinion, which
 * looks for them where the header says so and nowhere else.
 */
#include "support.h"

#include <libpmemblk.h>

#include "damages.h"
#include "pmem_disk.h"
#include "pool_file.h"
#include "run_tool.h"

#define BSIZE 4096u

static struct pool_file base;
static const char *path;

static int make_machine(void **state)
{
	char block[BSIZE] = "x";
	PMEMblkpool *pool;

	(void)state;
	path = support_path(false, "pool");
	unlink(path);
	pool = pmemblk_create(path, BSIZE, PMEMBLK_MIN_POOL, 0600);
	if (!pool || pmemblk_write(pool, block, 3) != 0)
		return -1;
	pmemblk_close(pool);
	sync();
	base.p = support_read_file(path, &base.len);
	make_disk(path);
	return btt_geometry_arena(base.len - ARENA, BSIZE, &base.geo);
}

static int drop_machine(void **state)
{
	(void)state;
	drop_disk();
	free(base.p);
	free(tool_said);
	tool_said = NULL;
	return 0;
}

/* Lays out a pool whose header has the feature or not, and a bad block under its data. */
static bool lay_out(bool feature, struct pool_file *f)
{
	uint64_t sector;

	*f = clone_file(&base);
	put32(f, offsetof(struct pool_header, compat), feature);
	mend_header(f);
	store_file(path, f);
	sync();
	sector = physical(path, 1 << 20) / 512;
	if (sector == 0) {
		print_message("skip: the file system of the test has no FIEMAP\n");
		free(f->p);
		return false;
	}
	run("echo '%llu 8' > %s/" DISK "/badblocks", (unsigned long long)sector, machine);
	return true;
}

static void assert_refused(const struct pool_file *f)
{
	store_file(path, f);
	assert_int_equal(tool_run(cmd_check, path, NULL), 3);
	assert_non_null(strstr(tool_said, "bad blocks"));
	assert_int_equal(tool_run(cmd_repair, "-n", path, NULL), 3);
	assert_non_null(strstr(tool_said, "bad blocks"));
	assert_int_equal(tool_run(cmd_repair, path, NULL), 3);
	assert_true(is_file(path, f));
}

static void with_the_feature_check_and_repair_refuse_the_pool(void **state)
{
	struct pool_file f;

	(void)state;
	if (!lay_out(true, &f))
		return;
	assert_int_equal(pmemblk_check(path, 0), -1);
	assert_refused(&f);
	assert_int_equal(tool_run(cmd_info, path, NULL), 0);
	put32(&f, map_off(&f, 3), 0xffffffff);
	assert_refused(&f);
	/* The header that a repair would make has the feature. */
	f.p[offsetof(struct pool_header, uuid)] ^= 1;
	assert_refused(&f);
	assert_int_equal(tool_run(cmd_info, path, NULL), 1);
	free(f.p);
}

static void without_the_feature_nobody_looks(void **state)
{
	const char *undo = support_path(false, "pool.undo");
	struct pool_file f;

	(void)state;
	if (!lay_out(false, &f))
		return;
	assert_int_equal(pmemblk_check(path, 0), 1);
	assert_int_equal(tool_run(cmd_check, path, NULL), 0);
	assert_int_equal(tool_run(cmd_info, path, NULL), 0);
	assert_int_equal(tool_run(cmd_repair, "-n", path, NULL), 0);
	assert_int_equal(tool_run(cmd_repair, path, NULL), 0);
	put32(&f, map_off(&f, 3), 0xffffffff);
	store_file(path, &f);
	assert_int_equal(pmemblk_check(path, 0), 0);
	assert_int_equal(tool_run(cmd_check, path, NULL), 1);
	assert_int_equal(tool_run(cmd_repair, "-n", path, NULL), 1);
	assert_int_equal(tool_run(cmd_repair, path, NULL), 0);
	assert_int_equal(pmemblk_check(path, 0), 1);
	assert_int_equal(tool_run(cmd_repair, "-u", undo, path, NULL), 0);
	assert_true(is_file(path, &f));
	free(f.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		with_the_feature_check_and_repair_refuse_the_pool, make_machine,
		drop_machine),
	    cmocka_unit_test_setup_teardown(without_the_feature_nobody_looks,
					    make_machine, drop_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
