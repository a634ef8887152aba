/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bad blocks. An imitation of sysfs says that the disk with the test's files is persistent
 * memory, and which of its sectors are bad.
 */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libpmemblk.h>

#include "poolset/badblocks.h"
#include "errormsg.h"
#include "image.h"
#include "pmem_disk.h"
#include "poolset/files.h"

#define SIZE ((uint64_t)17 << 20)

static const char *path;
static long live; /* pieces of memory that were not freed */

static void *counted_malloc(size_t size)
{
	live++;
	return malloc(size);
}

static void counted_free(void *p)
{
	live--;
	free(p);
}

static void *counted_realloc(void *p, size_t size)
{
	live += !p;
	return realloc(p, size);
}

static char *counted_strdup(const char *s)
{
	live++;
	return strdup(s);
}

static int make_machine(void **state)
{
	(void)state;
	live = 0;
	path = support_path(false, "pool");
	unlink(path);
	pmemblk_close(pmemblk_create(path, 512, SIZE, 0644));
	sync();
	make_disk(path);
	return 0;
}

static int drop_machine(void **state)
{
	(void)state;
	drop_disk();
	return 0;
}

static void assert_bad(const char *word)
{
	errno = 0;
	assert_null(pmemblk_open(path, 0));
	assert_int_equal(errno, EIO);
	assert_non_null(strstr(errormsg_get(), path));
	if (!strstr(errormsg_get(), word))
		fail_msg("%s: no '%s'", errormsg_get(), word);
	errno = 0;
	assert_int_equal(pmemblk_check(path, 0), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(live, 0);
}

static void assert_good(void)
{
	PMEMblkpool *p = pmemblk_open(path, 0);

	if (!p)
		fail_msg("%s", errormsg_get());
	pmemblk_close(p);
	assert_int_equal(live, 0);
}

static bool can_tell(void)
{
	if (physical(path, 0) != 0)
		return true;
	print_message("skip: the file system of the test has no FIEMAP\n");
	return false;
}

static void bad_blocks_of_the_file_are_found_at_their_offset(void **state)
{
	(void)state;
	if (!can_tell())
		return;
	assert_good();
	run("echo '%llu 8' > %s/" DISK "/badblocks",
	    (unsigned long long)physical(path, 1 << 20) / 512, machine);
	assert_bad("4096 bytes, the first at offset 1048576");
	run("echo '%llu 1' >> %s/" DISK "/badblocks",
	    (unsigned long long)physical(path, 8192) / 512 + 1, machine);
	assert_bad("4608 bytes, the first at offset 8704");
	/* shorter than before, and without an end of line */
	run("printf '%llu 8' > %s/" DISK "/badblocks",
	    (unsigned long long)physical(path, 1 << 20) / 512, machine);
	assert_bad("4096 bytes, the first at offset 1048576");
	run(": > %s/" DISK "/badblocks", machine);
	assert_good();
}

static void bad_blocks_next_to_the_file_do_not_count(void **state)
{
	(void)state;
	if (!can_tell())
		return;
	run("echo '%llu 8' > %s/" DISK "/badblocks",
	    (unsigned long long)physical(path, 4096) / 512, machine);
	run("echo '%llu 8' >> %s/" DISK "/badblocks",
	    (unsigned long long)physical(path, 0) / 512 - 8, machine);
	assert_bad("4096 bytes, the first at offset 4096");
}

/* The kernel tells of a few at a time. */
static void files_of_many_extents_are_searched_to_the_end(void **state)
{
	enum { NEXTENT = 200 };
	struct poolset *set;
	char *other;

	(void)state;
	if (!can_tell())
		return;
	assert_true(asprintf(&other, "%s.other", path) > 0);
	image_make_zero(other, SIZE);
	for (uint64_t i = 0; i < NEXTENT; i++)
		image_flip(other, i * 16384 + 4096);
	sync();
	assert_int_equal(poolset_single(other, 0, &set), 0);
	assert_int_equal(poolset_files_open(set, POOLSET_WRITE), 0);
	assert_int_equal(badblocks_check_media(set), 0);
	for (uint64_t i = 0; i < NEXTENT; i += 7) {
		char text[64];
		uint64_t off = i * 16384 + 4096;

		run("echo '%llu 8' > %s/" DISK "/badblocks",
		    (unsigned long long)physical(other, off) / 512, machine);
		assert_int_equal(badblocks_check_media(set), -EIO);
		snprintf(text, sizeof(text), " 4096 bytes, the first at offset %llu",
			 (unsigned long long)off);
		if (!strstr(errormsg_get(), text))
			fail_msg("%s", errormsg_get());
	}
	poolset_files_close(set);
	poolset_free(set);
	unlink(other);
	free(other);
}

static void the_file_of_an_interrupted_repair_counts_for_the_sets_own_parts(void **state)
{
	struct poolset *set;
	char *of_part[2];

	(void)state;
	assert_int_equal(poolset_single(path, 0, &set), 0);
	for (int i = 0; i < 2; i++)
		assert_true(asprintf(&of_part[i], "%s_r0_p%d_badblocks.txt", path, i) >
			    0);
	support_write_file(of_part[1], "", 0);
	assert_int_equal(badblocks_check_recovery(set), 0);
	assert_int_equal(poolset_add_part(set, strdup(path), 0, 2), 0);
	assert_int_equal(badblocks_check_recovery(set), -EINVAL);
	assert_non_null(strstr(errormsg_get(), of_part[1]));
	unlink(of_part[1]);
	assert_int_equal(badblocks_check_recovery(set), 0);
	support_write_file(of_part[0], "", 0);
	assert_int_equal(badblocks_check_recovery(set), -EINVAL);
	unlink(of_part[0]);
	free(of_part[0]);
	free(of_part[1]);
	poolset_free(set);
}

static void without_a_standard_input_the_same_is_found(void **state)
{
	struct poolset *set;
	int input;

	(void)state;
	if (!can_tell())
		return;
	run("echo '%llu 8' > %s/" DISK "/badblocks",
	    (unsigned long long)physical(path, 4096) / 512, machine);
	assert_int_equal(poolset_single(path, 0, &set), 0);
	input = support_close_input();
	assert_int_equal(poolset_files_open(set, POOLSET_READ), 0);
	assert_int_equal(set->part[0].fd, 0);
	assert_int_equal(badblocks_check_media(set), -EIO);
	poolset_files_close(set);
	poolset_free(set);
	support_restore_input(input);
}

static void bad_blocks_elsewhere_do_not_matter(void **state)
{
	struct poolset *set;
	char *other;

	(void)state;
	if (!can_tell())
		return;
	assert_true(asprintf(&other, "%s.other", path) > 0);
	image_make_zero(other, SIZE);
	image_flip(other, 4096);
	sync();
	run("echo '%llu 8' > %s/" DISK "/badblocks",
	    (unsigned long long)physical(path, 4096) / 512, machine);
	assert_bad("offset 4096");
	assert_int_equal(poolset_single(other, 0, &set), 0);
	assert_int_equal(poolset_files_open(set, POOLSET_WRITE), 0);
	assert_int_equal(badblocks_check_media(set), 0);
	poolset_files_close(set);
	poolset_free(set);
	unlink(other);
	free(other);
}

static void pools_without_the_feature_are_not_examined(void **state)
{
	(void)state;
	if (!can_tell())
		return;
	run("echo '%llu 8' > %s/" DISK "/badblocks",
	    (unsigned long long)physical(path, 4096) / 512, machine);
	assert_bad("offset 4096");
	image_put32(path, IMAGE_COMPAT, 0);
	image_seal_header(path, 0);
	assert_good();
}

static void a_partition_has_its_disks_list(void **state)
{
	struct stat st;

	(void)state;
	if (!can_tell())
		return;
	assert_int_equal(stat(path, &st), 0);
	run("cd %s/dev/block && rm %u:%u && ln -s ../../" DISK "/pmem0p1 %u:%u", machine,
	    major(st.st_dev), minor(st.st_dev), major(st.st_dev), minor(st.st_dev));
	run("echo 2048 > %s/" DISK "/pmem0p1/start", machine);
	run("echo '%llu 8' > %s/" DISK "/badblocks",
	    (unsigned long long)physical(path, 4096) / 512 + 2048, machine);
	assert_bad("offset 4096");
	run("echo 200000 > %s/" DISK "/pmem0p1/start", machine);
	assert_good();
	/* a part of a disk that does not tell its place counts as the disk */
	run("rm %s/" DISK "/pmem0p1/start", machine);
	run("echo '%llu 8' > %s/" DISK "/badblocks",
	    (unsigned long long)physical(path, 4096) / 512, machine);
	assert_bad(" 4096 bytes, the first at offset 4096");
}

static void create_refuses_files_on_bad_blocks(void **state)
{
	static const char zeros[4096];

	(void)state;
	if (!can_tell())
		return;
	image_write(path, 0, zeros, sizeof(zeros));
	run("echo '%llu 8' > %s/" DISK "/badblocks",
	    (unsigned long long)physical(path, 8192) / 512, machine);
	errno = 0;
	assert_null(pmemblk_create(path, 512, 0, 0));
	assert_int_equal(errno, EIO);
	run("rm %s/" DISK "/badblocks", machine);
	pmemblk_close(pmemblk_create(path, 512, 0, 0));
	assert_good();
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, make_machine, drop_machine)
	const struct CMUnitTest tests[] = {
	    CASE(bad_blocks_of_the_file_are_found_at_their_offset),
	    CASE(bad_blocks_next_to_the_file_do_not_count),
	    CASE(files_of_many_extents_are_searched_to_the_end),
	    CASE(the_file_of_an_interrupted_repair_counts_for_the_sets_own_parts),
	    CASE(without_a_standard_input_the_same_is_found),
	    CASE(bad_blocks_elsewhere_do_not_matter),
	    CASE(pools_without_the_feature_are_not_examined),
	    CASE(a_partition_has_its_disks_list),
	    CASE(create_refuses_files_on_bad_blocks),
	};

	pmemblk_set_funcs(counted_malloc, counted_free, counted_realloc, counted_strdup);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
