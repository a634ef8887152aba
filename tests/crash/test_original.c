/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The original library opens a sample of the images after a power loss, if Debian's package is
 * installed. It must find in each block what our recovery finds, and nothing wrong.
 */
#include "support.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "programs.h"
#include "sut_btt.h"

#define SAMPLE 150u /* images of each medium */

struct original {
	void *(*open)(const char *path, size_t bsize);
	void (*close)(void *pool);
	int (*check)(const char *path, size_t bsize);
	int (*read)(void *pool, void *buf, long long block);
	int (*write)(void *pool, const void *buf, long long block);
};

static _Noreturn void exit_child(int status)
{
	fflush(stdout);
	_exit(status);
}

static void *symbol(void *library, const char *name)
{
	void *p = dlsym(library, name);

	if (!p) {
		printf("%s: %s\n", name, dlerror());
		exit_child(1);
	}
	return p;
}

#define FOLDER "/usr/lib/x86_64-linux-gnu/"

/* Loads it with its own libpmem, also if LD_LIBRARY_PATH names another one. */
static bool load(struct original *o)
{
	void *library;

	if (!dlopen(FOLDER "libpmem.so.1", RTLD_NOW | RTLD_GLOBAL))
		return false;
	library = dlopen(FOLDER "libpmemblk.so.1", RTLD_NOW);
	if (!library)
		return false;
	*(void **)&o->open = symbol(library, "pmemblk_open");
	*(void **)&o->close = symbol(library, "pmemblk_close");
	*(void **)&o->check = symbol(library, "pmemblk_check");
	*(void **)&o->read = symbol(library, "pmemblk_read");
	*(void **)&o->write = symbol(library, "pmemblk_write");
	return true;
}

static void write_image(const char *path, const struct explorer *ex,
			const struct saved_image *image)
{
	int from = explore_base_file(ex, image->base);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	off_t end = (off_t)explore_size();
	char buf[4096];

	if (fd < 0 || ftruncate(fd, end))
		exit_child(1);
	for (off_t at = lseek(from, 0, SEEK_DATA); at >= 0 && at < end;
	     at = lseek(from, at + 4096, SEEK_DATA)) {
		at -= at % 4096;
		if (pread(from, buf, sizeof(buf), at) != sizeof(buf) ||
		    pwrite(fd, buf, sizeof(buf), at) != sizeof(buf))
			exit_child(1);
	}
	for (unsigned i = 0; i < image->nword; i++)
		if (pwrite(fd, &image->word[i][1], 8, (off_t)image->word[i][0]) != 8)
			exit_child(1);
	close(fd);
}

static unsigned char read_value(const struct original *o, void *pool, unsigned block)
{
	unsigned char buf[EXPLORE_BSIZE];

	if (o->read(pool, buf, (long long)explore_lba(block)) == 0)
		return explore_identify(buf);
	return errno == EIO ? VALUE_ERROR : VALUE_GARBAGE;
}

static bool agrees(const struct original *o, const char *path,
		   const struct saved_image *image)
{
	unsigned char buf[EXPLORE_BSIZE];
	bool ok = true;
	void *pool;

	if (o->check(path, EXPLORE_BSIZE) != 1)
		return false;
	pool = o->open(path, EXPLORE_BSIZE);
	if (!pool)
		return false;
	for (unsigned b = 0; b < NTRACKED; b++)
		if (read_value(o, pool, b) != image->value[b]) {
			printf("block %u: the original reads %u instead of %u\n", b,
			       read_value(o, pool, b), image->value[b]);
			ok = false;
		}
	explore_fill(buf, VALUE_EXTRA);
	ok = ok && o->write(pool, buf, (long long)explore_lba(1)) == 0 &&
	     read_value(o, pool, 1) == VALUE_EXTRA;
	o->close(pool);
	return ok && o->check(path, EXPLORE_BSIZE) == 1;
}

/* The exit status of a process in which the original is loaded. */
static int try_all(const struct explorer *ex, const char *path)
{
	const struct saved_image *image;
	size_t n = explore_saved(ex, &image), stride = n / SAMPLE + 1, tried = 0;
	struct original o;

	if (!load(&o)) {
		printf("%s\n", dlerror());
		return 1;
	}
	for (size_t i = 0; i < n; i += stride, tried++) {
		write_image(path, ex, &image[i]);
		if (!agrees(&o, path, &image[i])) {
			printf("image %zu of %zu: the original disagrees\n", i, n);
			return 1;
		}
	}
	printf("the original agrees on %zu images of %zu\n", tried, n);
	fflush(stdout);
	return tried < 50;
}

static void original_agrees(enum medium_kind kind)
{
	static const char *const programs[] = {
	    "w00 w01 w00",   "w00 z0 w01", "e0 w00 w20",  "w01 w21 w00 w31",
	    "w01 | w21 w01", "w00 | z0",   "w00+1+2 w10", "w00+1 w00+2",
	    "w00+1 | w20+0", "w00+1 z0+1"};
	struct explorer ex;
	int status;
	pid_t pid;

	explore_init(&ex, &sut_btt, kind);
	ex.fine = false;
	ex.nlane = 9;
	ex.run_limit = 500;
	ex.save_share = 1;
	ex.check_share = 16;
	for (unsigned base = BASE_FRESH; base <= BASE_EMPTY; base++)
		for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
			struct scenario s = {.program = programs[i], .base = base};

			if (base == BASE_EMPTY && i)
				break;
			ex.image_limit = base == BASE_EMPTY ? 4 : 256;
			ex.fence_limit = ex.image_limit;
			ex.bulk_share = base == BASE_EMPTY ? 64 : 1;
			assert_true(explore(&ex, &s));
		}
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		exit_child(try_all(&ex, support_path(true, "image")));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	explore_free(&ex);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void original_agrees_on_persistent_memory(void **state)
{
	(void)state;
	original_agrees(MEDIUM_PMEM);
}

static void original_agrees_on_files(void **state)
{
	(void)state;
	original_agrees(MEDIUM_FILE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(original_agrees_on_persistent_memory),
	    cmocka_unit_test(original_agrees_on_files),
	};

	if (access(FOLDER "libpmemblk.so.1", R_OK)) {
		printf("skip: Debian's libpmemblk1 is not installed\n");
		return 77;
	}
	support_tmpdir(true);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
