/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening, checking and closing: refusals, damages, locks, messages. */
#include "pool_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "image.h"

/* --- descriptors ---------------------------------------------------------------------------- */

static unsigned count_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void no_descriptor_stays_open(void **state)
{
	char block[512] = "x";
	unsigned before;
	PMEMblkpool *p;

	(void)state;
	support_tmpdir(true);
	before = count_descriptors();
	p = fixture_create(512, SIZE, 0644);
	assert_int_equal(count_descriptors(), before);
	assert_int_equal(pmemblk_write(p, block, 0), 0);
	assert_int_equal(count_descriptors(), before);
	assert_null(pmemblk_open(fixture_path, 0));
	assert_int_equal(pmemblk_check(fixture_path, 0), -1);
	assert_int_equal(count_descriptors(), before);
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(fixture_path, 0), 1);
	p = fixture_open();
	assert_int_equal(count_descriptors(), before);
	pmemblk_close(p);
	assert_int_equal(count_descriptors(), before);
}

/* --- refusals ------------------------------------------------------------------------------ */

/* B2 */
static void B2_an_empty_file_is_an_error_not_a_crash(void **state)
{
	(void)state;
	image_make_zero(fixture_path, 0);
	errno = 0;
	assert_null(pmemblk_open(fixture_path, 0));
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(pmemblk_errormsg(), fixture_path));
	errno = 0;
	assert_int_equal(pmemblk_check(fixture_path, 0), -1);
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_null(pmemblk_create(fixture_path, 512, 0, 0));
	assert_int_equal(errno, EINVAL);
}

static void B14_check_with_another_block_size_is_an_error(void **state)
{
	(void)state;
	pmemblk_close(fixture_create(512, SIZE, 0644));
	errno = 0;
	assert_int_equal(pmemblk_check(fixture_path, 513), -1);
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(pmemblk_errormsg(), "512"));
	assert_non_null(strstr(pmemblk_errormsg(), "513"));
}

static void B15_messages_say_what_is_wrong_and_success_leaves_them(void **state)
{
	char *before;
	PMEMblkpool *p;

	(void)state;
	assert_null(pmemblk_create(fixture_path, 1 << 20, PMEMBLK_MIN_POOL, 0644));
	assert_non_null(strstr(pmemblk_errormsg(), "1048576"));
	assert_non_null(strstr(pmemblk_errormsg(), fixture_path));
	before = strdup(pmemblk_errormsg());
	p = fixture_create(512, SIZE, 0644);
	pmemblk_close(p);
	p = fixture_open();
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(fixture_path, 0), 1);
	assert_string_equal(pmemblk_errormsg(), before);
	assert_null(pmemblk_open("/dev/null", 0));
	assert_non_null(strstr(pmemblk_errormsg(), "/dev/null"));
	free(before);
}

static void invalid_block_sizes_are_named_and_nothing_else(void **state)
{
	(void)state;
	assert_null(pmemblk_create(fixture_path, (size_t)1 << 32, SIZE, 0644));
	assert_string_equal(pmemblk_errormsg(), "Invalid block size 4294967296");
	assert_null(pmemblk_create(fixture_path, 0, SIZE, 0644));
	assert_string_equal(pmemblk_errormsg(), "Invalid block size 0");
}

static void null_and_empty_paths_are_refused(void **state)
{
	(void)state;
	errno = 0;
	assert_null(pmemblk_create(NULL, 512, SIZE, 0644));
	assert_int_equal(errno, EFAULT);
	errno = 0;
	assert_null(pmemblk_open(NULL, 512));
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_int_equal(pmemblk_check(NULL, 512), -1);
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_null(pmemblk_create("", 512, SIZE, 0644));
	assert_int_equal(errno, ENOENT);
	errno = 0;
	assert_null(pmemblk_open("", 512));
	assert_int_equal(errno, ENOENT);
	pmemblk_close(NULL);
}

/* --- damages that the original takes for something else ------------------------------------- */

static PMEMblkpool *create_with_data(void)
{
	unsigned char block[512];
	PMEMblkpool *p = fixture_create(512, SIZE, 0644);

	for (int i = 0; i < 200; i++) {
		memset(block, i, sizeof(block));
		assert_int_equal(pmemblk_write(p, block, i), 0);
	}
	return p;
}

static void assert_data(PMEMblkpool *p)
{
	unsigned char block[512];

	for (int i = 0; i < 200; i++) {
		assert_int_equal(pmemblk_read(p, block, i), 0);
		assert_int_equal(block[0], i);
		assert_int_equal(block[511], i);
	}
}

static void B22_a_damaged_info_block_is_recovered_from_its_copy(void **state)
{
	unsigned char block[512] = "more";
	PMEMblkpool *p;

	(void)state;
	pmemblk_close(create_with_data());
	image_flip(fixture_path, IMAGE_DATA + INFO_MAPOFF);
	assert_int_equal(pmemblk_check(fixture_path, 0), 0);
	assert_non_null(strstr(pmemblk_errormsg(), fixture_path));
	assert_non_null(strstr(pmemblk_errormsg(), "arena 0"));
	p = fixture_open();
	assert_data(p);
	assert_int_equal(pmemblk_write(p, block, 1000), 0);
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(fixture_path, 0), 1);
	p = fixture_open();
	assert_data(p);
	pmemblk_close(p);
}

static void B22_without_a_copy_a_used_pool_is_refused_and_left_alone(void **state)
{
	uint64_t copy;
	uint64_t before;

	(void)state;
	pmemblk_close(create_with_data());
	copy = IMAGE_DATA + image_get64(fixture_path, IMAGE_DATA + INFO_INFOOFF);
	image_flip(fixture_path, IMAGE_DATA + INFO_MAPOFF);
	image_flip(fixture_path, copy + INFO_MAPOFF);
	before = image_hash(fixture_path);
	assert_int_equal(pmemblk_check(fixture_path, 0), 0);
	errno = 0;
	assert_null(pmemblk_open(fixture_path, 0));
	assert_int_equal(errno, EINVAL);
	/* The message names the file, and only once. */
	assert_non_null(strstr(pmemblk_errormsg(), fixture_path));
	assert_null(strstr(strstr(pmemblk_errormsg(), fixture_path) + 1, fixture_path));
	assert_int_equal(image_hash(fixture_path), before);
}

/* The entry names a block behind the data blocks, where the map and the flog are. */
static void B23_a_map_entry_beyond_the_data_is_not_followed(void **state)
{
	unsigned char block[512];
	unsigned char old[512];
	uint32_t nlba;
	uint64_t map;
	uint64_t before;
	PMEMblkpool *p;

	(void)state;
	pmemblk_close(create_with_data());
	nlba = image_get32(fixture_path, IMAGE_DATA + INFO_INTERNAL_NLBA);
	map = IMAGE_DATA + image_get64(fixture_path, IMAGE_DATA + INFO_MAPOFF);
	image_put32(fixture_path, map + 4 * 5, 0xc0000000 | (nlba + 20));
	assert_int_equal(pmemblk_check(fixture_path, 0), 0);
	p = fixture_open();
	before = image_hash(fixture_path);
	memset(block, 0x77, sizeof(block));
	memset(old, 0x77, sizeof(old));
	errno = 0;
	assert_int_equal(pmemblk_read(p, block, 5), -1);
	assert_int_equal(errno, EIO);
	assert_memory_equal(block, old, sizeof(block));
	errno = 0;
	assert_int_equal(pmemblk_set_zero(p, 5), -1);
	assert_int_equal(errno, EIO);
	errno = 0;
	assert_int_equal(pmemblk_set_error(p, 5), -1);
	assert_int_equal(errno, EIO);
	assert_true(image_hash(fixture_path) == before);
	errno = 0;
	assert_int_equal(pmemblk_write(p, block, 5), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(image_get32(fixture_path, map + 4 * 5),
			 0xc0000000 | (nlba + 20));
	assert_int_equal(pmemblk_read(p, block, 6), 0);
	assert_int_equal(block[0], 6);
	assert_int_equal(pmemblk_write(p, old, 6), 0);
	pmemblk_close(p);
}

/* --- locks --------------------------------------------------------------------------------- */

static void an_open_pool_is_locked_until_it_is_closed(void **state)
{
	PMEMblkpool *p = fixture_create(512, SIZE, 0644);
	int fd;
	pid_t pid;
	int status;

	(void)state;
	for (int i = 0; i < 2; i++) {
		errno = 0;
		assert_null(pmemblk_open(fixture_path, 512));
		assert_int_equal(errno, EAGAIN);
		errno = 0;
		assert_int_equal(pmemblk_check(fixture_path, 512), -1);
		assert_int_equal(errno, EAGAIN);
		errno = 0;
		assert_null(pmemblk_create(fixture_path, 512, 0, 0));
		assert_int_equal(errno, EAGAIN);
		fd = open(fixture_path, O_RDWR);
		assert_true(fd >= 0);
		assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
		close(fd);
		pid = fork();
		if (pid == 0)
			_exit(!(pmemblk_open(fixture_path, 512) == NULL &&
				errno == EAGAIN));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		pmemblk_close(p);
		p = fixture_open();
	}
	pmemblk_close(p);
	fd = open(fixture_path, O_RDWR);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	errno = 0;
	assert_null(pmemblk_open(fixture_path, 512));
	assert_int_equal(errno, EAGAIN);
	close(fd);
	pmemblk_close(fixture_open());
}

static void a_pool_in_the_making_is_locked_and_has_no_mode(void **state)
{
	/*
	 * A reader that polls for the file must never be able to open it before it is complete.
	 */
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		for (;;) {
			struct stat st;
			PMEMblkpool *p;

			if (stat(fixture_path, &st) != 0 || (st.st_mode & 07777) == 0)
				continue;
			if ((st.st_mode & 07777) != 0640 || (size_t)st.st_size != SIZE)
				_exit(1);
			p = pmemblk_open(fixture_path, 512);
			_exit(!p && errno != EAGAIN);
		}
	}
	pmemblk_close(fixture_create(512, SIZE, 0640));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* --- what is never written ------------------------------------------------------------------- */

/* This also holds for a pool that needs recovery, which happens in memory. */
static void a_read_only_pool_is_never_written(void **state)
{
	char block[512];
	uint64_t before;
	uint64_t map;
	PMEMblkpool *p = fixture_create(512, SIZE, 0644);

	(void)state;
	memset(block, 5, sizeof(block));
	assert_int_equal(pmemblk_write(p, block, 0), 0);
	pmemblk_close(p);
	/* Undo the map store of that write; its record is still in the flog. */
	map = IMAGE_DATA + image_get64(fixture_path, IMAGE_DATA + INFO_MAPOFF);
	image_put32(fixture_path, map, 0);
	image_put32(fixture_path, IMAGE_RO_COMPAT, 0x100);
	image_seal_header(fixture_path, 0);
	before = image_hash(fixture_path);
	p = fixture_open();
	assert_int_equal(pmemblk_read(p, block, 0), 0);
	assert_int_equal(block[511], 5);
	errno = 0;
	assert_int_equal(pmemblk_write(p, block, 0), -1);
	assert_int_equal(errno, EROFS);
	assert_int_equal(image_hash(fixture_path), before);
	pmemblk_close(p);
	assert_int_equal(image_hash(fixture_path), before);
}

static void check_never_writes(void **state)
{
	char block[512] = "x";
	uint64_t before;
	PMEMblkpool *p = fixture_create(512, SIZE, 0644);

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(pmemblk_write(p, block, i), 0);
	pmemblk_close(p);
	image_flip(fixture_path, IMAGE_DATA + 20);
	image_put32(fixture_path,
		    IMAGE_DATA + image_get64(fixture_path, IMAGE_DATA + INFO_MAPOFF), 0);
	before = image_hash(fixture_path);
	assert_int_equal(pmemblk_check(fixture_path, 0), 0);
	assert_int_equal(image_hash(fixture_path), before);
}

/* --- versions and messages ------------------------------------------------------------------ */

static void versions_are_compared(void **state)
{
	(void)state;
	assert_null(pmemblk_check_version(1, 0));
	assert_null(pmemblk_check_version(1, 1));
	assert_non_null(strstr(pmemblk_check_version(1, 2), "minor"));
	assert_non_null(strstr(pmemblk_check_version(2, 0), "major"));
	assert_non_null(strstr(pmemblk_check_version(0, 0), "libpmemblk"));
	assert_non_null(strstr(pmemblk_check_version(7, 0), "need 7, found 1"));
}

static void *message_of_a_new_thread(void *arg)
{
	(void)arg;
	return (void *)(uintptr_t)(pmemblk_errormsg()[0] == '\0');
}

static void messages_belong_to_threads(void **state)
{
	pthread_t thread;
	void *is_empty;

	(void)state;
	assert_null(pmemblk_open(fixture_path, 0));
	assert_string_not_equal(pmemblk_errormsg(), "");
	assert_int_equal(pthread_create(&thread, NULL, message_of_a_new_thread, NULL), 0);
	assert_int_equal(pthread_join(thread, &is_empty), 0);
	assert_non_null(is_empty);
}

/* --- errno ---------------------------------------------------------------------------------- */

#define MARK 4711

#define ASSERT_STAYS(success)                                                            \
	do {                                                                             \
		errno = MARK;                                                            \
		assert_true(success);                                                    \
		assert_int_equal(errno, MARK);                                           \
	} while (0)

static void use_with_errno_watched(const char *path, size_t poolsize)
{
	char block[512] = "x";
	int value;
	PMEMblkpool *p;

	ASSERT_STAYS((p = pmemblk_create(path, 512, poolsize, 0644)) != NULL);
	ASSERT_STAYS(pmemblk_nblock(p) > 0 && pmemblk_bsize(p) == 512);
	ASSERT_STAYS(pmemblk_read(p, block, 1) == 0); /* before there is a layout */
	ASSERT_STAYS(pmemblk_write(p, block, 1) == 0);
	ASSERT_STAYS((pmemblk_close(p), true));
	ASSERT_STAYS(pmemblk_check(path, 512) == 1);
	ASSERT_STAYS((p = pmemblk_open(path, 512)) != NULL);
	ASSERT_STAYS(pmemblk_write(p, block, 2) == 0);
	ASSERT_STAYS(pmemblk_read(p, block, 2) == 0);
	ASSERT_STAYS(pmemblk_set_zero(p, 1) == 0);
	ASSERT_STAYS(pmemblk_set_error(p, 2) == 0);
	ASSERT_STAYS(pmemblk_ctl_get(p, "prefault.at_open", &value) == 0);
	ASSERT_STAYS((pmemblk_close(p), true));
	ASSERT_STAYS((pmemblk_close(NULL), true));
}

static void success_leaves_errno_alone(void **state)
{
	const char *on_disk = support_path(false, "errno");
	int fd;

	(void)state;
	use_with_errno_watched(fixture_path, SIZE);
	use_with_errno_watched(on_disk, SIZE);
	assert_int_equal(unlink(on_disk), 0);
	/* A file that the user has made. */
	fd = open(on_disk, O_RDWR | O_CREAT, 0644);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	close(fd);
	use_with_errno_watched(on_disk, 0);
	assert_int_equal(unlink(on_disk), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    FIXTURE_CASE(no_descriptor_stays_open),
	    FIXTURE_CASE(B2_an_empty_file_is_an_error_not_a_crash),
	    FIXTURE_CASE(B14_check_with_another_block_size_is_an_error),
	    FIXTURE_CASE(B15_messages_say_what_is_wrong_and_success_leaves_them),
	    FIXTURE_CASE(invalid_block_sizes_are_named_and_nothing_else),
	    FIXTURE_CASE(null_and_empty_paths_are_refused),
	    FIXTURE_CASE(B22_a_damaged_info_block_is_recovered_from_its_copy),
	    FIXTURE_CASE(B22_without_a_copy_a_used_pool_is_refused_and_left_alone),
	    FIXTURE_CASE(B23_a_map_entry_beyond_the_data_is_not_followed),
	    FIXTURE_CASE(an_open_pool_is_locked_until_it_is_closed),
	    FIXTURE_CASE(a_pool_in_the_making_is_locked_and_has_no_mode),
	    FIXTURE_CASE(a_read_only_pool_is_never_written),
	    FIXTURE_CASE(check_never_writes),
	    FIXTURE_CASE(versions_are_compared),
	    FIXTURE_CASE(messages_belong_to_threads),
	    FIXTURE_CASE(success_leaves_errno_alone),
	};

	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
