/* SPDX-License-Identifier: BSD-3-Clause */
/* Pools of several files: parts, folders, and sets that are refused. */
#include "set_fixture.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "image.h"

#define MIB ((uint64_t)1 << 20)

static int full_at; /* the file, from 1, for which there is no space; 0: none */

SUPPORT_INTERPOSE int posix_fallocate(int fd, off_t off, off_t len)
{
	static int (*real)(int, off_t, off_t);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "posix_fallocate");
	/* Like a file system that becomes full during the call. */
	if (full_at > 0 && --full_at == 0)
		return real(fd, off, len / 2) == 0 ? ENOSPC : EIO;
	return real(fd, off, len);
}

static void assert_open_refused(int err, const char *word)
{
	errno = 0;
	set_assert_refused(pmemblk_open(set_path("set"), 0), err, word);
	errno = 0;
	assert_int_equal(pmemblk_check(set_path("set"), 0), -1);
	assert_int_equal(errno, err);
}

static void fill_block(unsigned char *block, size_t bsize, uint64_t lba)
{
	uint64_t seed = lba;

	for (size_t i = 0; i < bsize; i++)
		block[i] = (unsigned char)support_random(&seed);
}

/* Writes all blocks, reopens the pool and reads them, so that every byte of the image is used. */
static void exercise(size_t bsize)
{
	unsigned char *want = malloc(bsize);
	unsigned char *got = malloc(bsize);
	PMEMblkpool *p = pmemblk_open(set_path("set"), bsize);
	size_t n;

	assert_non_null(want);
	assert_non_null(got);
	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	n = pmemblk_nblock(p);
	for (size_t i = 0; i < n; i++) {
		fill_block(want, bsize, i);
		assert_int_equal(pmemblk_write(p, want, (long long)i), 0);
	}
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(set_path("set"), bsize), 1);
	p = pmemblk_open(set_path("set"), 0);
	assert_non_null(p);
	for (size_t i = 0; i < n; i++) {
		fill_block(want, bsize, i);
		assert_int_equal(pmemblk_read(p, got, (long long)i), 0);
		assert_memory_equal(got, want, bsize);
	}
	pmemblk_close(p);
	free(want);
	free(got);
}

/* --- several parts -------------------------------------------------------------------------- */

static void blocks_straddle_parts(void **state)
{
	(void)state;
	pmemblk_close(set_create("2M @/a\n2101249 @/b\n2M @/c\n12M @/d\n", 4104));
	exercise(4104);
}

static void blocks_straddle_parts_with_one_header(void **state)
{
	(void)state;
	pmemblk_close(set_create("OPTION SINGLEHDR\n2M @/a\n14M @/b\n2M @/c\n", 520));
	exercise(520);
}

static void sizes_are_the_originals(void **state)
{
	static const struct {
		const char *text;
		size_t nblock;
	} sets[] = {
	    {"10M @/a\n4100K @/b\n8M @/c\n", 44371},
	    {"OPTION SINGLEHDR\n10M @/a\n4100K @/b\n8M @/c\n", 44387},
	    {"20M @/a\n20M @/b\n", 80949},
	    {"OPTION SINGLEHDR\n20M @/a\n20M @/b\n", 80957},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		PMEMblkpool *p = set_create(sets[i].text, 512);

		assert_int_equal(pmemblk_nblock(p), sets[i].nblock);
		pmemblk_close(p);
		unlink(set_path("a"));
		unlink(set_path("b"));
		unlink(set_path("c"));
	}
}

static void parts_exchanged_missing_or_resized_are_refused(void **state)
{
	(void)state;
	pmemblk_close(set_create("8M @/a\n8M @/b\n8M @/c\n", 512));
	set_write("8M @/a\n8M @/c\n8M @/b\n");
	assert_open_refused(EINVAL, "exchanged");
	set_write("8M @/b\n8M @/c\n8M @/a\n");
	assert_open_refused(EINVAL, "replicas");
	set_write("8M @/a\n8M @/b\n");
	assert_open_refused(EINVAL, "missing");
	set_write("8M @/a\n8M @/b\n9M @/c\n");
	assert_open_refused(EINVAL, "9437184");
	set_write("8M @/a\n8M @/b\n8M @/missing\n");
	assert_open_refused(ENOENT, "missing");
	set_write("8M @/a\n8M @/b\n8M @/c\n8M @/a\n");
	assert_open_refused(EAGAIN, "twice");
	set_write("OPTION SINGLEHDR\n8M @/a\n8M @/b\n8M @/c\n");
	assert_open_refused(EINVAL, "SINGLEHDR");
	set_write("8M @/a\n8M @/b\n8M @/c\n");
	assert_int_equal(truncate(set_path("c"), 8 * 1024 * 1024 - 4096), 0);
	assert_open_refused(EINVAL, "8384512");
	assert_int_equal(truncate(set_path("c"), 8 * 1024 * 1024), 0);
	exercise(512);
}

static void parts_may_move_but_not_stand_alone(void **state)
{
	(void)state;
	pmemblk_close(set_create("9M @/a\n9M @/b\n", 512));
	assert_int_equal(rename(set_path("b"), set_path("moved")), 0);
	set_write("9M @/a\n9M @/moved\n");
	exercise(512);
	errno = 0;
	set_assert_refused(pmemblk_open(set_path("a"), 0), EINVAL,
			   "one of several parts");
	pmemblk_close(set_create("18M @/single\n", 512));
	pmemblk_close(pmemblk_open(set_path("single"), 512));
}

static void parts_with_different_compat_features_are_refused(void **state)
{
	(void)state;
	pmemblk_close(set_create("9M @/a\n9M @/b\n", 512));
	image_put32(set_path("b"), IMAGE_COMPAT, 0x101);
	image_seal_header(set_path("b"), 0);
	assert_open_refused(EINVAL, "0x101");
	image_put32(set_path("a"), IMAGE_COMPAT, 0x101);
	image_seal_header(set_path("a"), 0);
	pmemblk_close(pmemblk_open(set_path("set"), 512));
	image_flip(set_path("b"), 4088);
	assert_open_refused(EINVAL, "/b is damaged");
}

static void any_part_that_is_locked_locks_the_set(void **state)
{
	PMEMblkpool *p;

	(void)state;
	p = set_create("9M @/a\n9M @/b\n", 512);
	assert_open_refused(EAGAIN, "locked");
	pmemblk_close(p);
	set_write("9M @/x\n9M @/b\n");
	p = pmemblk_create(set_path("single"), 512, PMEMBLK_MIN_POOL, 0644);
	assert_non_null(p);
	set_write("9M @/c\n16785408 @/single\n");
	errno = 0;
	set_assert_refused(pmemblk_create(set_path("set"), 512, 0, 0644), EAGAIN,
			   "single is locked");
	assert_false(set_part_exists("c"));
	pmemblk_close(p);
}

static void existing_parts_are_used_and_keep_their_mode(void **state)
{
	PMEMblkpool *p;
	struct stat st;

	(void)state;
	image_make_zero(set_path("b"), 9 * MIB);
	image_write(set_path("b"), 5 * MIB, "garbage", 7);
	assert_int_equal(chmod(set_path("b"), 0600), 0);
	p = set_create("9M @/a\n9M @/b\n", 512);
	pmemblk_close(p);
	assert_int_equal(stat(set_path("b"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(set_path("a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(image_get32(set_path("a"), IMAGE_IS_ZEROED), 0);
	exercise(512);
}

static void a_failed_create_leaves_existing_parts_as_they_were(void **state)
{
	uint64_t before;

	(void)state;
	image_make_zero(set_path("a"), 9 * MIB);
	image_make_zero(set_path("b"), 9 * MIB);
	image_flip(set_path("b"), 100);
	before = image_hash(set_path("a")) ^ image_hash(set_path("b"));
	set_assert_create_refused("9M @/new\n9M @/a\n9M @/b\n", EEXIST, "/b is in use");
	set_assert_create_refused("9M @/new\n9M @/a\n10M @/b\n", EINVAL, "10485760");
	set_write("9M @/a\n9M @/new\n");
	errno = 0;
	set_assert_refused(pmemblk_create(set_path("set"), 1 << 20, 0, 0644), EINVAL, "");
	assert_false(set_part_exists("new"));
	assert_int_equal(image_hash(set_path("a")) ^ image_hash(set_path("b")), before);
}

/* The limit is for offsets, also in a file that is longer already. */
static void a_file_size_limit_within_a_part_is_an_error_and_no_signal(void **state)
{
	uint64_t before[2];
	uint64_t old;

	(void)state;
	set_write("9M @/a\n9M @/b\n");
	for (int i = 0; i < 2; i++) {
		image_make_zero(set_path(i ? "b" : "a"), 9 * MIB);
		image_write(set_path(i ? "b" : "a"), 4096, "my data", 8);
		before[i] = image_hash(set_path(i ? "b" : "a"));
	}
	old = support_limit_file_size(1000);
	signal(SIGXFSZ, SIG_DFL);
	errno = 0;
	assert_null(pmemblk_create(set_path("set"), 512, 0, 0644));
	assert_int_equal(errno, EFBIG);
	support_limit_file_size(old);
	for (int i = 0; i < 2; i++)
		assert_int_equal(image_hash(set_path(i ? "b" : "a")), before[i]);
}

static void full_disk_at_any_part(void)
{
	struct stat st;
	blkcnt_t blocks;
	uint64_t before;

	image_make_zero(set_path("old"), 9 * MIB);
	assert_int_equal(stat(set_path("old"), &st), 0);
	blocks = st.st_blocks;
	before = image_hash(set_path("old"));
	for (int i = 1; i <= 3; i++) {
		full_at = i;
		/* The parts that are made come first. */
		set_assert_create_refused("9M @/a\n9M @/old\n9M @/b\n", ENOSPC,
					  i == 1   ? "/a"
					  : i == 2 ? "/b"
						   : "/old");
		assert_int_equal(full_at, 0);
		assert_false(set_part_exists("a"));
		assert_false(set_part_exists("b"));
		assert_true(image_hash(set_path("old")) == before);
		assert_int_equal(stat(set_path("old"), &st), 0);
		assert_int_equal(st.st_blocks, blocks);
	}
	pmemblk_close(set_create("9M @/a\n9M @/old\n9M @/b\n", 512));
}

static void a_full_disk_at_any_part_leaves_nothing_behind(void **state)
{
	(void)state;
	full_disk_at_any_part();
}

/* Then a part gets the descriptor 0. */
static void without_a_standard_input_sets_are_as_with_it(void **state)
{
	int input;

	(void)state;
	input = support_close_input();
	full_disk_at_any_part();
	assert_int_equal(fcntl(0, F_GETFD), -1);
	exercise(512);
	set_write("9M @/a\n9M @/a\n");
	assert_open_refused(EAGAIN, "listed twice");
	unlink(set_path("a"));
	set_assert_create_refused("9M @/a\n9M @/a\n", EAGAIN, "listed twice");
	assert_int_equal(fcntl(0, F_GETFD), -1);
	support_restore_input(input);
}

static void a_part_that_is_a_link_to_nothing_is_not_made(void **state)
{
	(void)state;
	assert_int_equal(symlink(set_path("nowhere"), set_path("link")), 0);
	set_assert_create_refused("9M @/a\n9M @/link\n", EEXIST, "cannot create ");
	assert_false(set_part_exists("a"));
	assert_false(set_part_exists("nowhere"));
}

static void unread_first_pages_of_a_set_with_one_header_may_hold_anything(void **state)
{
	(void)state;
	image_make_zero(set_path("b"), 9 * MIB);
	image_flip(set_path("b"), 0);
	pmemblk_close(set_create("OPTION SINGLEHDR\n9M @/a\n9M @/b\n", 512));
	exercise(512);
}

/* --- directories -------------------------------------------------------------------------- */

static void a_directory_gets_one_part_of_the_smallest_size(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(mkdir(set_path("d"), 0755), 0);
	assert_int_equal(mkdir(set_path("e"), 0755), 0);
	set_write("OPTION SINGLEHDR\n1G @/d\n1G @/e\n");
	assert_open_refused(ENOENT, "no part file");
	pmemblk_close(set_create("OPTION SINGLEHDR\n1G @/d\n1G @/e\n", 512));
	assert_int_equal(stat(set_path("d/000000.pmem"), &st), 0);
	assert_int_equal(st.st_size, 16785408);
	exercise(512);
}

static void part_files_in_directories_are_taken_in_order(void **state)
{
	PMEMblkpool *p;

	(void)state;
	assert_int_equal(mkdir(set_path("d"), 0755), 0);
	assert_int_equal(mkdir(set_path("e"), 0755), 0);
	image_make_zero(set_path("d/000001.pmem"), 20 * MIB);
	image_make_zero(set_path("e/000000.pmem"), 20 * MIB);
	image_make_zero(set_path("e/notes.txt"), 1);
	p = set_create("OPTION SINGLEHDR\n30M @/d\n30M @/e\n", 512);
	assert_int_equal(pmemblk_nblock(p), 80957);
	pmemblk_close(p);
	assert_int_equal(image_get32(set_path("e/000000.pmem"), 0), 0x4d454d50);
	assert_int_equal(image_get32(set_path("d/000001.pmem"), 0), 0);
	exercise(512);
}

static void inconsistent_directories_are_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdir(set_path("d"), 0755), 0);
	assert_int_equal(mkdir(set_path("e"), 0755), 0);
	set_assert_create_refused("20M @/d\n", EINVAL, "SINGLEHDR");
	set_assert_create_refused("OPTION SINGLEHDR\n20M @/d\n20M @/a\n", EINVAL,
				  "mixes");
	set_assert_create_refused("OPTION SINGLEHDR\n20M @/d\n20M @/e/../d\n", EEXIST,
				  "twice");
	set_assert_create_refused("OPTION SINGLEHDR\n8M @/d\n8M @/e\n", EINVAL,
				  "16777216");
	set_assert_create_refused("OPTION SINGLEHDR\nAUTO @/d\n", EINVAL, "AUTO");
	image_make_zero(set_path("f"), 20 * MIB);
	set_assert_create_refused("AUTO @/f\n", EINVAL, "f is a regular file");
	image_make_zero(set_path("d/000000.pmem"), 30 * MIB);
	set_assert_create_refused("OPTION SINGLEHDR\n20M @/d\n", EINVAL,
				  "reserves 20971520");
	image_make_zero(set_path("e/0.pmem"), 20 * MIB);
	set_assert_create_refused("OPTION SINGLEHDR\n40M @/d\n40M @/e\n", EINVAL,
				  "both claim");
}

/* Returns the number of blocks of a new pool. */
static size_t create_set(const char *text)
{
	PMEMblkpool *p = set_create(text, 512);
	size_t n = pmemblk_nblock(p);

	pmemblk_close(p);
	return n;
}

static void the_reservation_of_a_directory_is_compared_to_the_byte(void **state)
{
	(void)state;
	for (const char *name = "d\0e\0f\0g\0h\0"; *name; name += 2)
		assert_int_equal(mkdir(set_path(name), 0755), 0);
	image_make_zero(set_path("d/000000.pmem"), 20 * MIB);
	create_set("OPTION SINGLEHDR\n20M @/d\n");
	image_make_zero(set_path("e/000000.pmem"), 20 * MIB + 1);
	set_assert_create_refused("OPTION SINGLEHDR\n20M @/e\n", EINVAL,
				  "reserves 20971520");
	set_assert_create_refused("OPTION SINGLEHDR\n16785407 @/f\n", EINVAL,
				  "a pool needs at least");
	create_set("OPTION SINGLEHDR\n16785408 @/f\n");
	/* together 2^64 bytes */
	create_set("OPTION SINGLEHDR\n8192P @/g\n8192P @/h\n");
}

static void part_files_of_more_than_any_reservation_are_refused(void **state)
{
	static const off_t most = (off_t)(((uint64_t)1 << 63) - 4096);

	(void)state;
	assert_int_equal(mkdir(set_path("d"), 0755), 0);
	image_make_zero(set_path("d/0.pmem"), 4096);
	image_make_zero(set_path("d/1.pmem"), 4096);
	image_make_zero(set_path("d/2.pmem"), 20 * MIB);
	if (truncate(set_path("d/0.pmem"), most) != 0 ||
	    truncate(set_path("d/1.pmem"), most) != 0)
		skip(); /* not on this file system */
	set_assert_create_refused("OPTION SINGLEHDR\n1G @/d\n", EINVAL,
				  "have 18446744073709551615");
}

static void what_is_no_file_in_a_directory_is_no_part(void **state)
{
	size_t n;

	(void)state;
	assert_int_equal(mkdir(set_path("d"), 0755), 0);
	assert_int_equal(mkdir(set_path("e"), 0755), 0);
	image_make_zero(set_path("d/000000.pmem"), 20 * MIB);
	n = create_set("OPTION SINGLEHDR\n1G @/d\n");
	image_make_zero(set_path("e/000000.pmem"), 20 * MIB);
	assert_int_equal(mkdir(set_path("e/1.pmem"), 0755), 0);
	assert_int_equal(symlink("nothing", set_path("e/2.pmem")), 0);
	assert_int_equal(mkfifo(set_path("e/3.pmem"), 0600), 0);
	assert_int_equal(create_set("OPTION SINGLEHDR\n1G @/e\n"), n);
}

static void a_set_with_replicas_makes_no_part_in_a_directory(void **state)
{
	(void)state;
	assert_int_equal(mkdir(set_path("d"), 0755), 0);
	set_assert_create_refused("OPTION SINGLEHDR\n20M @/d\nREPLICA\n20M @/b\n",
				  EOPNOTSUPP, "replica");
	assert_int_equal(rmdir(set_path("d")), 0);
	assert_false(set_part_exists("b"));
}

static void a_number_is_the_same_with_zeros_before_it(void **state)
{
	(void)state;
	assert_int_equal(mkdir(set_path("d"), 0755), 0);
	assert_int_equal(mkdir(set_path("e"), 0755), 0);
	image_make_zero(set_path("d/10.pmem"), 20 * MIB);
	image_make_zero(set_path("e/010.pmem"), 20 * MIB);
	set_assert_create_refused("OPTION SINGLEHDR\n40M @/d\n40M @/e\n", EINVAL,
				  "both claim to be part 10");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SET_CASE(blocks_straddle_parts),
	    SET_CASE(blocks_straddle_parts_with_one_header),
	    SET_CASE(sizes_are_the_originals),
	    SET_CASE(parts_exchanged_missing_or_resized_are_refused),
	    SET_CASE(parts_may_move_but_not_stand_alone),
	    SET_CASE(parts_with_different_compat_features_are_refused),
	    SET_CASE(any_part_that_is_locked_locks_the_set),
	    SET_CASE(existing_parts_are_used_and_keep_their_mode),
	    SET_CASE(a_failed_create_leaves_existing_parts_as_they_were),
	    SET_CASE(a_file_size_limit_within_a_part_is_an_error_and_no_signal),
	    SET_CASE(a_full_disk_at_any_part_leaves_nothing_behind),
	    SET_CASE(without_a_standard_input_sets_are_as_with_it),
	    SET_CASE(a_part_that_is_a_link_to_nothing_is_not_made),
	    SET_CASE(unread_first_pages_of_a_set_with_one_header_may_hold_anything),
	    SET_CASE(a_directory_gets_one_part_of_the_smallest_size),
	    SET_CASE(part_files_in_directories_are_taken_in_order),
	    SET_CASE(inconsistent_directories_are_refused),
	    SET_CASE(the_reservation_of_a_directory_is_compared_to_the_byte),
	    SET_CASE(part_files_of_more_than_any_reservation_are_refused),
	    SET_CASE(what_is_no_file_in_a_directory_is_no_part),
	    SET_CASE(a_set_with_replicas_makes_no_part_in_a_directory),
	    SET_CASE(a_number_is_the_same_with_zeros_before_it),
	};

	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
