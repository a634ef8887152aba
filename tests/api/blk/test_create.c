/* SPDX-License-Identifier: BSD-3-Clause */
/* Creating a pool: the mode, the space and the old contents of its file. */
#include "pool_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "byteblock.h"
#include "image.h"

static void the_file_is_as_long_as_asked_for_and_allocated(void **state)
{
	struct stat st;

	(void)state;
	pmemblk_close(fixture_create(512, SIZE + 123, 0644));
	assert_int_equal(stat(fixture_path, &st), 0);
	assert_int_equal(st.st_size, SIZE + 123);
	assert_true((uint64_t)st.st_blocks * 512 >= SIZE);
}

static void the_mode_is_applied_as_given_without_the_umask(void **state)
{
	static const mode_t modes[] = {0644, 0777, 0, 0400, 07666};
	mode_t old = umask(077);

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct stat st;

		pmemblk_close(fixture_create(512, SIZE, modes[i]));
		assert_int_equal(stat(fixture_path, &st), 0);
		assert_int_equal(st.st_mode & 07777, modes[i]);
		assert_int_equal(unlink(fixture_path), 0);
	}
	umask(old);
}

static void an_existing_file_keeps_mode_and_owner(void **state)
{
	struct stat st;

	(void)state;
	image_make_zero(fixture_path, SIZE);
	assert_int_equal(chmod(fixture_path, 0604), 0);
	pmemblk_close(fixture_create(512, 0, 0777));
	assert_int_equal(stat(fixture_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0604);
	assert_int_equal(image_get32(fixture_path, IMAGE_IS_ZEROED), 0);
}

static void an_existing_file_is_allocated_unless_told_otherwise(void **state)
{
	struct stat st;
	int off = 0;
	int on = 1;

	(void)state;
	image_make_zero(fixture_path, SIZE);
	assert_int_equal(pmemblk_ctl_set(NULL, "fallocate.at_create", &off), 0);
	pmemblk_close(fixture_create(512, 0, 0));
	assert_int_equal(stat(fixture_path, &st), 0);
	assert_true((uint64_t)st.st_blocks * 512 < MIB);
	unlink(fixture_path);
	pmemblk_close(fixture_create(512, SIZE, 0600));
	assert_int_equal(stat(fixture_path, &st), 0);
	assert_true((uint64_t)st.st_blocks * 512 >= SIZE);
	unlink(fixture_path);
	assert_int_equal(pmemblk_ctl_set(NULL, "fallocate.at_create", &on), 0);
	image_make_zero(fixture_path, SIZE);
	pmemblk_close(fixture_create(512, 0, 0));
	assert_int_equal(stat(fixture_path, &st), 0);
	assert_true((uint64_t)st.st_blocks * 512 >= SIZE);
}

static void B19_whatever_an_existing_file_holds_its_blocks_are_zero(void **state)
{
	char block[512];
	char zero[512] = "";
	PMEMblkpool *p;
	size_t n;

	(void)state;
	image_make_zero(fixture_path, SIZE);
	for (size_t off = 4096; off < SIZE; off += 1000)
		image_write(fixture_path, off, "garbage", 7);
	p = fixture_create(512, 0, 0);
	n = pmemblk_nblock(p);
	for (size_t i = 0; i < n; i += 97) {
		assert_int_equal(pmemblk_read(p, block, (long long)i), 0);
		assert_memory_equal(block, zero, sizeof(block));
	}
	memset(block, 7, sizeof(block));
	assert_int_equal(pmemblk_write(p, block, 5), 0);
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(fixture_path, 512), 1);
	p = fixture_open();
	for (size_t i = 0; i < n; i++) {
		char want = i == 5 ? 7 : 0;

		assert_int_equal(pmemblk_read(p, block, (long long)i), 0);
		assert_int_equal(block[0], want);
		assert_int_equal(block[511], want);
	}
	pmemblk_close(p);
}

/* ... also if the first process that opened the pool wrote nothing. */
static void whatever_a_file_held_the_next_open_finds_its_blocks_zero(void **state)
{
	PMEMblkpool *p;
	size_t n;

	(void)state;
	image_make_zero(fixture_path, SIZE);
	for (size_t off = 4096; off < SIZE; off += 1000)
		image_write(fixture_path, off, "garbage", 7);
	pmemblk_close(fixture_create(512, 0, 0));
	assert_int_equal(image_get32(fixture_path, IMAGE_IS_ZEROED), 0);
	assert_int_equal(pmemblk_check(fixture_path, 512), 1);
	p = fixture_open();
	n = pmemblk_nblock(p);
	for (size_t i = 0; i < n; i += 97)
		assert_int_equal(byteblock_get(p, (long long)i), 0);
	assert_int_equal(byteblock_put(p, 5, 7), 0);
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(fixture_path, 512), 1);
	p = fixture_open();
	for (size_t i = 0; i < n; i++)
		assert_int_equal(byteblock_get(p, (long long)i), i == 5 ? 7 : 0);
	pmemblk_close(p);
}

/* Old info blocks are damaged, and there is something in place of the map. */
static void what_looks_like_info_blocks_in_a_file_is_no_obstacle(void **state)
{
	static const size_t place[] = {8192, SIZE - 4096};
	PMEMblkpool *p;

	(void)state;
	image_make_zero(fixture_path, SIZE);
	for (size_t off = 4096; off < SIZE; off += 1000)
		image_write(fixture_path, off, "garbage", 7);
	for (size_t i = 0; i < 2; i++)
		image_write(fixture_path, place[i], "BTT_ARENA_INFO\0", 16);
	pmemblk_close(fixture_create(512, 0, 0));
	assert_int_equal(pmemblk_check(fixture_path, 512), 1);
	p = fixture_open();
	assert_int_equal(byteblock_get(p, 5), 0);
	assert_int_equal(byteblock_put(p, 5, 7), 0);
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(fixture_path, 512), 1);
}

/* If the new pool lost its info blocks one day, the flog would be taken for its own. */
static void the_flog_of_another_pool_in_a_file_is_named(void **state)
{
	static const char zeros[4096];
	PMEMblkpool *p = fixture_create(512, SIZE, 0600);

	(void)state;
	assert_int_equal(byteblock_put(p, 5, 7), 0);
	pmemblk_close(p);
	image_write(fixture_path, 0, zeros, sizeof(zeros));
	image_write(fixture_path, 8192, zeros, sizeof(zeros));
	image_write(fixture_path, SIZE - 4096, zeros, sizeof(zeros));
	errno = 0;
	assert_null(pmemblk_create(fixture_path, 512, 0, 0600));
	assert_int_equal(errno, EINVAL);
	if (!strstr(pmemblk_errormsg(), "what another pool has left in the place of "
					"the flog"))
		fail_msg("%s", pmemblk_errormsg());
	/* a file of zeros */
	assert_int_equal(truncate(fixture_path, 0), 0);
	assert_int_equal(truncate(fixture_path, SIZE), 0);
	pmemblk_close(fixture_create(512, 0, 0));
}

/* A flag is enough for a layout. If that is lost, the pool is no new one. */
static void a_new_file_that_holds_only_a_flag_is_not_laid_out_anew(void **state)
{
	static const char zeros[4096];
	PMEMblkpool *p = fixture_create(512, SIZE, 0644);
	uint64_t copy;

	(void)state;
	assert_int_equal(image_get32(fixture_path, IMAGE_IS_ZEROED), 1);
	assert_int_equal(pmemblk_set_error(p, 5), 0);
	pmemblk_close(p);
	copy = image_get64(fixture_path, IMAGE_DATA + INFO_INFOOFF);
	image_write(fixture_path, IMAGE_DATA, zeros, sizeof(zeros));
	image_write(fixture_path, IMAGE_DATA + copy, zeros, sizeof(zeros));
	errno = 0;
	assert_null(pmemblk_open(fixture_path, 0));
	assert_int_equal(errno, EINVAL);
	assert_int_not_equal(pmemblk_check(fixture_path, 0), 1);
}

static void a_file_that_was_another_pool_is_a_new_one_after_create(void **state)
{
	static const char zeros[4096];
	char block[512];
	PMEMblkpool *p = fixture_create(512, SIZE, 0644);

	(void)state;
	memset(block, 1, sizeof(block));
	for (int i = 0; i < 500; i++)
		assert_int_equal(pmemblk_write(p, block, i), 0);
	pmemblk_close(p);
	image_write(fixture_path, 0, zeros, sizeof(zeros));
	p = fixture_create(512, 0, 0);
	assert_int_equal(pmemblk_read(p, block, 3), 0);
	assert_int_equal(block[0], 0);
	memset(block, 2, sizeof(block));
	assert_int_equal(pmemblk_write(p, block, 3), 0);
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(fixture_path, 0), 1);
	p = fixture_open();
	for (int i = 0; i < 500; i++) {
		assert_int_equal(pmemblk_read(p, block, i), 0);
		assert_int_equal(block[100], i == 3 ? 2 : 0);
	}
	pmemblk_close(p);
}

/* Then the first file of a call gets the descriptor 0. */
static void without_a_standard_input_everything_is_as_with_it(void **state)
{
	int input;
	uint64_t before;
	char block[512];
	PMEMblkpool *p;

	(void)state;
	input = support_close_input();
	image_make_zero(fixture_path, SIZE);
	image_write(fixture_path, 0, "in use", 6);
	before = image_hash(fixture_path);
	errno = 0;
	assert_null(pmemblk_create(fixture_path, 512, 0, 0));
	assert_int_equal(errno, EEXIST);
	assert_int_equal(image_hash(fixture_path), before);
	unlink(fixture_path);
	p = fixture_create(512, SIZE, 0600);
	memset(block, 1, sizeof(block));
	assert_int_equal(pmemblk_write(p, block, 1), 0);
	/* The other opens of the pool find it locked. */
	errno = 0;
	assert_null(pmemblk_open(fixture_path, 512));
	assert_int_equal(errno, EAGAIN);
	pmemblk_close(p);
	assert_int_equal(fcntl(0, F_GETFD), -1);
	assert_int_equal(pmemblk_check(fixture_path, 512), 1);
	assert_int_equal(fcntl(0, F_GETFD), -1);
	p = fixture_open();
	assert_int_equal(pmemblk_read(p, block, 1), 0);
	assert_int_equal(block[0], 1);
	pmemblk_close(p);
	support_restore_input(input);
}

static void a_failed_create_changes_nothing_of_an_existing_file(void **state)
{
	uint64_t before;

	(void)state;
	image_make_zero(fixture_path, SIZE);
	image_write(fixture_path, 4096, "garbage in the descriptor", 25);
	before = image_hash(fixture_path);
	errno = 0;
	assert_null(pmemblk_create(fixture_path, 1 << 20, 0, 0));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(image_hash(fixture_path), before);
	pmemblk_close(fixture_create(512, 0, 0));
}

static void a_file_size_limit_is_an_error_not_a_signal(void **state)
{
	uint64_t old;

	(void)state;
	old = support_limit_file_size(SIZE - 1);
	errno = 0;
	assert_null(pmemblk_create(fixture_path, 512, SIZE, 0644));
	assert_int_equal(errno, EFBIG);
	support_limit_file_size(old);
	assert_int_equal(access(fixture_path, F_OK), -1);
	assert_non_null(strstr(pmemblk_errormsg(), fixture_path));
}

static void names_may_hold_any_bytes(void **state)
{
	char *odd;

	(void)state;
	assert_true(asprintf(&odd, "%s \xc3\xa4\xf0\x9f\x92\xbe%%s%%n", fixture_path) >
		    0);
	fixture_path = odd;
	pmemblk_close(fixture_create(512, SIZE, 0644));
	assert_int_equal(pmemblk_check(fixture_path, 512), 1);
	assert_int_equal(pmemblk_check(fixture_path, 513), -1);
	assert_non_null(strstr(pmemblk_errormsg(), fixture_path));
	unlink(odd);
	free(odd);
	fixture_path = "";
}

static void a_symbolic_link_to_an_empty_file_is_followed(void **state)
{
	char *target;

	(void)state;
	assert_true(asprintf(&target, "%s.target", fixture_path) > 0);
	image_make_zero(target, SIZE);
	assert_int_equal(symlink(target, fixture_path), 0);
	pmemblk_close(fixture_create(512, 0, 0));
	assert_int_equal(pmemblk_check(target, 512), 1);
	unlink(target);
	free(target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    FIXTURE_CASE(the_file_is_as_long_as_asked_for_and_allocated),
	    FIXTURE_CASE(the_mode_is_applied_as_given_without_the_umask),
	    FIXTURE_CASE(an_existing_file_keeps_mode_and_owner),
	    FIXTURE_CASE(an_existing_file_is_allocated_unless_told_otherwise),
	    FIXTURE_CASE(B19_whatever_an_existing_file_holds_its_blocks_are_zero),
	    FIXTURE_CASE(what_looks_like_info_blocks_in_a_file_is_no_obstacle),
	    FIXTURE_CASE(the_flog_of_another_pool_in_a_file_is_named),
	    FIXTURE_CASE(whatever_a_file_held_the_next_open_finds_its_blocks_zero),
	    FIXTURE_CASE(a_new_file_that_holds_only_a_flag_is_not_laid_out_anew),
	    FIXTURE_CASE(a_file_that_was_another_pool_is_a_new_one_after_create),
	    FIXTURE_CASE(without_a_standard_input_everything_is_as_with_it),
	    FIXTURE_CASE(a_failed_create_changes_nothing_of_an_existing_file),
	    FIXTURE_CASE(a_file_size_limit_is_an_error_not_a_signal),
	    FIXTURE_CASE(names_may_hold_any_bytes),
	    FIXTURE_CASE(a_symbolic_link_to_an_empty_file_is_followed),
	};

	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
