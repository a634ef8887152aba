/* SPDX-License-Identifier: BSD-3-Clause */
/* Creating, opening and closing: files, modes, locks, descriptors, messages. */
#include <libpmemblk.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image.h"
#include "support.h"

#define MIB ((size_t)1 << 20)
#define SIZE ((size_t)17 * MIB)

static const char *path;

static int new_path(void **state)
{
	static unsigned n;
	char name[32];

	(void)state;
	snprintf(name, sizeof(name), "pool%u", n++);
	path = support_path(true, name);
	return 0;
}

static int remove_path(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static PMEMblkpool *create(size_t bsize, size_t size, mode_t mode)
{
	PMEMblkpool *p = pmemblk_create(path, bsize, size, mode);

	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	return p;
}

static PMEMblkpool *open_pool(void)
{
	PMEMblkpool *p = pmemblk_open(path, 0);

	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	return p;
}

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

/* --- files ------------------------------------------------------------------------------- */

static void the_file_is_as_long_as_asked_for_and_allocated(void **state)
{
	struct stat st;

	(void)state;
	pmemblk_close(create(512, SIZE + 123, 0644));
	assert_int_equal(stat(path, &st), 0);
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

		pmemblk_close(create(512, SIZE, modes[i]));
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, modes[i]);
		assert_int_equal(unlink(path), 0);
	}
	umask(old);
}

static void an_existing_file_keeps_mode_and_owner(void **state)
{
	struct stat st;

	(void)state;
	image_make_zero(path, SIZE);
	assert_int_equal(chmod(path, 0604), 0);
	pmemblk_close(create(512, 0, 0777));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0604);
	assert_int_equal(image_get32(path, IMAGE_IS_ZEROED), 0);
}

static void an_existing_file_is_allocated_unless_told_otherwise(void **state)
{
	struct stat st;
	int off = 0;
	int on = 1;

	(void)state;
	image_make_zero(path, SIZE);
	assert_int_equal(pmemblk_ctl_set(NULL, "fallocate.at_create", &off), 0);
	pmemblk_close(create(512, 0, 0));
	assert_int_equal(stat(path, &st), 0);
	assert_true((uint64_t)st.st_blocks * 512 < MIB);
	unlink(path);
	pmemblk_close(create(512, SIZE, 0600));
	assert_int_equal(stat(path, &st), 0);
	assert_true((uint64_t)st.st_blocks * 512 >= SIZE);
	unlink(path);
	assert_int_equal(pmemblk_ctl_set(NULL, "fallocate.at_create", &on), 0);
	image_make_zero(path, SIZE);
	pmemblk_close(create(512, 0, 0));
	assert_int_equal(stat(path, &st), 0);
	assert_true((uint64_t)st.st_blocks * 512 >= SIZE);
}

static void no_descriptor_stays_open(void **state)
{
	char block[512] = "x";
	unsigned before;
	PMEMblkpool *p;

	(void)state;
	support_tmpdir(true);
	before = count_descriptors();
	p = create(512, SIZE, 0644);
	assert_int_equal(count_descriptors(), before);
	assert_int_equal(pmemblk_write(p, block, 0), 0);
	assert_int_equal(count_descriptors(), before);
	assert_null(pmemblk_open(path, 0));
	assert_int_equal(pmemblk_check(path, 0), -1);
	assert_int_equal(count_descriptors(), before);
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(path, 0), 1);
	p = open_pool();
	assert_int_equal(count_descriptors(), before);
	pmemblk_close(p);
	assert_int_equal(count_descriptors(), before);
}

static void B19_whatever_an_existing_file_holds_its_blocks_are_zero(void **state)
{
	char block[512];
	char zero[512] = "";
	PMEMblkpool *p;
	size_t n;

	(void)state;
	image_make_zero(path, SIZE);
	for (size_t off = 4096; off < SIZE; off += 1000)
		image_write(path, off, "garbage", 7);
	p = create(512, 0, 0);
	n = pmemblk_nblock(p);
	for (size_t i = 0; i < n; i += 97) {
		assert_int_equal(pmemblk_read(p, block, (long long)i), 0);
		assert_memory_equal(block, zero, sizeof(block));
	}
	memset(block, 7, sizeof(block));
	assert_int_equal(pmemblk_write(p, block, 5), 0);
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(path, 512), 1);
	p = open_pool();
	for (size_t i = 0; i < n; i++) {
		char want = i == 5 ? 7 : 0;

		assert_int_equal(pmemblk_read(p, block, (long long)i), 0);
		assert_int_equal(block[0], want);
		assert_int_equal(block[511], want);
	}
	pmemblk_close(p);
}

static void a_file_that_was_another_pool_is_a_new_one_after_create(void **state)
{
	static const char zeros[4096];
	char block[512];
	PMEMblkpool *p = create(512, SIZE, 0644);

	(void)state;
	memset(block, 1, sizeof(block));
	for (int i = 0; i < 500; i++)
		assert_int_equal(pmemblk_write(p, block, i), 0);
	pmemblk_close(p);
	image_write(path, 0, zeros, sizeof(zeros));
	p = create(512, 0, 0);
	assert_int_equal(pmemblk_read(p, block, 3), 0);
	assert_int_equal(block[0], 0);
	memset(block, 2, sizeof(block));
	assert_int_equal(pmemblk_write(p, block, 3), 0);
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(path, 0), 1);
	p = open_pool();
	for (int i = 0; i < 500; i++) {
		assert_int_equal(pmemblk_read(p, block, i), 0);
		assert_int_equal(block[100], i == 3 ? 2 : 0);
	}
	pmemblk_close(p);
}

static void a_failed_create_changes_nothing_of_an_existing_file(void **state)
{
	uint64_t before;

	(void)state;
	image_make_zero(path, SIZE);
	image_write(path, 4096, "garbage in the descriptor", 25);
	before = image_hash(path);
	errno = 0;
	assert_null(pmemblk_create(path, 1 << 20, 0, 0));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(image_hash(path), before);
	pmemblk_close(create(512, 0, 0));
}

static void a_file_size_limit_is_an_error_not_a_signal(void **state)
{
	struct rlimit old;
	struct rlimit limit;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = old;
	limit.rlim_cur = SIZE - 1;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	errno = 0;
	assert_null(pmemblk_create(path, 512, SIZE, 0644));
	assert_int_equal(errno, EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_non_null(strstr(pmemblk_errormsg(), path));
}

static void names_may_hold_any_bytes(void **state)
{
	char *odd;

	(void)state;
	assert_true(asprintf(&odd, "%s \xc3\xa4\xf0\x9f\x92\xbe%%s%%n", path) > 0);
	path = odd;
	pmemblk_close(create(512, SIZE, 0644));
	assert_int_equal(pmemblk_check(path, 512), 1);
	assert_int_equal(pmemblk_check(path, 513), -1);
	assert_non_null(strstr(pmemblk_errormsg(), path));
	unlink(odd);
	free(odd);
	path = "";
}

static void a_symbolic_link_to_an_empty_file_is_followed(void **state)
{
	char *target;

	(void)state;
	assert_true(asprintf(&target, "%s.target", path) > 0);
	image_make_zero(target, SIZE);
	assert_int_equal(symlink(target, path), 0);
	pmemblk_close(create(512, 0, 0));
	assert_int_equal(pmemblk_check(target, 512), 1);
	unlink(target);
	free(target);
}

/* --- refusals ------------------------------------------------------------------------------ */

/* B2 */
static void B2_an_empty_file_is_an_error_not_a_crash(void **state)
{
	(void)state;
	image_make_zero(path, 0);
	errno = 0;
	assert_null(pmemblk_open(path, 0));
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(pmemblk_errormsg(), path));
	errno = 0;
	assert_int_equal(pmemblk_check(path, 0), -1);
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_null(pmemblk_create(path, 512, 0, 0));
	assert_int_equal(errno, EINVAL);
}

static void B14_check_with_another_block_size_is_an_error(void **state)
{
	(void)state;
	pmemblk_close(create(512, SIZE, 0644));
	errno = 0;
	assert_int_equal(pmemblk_check(path, 513), -1);
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(pmemblk_errormsg(), "512"));
	assert_non_null(strstr(pmemblk_errormsg(), "513"));
}

static void B15_messages_say_what_is_wrong_and_success_leaves_them(void **state)
{
	char *before;
	PMEMblkpool *p;

	(void)state;
	assert_null(pmemblk_create(path, 1 << 20, PMEMBLK_MIN_POOL, 0644));
	assert_non_null(strstr(pmemblk_errormsg(), "1048576"));
	assert_non_null(strstr(pmemblk_errormsg(), path));
	before = strdup(pmemblk_errormsg());
	p = create(512, SIZE, 0644);
	pmemblk_close(p);
	p = open_pool();
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(path, 0), 1);
	assert_string_equal(pmemblk_errormsg(), before);
	assert_null(pmemblk_open("/dev/null", 0));
	assert_non_null(strstr(pmemblk_errormsg(), "/dev/null"));
	free(before);
}

static void invalid_block_sizes_are_named(void **state)
{
	(void)state;
	assert_null(pmemblk_create(path, (size_t)1 << 32, SIZE, 0644));
	assert_non_null(strstr(pmemblk_errormsg(), "Invalid block size 4294967296"));
	assert_null(pmemblk_create(path, 0, SIZE, 0644));
	assert_non_null(strstr(pmemblk_errormsg(), "Invalid block size 0"));
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
	PMEMblkpool *p = create(512, SIZE, 0644);

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
	image_flip(path, IMAGE_DATA + INFO_MAPOFF);
	assert_int_equal(pmemblk_check(path, 0), 0);
	assert_non_null(strstr(pmemblk_errormsg(), path));
	assert_non_null(strstr(pmemblk_errormsg(), "arena 0"));
	p = open_pool();
	assert_data(p);
	assert_int_equal(pmemblk_write(p, block, 1000), 0);
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(path, 0), 1);
	p = open_pool();
	assert_data(p);
	pmemblk_close(p);
}

static void B22_without_a_copy_a_used_pool_is_refused_and_left_alone(void **state)
{
	uint64_t copy;
	uint64_t before;

	(void)state;
	pmemblk_close(create_with_data());
	copy = IMAGE_DATA + image_get64(path, IMAGE_DATA + INFO_INFOOFF);
	image_flip(path, IMAGE_DATA + INFO_MAPOFF);
	image_flip(path, copy + INFO_MAPOFF);
	before = image_hash(path);
	assert_int_equal(pmemblk_check(path, 0), 0);
	errno = 0;
	assert_null(pmemblk_open(path, 0));
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(pmemblk_errormsg(), path));
	assert_int_equal(image_hash(path), before);
}

/* The entry names a block behind the data, inside the pool: map and flog lie there. */
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
	nlba = image_get32(path, IMAGE_DATA + INFO_INTERNAL_NLBA);
	map = IMAGE_DATA + image_get64(path, IMAGE_DATA + INFO_MAPOFF);
	image_put32(path, map + 4 * 5, 0xc0000000 | (nlba + 20));
	assert_int_equal(pmemblk_check(path, 0), 0);
	p = open_pool();
	before = image_hash(path);
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
	assert_true(image_hash(path) == before);
	errno = 0;
	assert_int_equal(pmemblk_write(p, block, 5), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(image_get32(path, map + 4 * 5), 0xc0000000 | (nlba + 20));
	assert_int_equal(pmemblk_read(p, block, 6), 0);
	assert_int_equal(block[0], 6);
	assert_int_equal(pmemblk_write(p, old, 6), 0);
	pmemblk_close(p);
}

/* --- locks --------------------------------------------------------------------------------- */

static void an_open_pool_is_locked_until_it_is_closed(void **state)
{
	PMEMblkpool *p = create(512, SIZE, 0644);
	int fd;
	pid_t pid;
	int status;

	(void)state;
	for (int i = 0; i < 2; i++) {
		errno = 0;
		assert_null(pmemblk_open(path, 512));
		assert_int_equal(errno, EAGAIN);
		errno = 0;
		assert_int_equal(pmemblk_check(path, 512), -1);
		assert_int_equal(errno, EAGAIN);
		errno = 0;
		assert_null(pmemblk_create(path, 512, 0, 0));
		assert_int_equal(errno, EAGAIN);
		fd = open(path, O_RDWR);
		assert_true(fd >= 0);
		assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
		close(fd);
		pid = fork();
		if (pid == 0)
			_exit(!(pmemblk_open(path, 512) == NULL && errno == EAGAIN));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		pmemblk_close(p);
		p = open_pool();
	}
	pmemblk_close(p);
	fd = open(path, O_RDWR);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	errno = 0;
	assert_null(pmemblk_open(path, 512));
	assert_int_equal(errno, EAGAIN);
	close(fd);
	pmemblk_close(open_pool());
}

static void a_pool_in_the_making_is_locked_and_has_no_mode(void **state)
{
	/* A reader that polls for the file must never see it open to it but unfinished. */
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		for (;;) {
			struct stat st;
			PMEMblkpool *p;

			if (stat(path, &st) != 0 || (st.st_mode & 07777) == 0)
				continue;
			if ((st.st_mode & 07777) != 0640 || (size_t)st.st_size != SIZE)
				_exit(1);
			p = pmemblk_open(path, 512);
			_exit(!p && errno != EAGAIN);
		}
	}
	pmemblk_close(create(512, SIZE, 0640));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* --- settings ------------------------------------------------------------------------------ */

static size_t resident(PMEMblkpool *p)
{
	unsigned long from;
	unsigned long to;
	size_t n = 0;
	char *line = NULL;
	size_t room = 0;
	FILE *f = fopen("/proc/self/maps", "r");

	(void)p;
	assert_non_null(f);
	while (getline(&line, &room, f) > 0) {
		unsigned char *vec;
		size_t pages;

		if (!strstr(line, path) || sscanf(line, "%lx-%lx", &from, &to) != 2)
			continue;
		pages = (to - from) / 4096;
		vec = malloc(pages);
		assert_int_equal(mincore((void *)from, to - from, vec), 0);
		for (size_t i = 0; i < pages; i++)
			n += vec[i] & 1;
		free(vec);
	}
	free(line);
	fclose(f);
	return n;
}

static void prefault_makes_all_pages_resident(void **state)
{
	const char *shm_path = path;
	int on = 1;
	int off = 0;
	PMEMblkpool *p;
	int fd;

	(void)state;
	path = support_path(false, "prefault");
	p = create(512, SIZE, 0644);
	assert_true(resident(p) < SIZE / 4096);
	pmemblk_close(p);
	unlink(path);
	assert_int_equal(pmemblk_ctl_set(NULL, "prefault.at_create", &on), 0);
	p = create(512, SIZE, 0644);
	assert_int_equal(resident(p), SIZE / 4096);
	pmemblk_close(p);
	assert_int_equal(pmemblk_ctl_set(NULL, "prefault.at_create", &off), 0);

	fd = open(path, O_RDWR);
	assert_int_equal(fsync(fd), 0);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	assert_int_equal(pmemblk_ctl_set(NULL, "prefault.at_open", &on), 0);
	p = open_pool();
	assert_int_equal(resident(p), SIZE / 4096);
	pmemblk_close(p);
	assert_int_equal(pmemblk_ctl_set(NULL, "prefault.at_open", &off), 0);
	unlink(path);
	path = shm_path;
}

static void the_shutdown_state_can_be_left_out(void **state)
{
	int on = 1;
	int off = 0;

	(void)state;
	assert_int_equal(pmemblk_ctl_set(NULL, "sds.at_create", &off), 0);
	pmemblk_close(create(512, SIZE, 0644));
	assert_int_equal(pmemblk_ctl_set(NULL, "sds.at_create", &on), 0);
	assert_int_equal(image_get32(path, IMAGE_INCOMPAT), 2);
	assert_int_equal(image_get32(path, IMAGE_COMPAT), 1);
	pmemblk_close(open_pool());
	unlink(path);
	pmemblk_close(create(512, SIZE, 0644));
	assert_int_equal(image_get32(path, IMAGE_INCOMPAT), 6);
}

static void the_shutdown_state_is_marked_while_the_pool_is_open(void **state)
{
	PMEMblkpool *p = create(512, SIZE, 0644);

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(image_get32(path, IMAGE_SDS + 16), 1);
		assert_int_equal(image_get64(path, IMAGE_SDS + 56), 0x0000000c00000001);
		pmemblk_close(p);
		assert_int_equal(image_get32(path, IMAGE_SDS + 16), 0);
		assert_int_equal(image_get64(path, IMAGE_SDS + 56), 0);
		p = open_pool();
	}
	pmemblk_close(p);
}

static void a_header_checksum_that_covers_the_shutdown_state_stays_valid(void **state)
{
	PMEMblkpool *p;

	(void)state;
	pmemblk_close(create(512, SIZE, 0644));
	image_put32(path, IMAGE_INCOMPAT, 4);
	image_seal_header(path, 0);
	p = open_pool();
	assert_int_equal(image_get32(path, IMAGE_SDS + 16), 0);
	pmemblk_close(p);
	pmemblk_close(open_pool());
}

static void copy_on_write_changes_are_gone_after_close(void **state)
{
	char block[512] = "new";
	char got[512] = "";
	int on = 1;
	int off = 0;
	uint64_t before;
	PMEMblkpool *p = create(512, SIZE, 0644);

	(void)state;
	strcpy(got, "old");
	assert_int_equal(pmemblk_write(p, got, 0), 0);
	pmemblk_close(p);
	before = image_hash(path);
	assert_int_equal(pmemblk_ctl_set(NULL, "copy_on_write.at_open", &on), 0);
	p = open_pool();
	assert_int_equal(pmemblk_write(p, block, 0), 0);
	assert_int_equal(pmemblk_set_error(p, 1), 0);
	assert_int_equal(pmemblk_read(p, got, 0), 0);
	assert_string_equal(got, "new");
	assert_int_equal(image_hash(path), before);
	errno = 0;
	assert_null(pmemblk_open(path, 0));
	assert_int_equal(errno, EAGAIN);
	pmemblk_close(p);
	assert_int_equal(image_hash(path), before);
	assert_int_equal(pmemblk_ctl_set(NULL, "copy_on_write.at_open", &off), 0);
	p = open_pool();
	assert_int_equal(pmemblk_read(p, got, 0), 0);
	assert_memory_equal(got, "old", 4);
	assert_int_equal(pmemblk_read(p, got, 1), 0);
	pmemblk_close(p);
}

/* Also one that needs recovery: it happens in memory. */
static void a_read_only_pool_is_never_written(void **state)
{
	char block[512];
	uint64_t before;
	uint64_t map;
	PMEMblkpool *p = create(512, SIZE, 0644);

	(void)state;
	memset(block, 5, sizeof(block));
	assert_int_equal(pmemblk_write(p, block, 0), 0);
	pmemblk_close(p);
	/* Undo the map store of that write: the flog has it still. */
	map = IMAGE_DATA + image_get64(path, IMAGE_DATA + INFO_MAPOFF);
	image_put32(path, map, 0);
	image_put32(path, IMAGE_RO_COMPAT, 0x100);
	image_seal_header(path, 0);
	before = image_hash(path);
	p = open_pool();
	assert_int_equal(pmemblk_read(p, block, 0), 0);
	assert_int_equal(block[511], 5);
	errno = 0;
	assert_int_equal(pmemblk_write(p, block, 0), -1);
	assert_int_equal(errno, EROFS);
	assert_int_equal(image_hash(path), before);
	pmemblk_close(p);
	assert_int_equal(image_hash(path), before);
}

static void check_never_writes(void **state)
{
	char block[512] = "x";
	uint64_t before;
	PMEMblkpool *p = create(512, SIZE, 0644);

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(pmemblk_write(p, block, i), 0);
	pmemblk_close(p);
	image_flip(path, IMAGE_DATA + 20);
	image_put32(path, IMAGE_DATA + image_get64(path, IMAGE_DATA + INFO_MAPOFF), 0);
	before = image_hash(path);
	assert_int_equal(pmemblk_check(path, 0), 0);
	assert_int_equal(image_hash(path), before);
}

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
	assert_null(pmemblk_open(path, 0));
	assert_string_not_equal(pmemblk_errormsg(), "");
	assert_int_equal(pthread_create(&thread, NULL, message_of_a_new_thread, NULL), 0);
	assert_int_equal(pthread_join(thread, &is_empty), 0);
	assert_non_null(is_empty);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, new_path, remove_path)
	const struct CMUnitTest tests[] = {
	    CASE(the_file_is_as_long_as_asked_for_and_allocated),
	    CASE(the_mode_is_applied_as_given_without_the_umask),
	    CASE(an_existing_file_keeps_mode_and_owner),
	    CASE(an_existing_file_is_allocated_unless_told_otherwise),
	    CASE(no_descriptor_stays_open),
	    CASE(B19_whatever_an_existing_file_holds_its_blocks_are_zero),
	    CASE(a_file_that_was_another_pool_is_a_new_one_after_create),
	    CASE(a_failed_create_changes_nothing_of_an_existing_file),
	    CASE(a_file_size_limit_is_an_error_not_a_signal),
	    CASE(names_may_hold_any_bytes),
	    CASE(a_symbolic_link_to_an_empty_file_is_followed),
	    CASE(B2_an_empty_file_is_an_error_not_a_crash),
	    CASE(B14_check_with_another_block_size_is_an_error),
	    CASE(B15_messages_say_what_is_wrong_and_success_leaves_them),
	    CASE(invalid_block_sizes_are_named),
	    CASE(null_and_empty_paths_are_refused),
	    CASE(B22_a_damaged_info_block_is_recovered_from_its_copy),
	    CASE(B22_without_a_copy_a_used_pool_is_refused_and_left_alone),
	    CASE(B23_a_map_entry_beyond_the_data_is_not_followed),
	    CASE(an_open_pool_is_locked_until_it_is_closed),
	    CASE(a_pool_in_the_making_is_locked_and_has_no_mode),
	    CASE(prefault_makes_all_pages_resident),
	    CASE(the_shutdown_state_can_be_left_out),
	    CASE(the_shutdown_state_is_marked_while_the_pool_is_open),
	    CASE(a_header_checksum_that_covers_the_shutdown_state_stays_valid),
	    CASE(copy_on_write_changes_are_gone_after_close),
	    CASE(a_read_only_pool_is_never_written),
	    CASE(check_never_writes),
	    CASE(versions_are_compared),
	    CASE(messages_belong_to_threads),
	};

	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
