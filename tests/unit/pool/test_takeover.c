/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a process that takes a pool over tells all others about the records of the table, see
 * enum btt_progress. On an ordinary file; the "disk" is a copy of it that is made at each successful
 * sync.
 */
#include "support.h"

#include <errno.h>
#include <libpmemblk.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "byteblock.h"
#include "image.h"
#include "pool/pool.h"

#define SIZE ((size_t)17 << 20)
#define PAGE 4096

static const char *path;
static unsigned char *disk;
static bool refused; /* the next sync has to report that pages could not be written */

SUPPORT_INTERPOSE int msync(void *addr, size_t len, int flags)
{
	int ret;

	if (refused) {
		refused = false;
		errno = EIO;
		return -1;
	}
	ret = (int)syscall(SYS_msync, addr, len, flags);
	if (ret == 0)
		image_read(path, 0, disk, SIZE);
	return ret;
}

static void drop_first_page_of_map(void)
{
	uint64_t off = IMAGE_DATA + image_get64(path, IMAGE_DATA + INFO_MAPOFF);

	image_write(path, off, disk + off, PAGE);
}

static void expect(bool is_so, int line)
{
	if (is_so)
		return;
	fprintf(stderr, "line %d: %s (%s)\n", line, pmemblk_errormsg(), strerror(errno));
	_exit(1);
}
#define EXPECT(cond) expect(cond, __LINE__)

static void assert_ends_well(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static PMEMblkpool *make_pool(size_t size)
{
	PMEMblkpool *p = pmemblk_create(path, 512, size, 0644);

	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	return p;
}

static enum btt_progress progress(PMEMblkpool *p)
{
	return (enum btt_progress)atomic_load(p->params.progress);
}

/* A child waits until all other processes have closed their ends of the pipe. */
static void await_end(const int fd[2])
{
	char c;

	alarm(30);
	close(fd[1]);
	EXPECT(read(fd[0], &c, 1) == 0);
}

/*
 * The owner has ended before its last map update was synchronised. Then a sync of the takeover fails,
 * and the kernel evicts the page.
 */
static void take_over_and_fail(PMEMblkpool *p, const int end_of_owner[2], int result)
{
	char byte;

	await_end(end_of_owner);
	do {
		refused = true;
		errno = 0;
		EXPECT(byteblock_put(p, 4, 3) == -1);
	} while (errno == EBUSY); /* it may still be ending */
	EXPECT(errno == EIO);
	drop_first_page_of_map();
	byte = (char)byteblock_get(p, 3);
	EXPECT(progress(p) == BTT_FAILED);
	EXPECT(write(result, &byte, 1) == 1);
	_exit(0);
}

static void after_a_takeover_that_failed_records_are_looked_at(void **state)
{
	int end_of_owner[2];
	int result[2];
	char byte = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(end_of_owner), 0);
	assert_int_equal(pipe(result), 0);
	pid = fork();
	if (pid == 0) {
		PMEMblkpool *p = make_pool(SIZE);

		for (int i = 0; i < 10; i++)
			EXPECT(byteblock_put(p, i, 1) == 0);
		EXPECT(byteblock_put(p, 3, 2) == 0);
		if (fork() == 0)
			take_over_and_fail(p, end_of_owner, result[1]);
		_exit(0);
	}
	close(end_of_owner[1]);
	close(result[1]);
	assert_ends_well(pid);
	assert_int_equal(read(result[0], &byte, 1), 1);
	assert_int_equal(byte, 2);
	close(end_of_owner[0]);
	close(result[0]);
}

/* A sync of the old owner has failed. The recovery of the new one has settled everything. */
static void after_a_takeover_the_records_are_no_business_of_readers(void **state)
{
	PMEMblkpool *p = make_pool(SIZE);
	int end_of_owner[2];
	int is_taken[2];
	pid_t taker;
	pid_t reader;

	(void)state;
	assert_int_equal(pipe(end_of_owner), 0);
	assert_int_equal(pipe(is_taken), 0);
	assert_int_equal(byteblock_put(p, 3, 1), 0);
	reader = fork();
	if (reader == 0) {
		close(end_of_owner[1]);
		await_end(is_taken);
		EXPECT(byteblock_get(p, 3) == 7);
		EXPECT(progress(p) == BTT_LAID_OUT);
		_exit(0);
	}
	taker = fork();
	if (taker == 0) {
		await_end(end_of_owner);
		EXPECT(progress(p) == BTT_FAILED);
		EXPECT(byteblock_put(p, 3, 7) == 0);
		EXPECT(progress(p) == BTT_LAID_OUT);
		close(is_taken[1]);
		pmemblk_close(p);
		_exit(0);
	}
	close(is_taken[0]);
	close(is_taken[1]);
	refused = true;
	assert_int_equal(byteblock_put(p, 4, 2), -1);
	assert_int_equal(progress(p), BTT_FAILED);
	pmemblk_close(p);
	close(end_of_owner[0]);
	close(end_of_owner[1]);
	assert_ends_well(taker);
	assert_ends_well(reader);
	assert_int_equal(pmemblk_check(path, 0), 1);
}

static void *no_memory(size_t size)
{
	(void)size;
	return NULL;
}

/* Whatever the file held, its blocks stay zero. */
static void a_takeover_that_fails_for_want_of_memory_changes_nothing(void **state)
{
	PMEMblkpool *p;
	int end_of_owner[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(end_of_owner), 0);
	image_make_zero(path, SIZE);
	for (size_t off = 4096; off < SIZE; off += 1000)
		image_write(path, off, "garbage", 7);
	p = make_pool(0);
	pid = fork();
	if (pid == 0) {
		await_end(end_of_owner);
		pmemblk_set_funcs(no_memory, free, realloc, strdup);
		errno = 0;
		EXPECT(byteblock_put(p, 3, 7) == -1 && errno == ENOMEM);
		EXPECT(progress(p) == BTT_UNTOUCHED);
		EXPECT(byteblock_get(p, 3) == 0);
		pmemblk_set_funcs(malloc, free, realloc, strdup);
		EXPECT(byteblock_put(p, 3, 7) == 0);
		EXPECT(progress(p) == BTT_LAID_OUT);
		EXPECT(byteblock_get(p, 3) == 7 && byteblock_get(p, 4) == 0);
		pmemblk_close(p);
		_exit(0);
	}
	pmemblk_close(p);
	close(end_of_owner[0]);
	close(end_of_owner[1]);
	assert_ends_well(pid);
	assert_int_equal(pmemblk_check(path, 0), 1);
}

static int remove_pool(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

#define CASE(f) cmocka_unit_test_teardown(f, remove_pool)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(after_a_takeover_that_failed_records_are_looked_at),
	    CASE(after_a_takeover_the_records_are_no_business_of_readers),
	    CASE(a_takeover_that_fails_for_want_of_memory_changes_nothing),
	};

	unsetenv("PMEM_IS_PMEM_FORCE");
	path = support_path(false, "pool");
	disk = malloc(SIZE);
	assert_non_null(disk);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
