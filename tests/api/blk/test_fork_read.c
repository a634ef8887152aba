/* SPDX-License-Identifier: BSD-3-Clause */
/* What a process that does not own a pool reads in it, and what that costs. */
#include "fork_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

static void *keep_writing(void *arg)
{
	PMEMblkpool *p = arg;

	for (int i = 0; i < (on_pmem ? 200000 : 1000); i++)
		if (byteblock_put(p, i % 64, i & 0xff) != 0)
			return p;
	return NULL;
}

/* Reading workers of a process whose threads write all the time, forked at any moment. */
static void workers_read_while_the_owner_writes(void **state)
{
	enum { WORKERS = 20 };
	PMEMblkpool *p = create();
	pthread_t thread[2];
	pid_t pid[WORKERS];

	(void)state;
	/* A sanitizer's allocator does not survive a fork while a thread is in it, as malloc does. */
	if (SUPPORT_SANITIZED)
		assert_int_equal(byteblock_put(p, 0, 0), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, keep_writing, p), 0);
	for (int w = 0; w < WORKERS; w++) {
		pid[w] = fork();
		if (pid[w] == 0) {
			alarm(60);
			for (int i = 0; i < 5000; i++)
				EXPECT(byteblock_get(p, i % 64) >= 0);
			_exit(0);
		}
	}
	for (int w = 0; w < WORKERS; w++)
		assert_ends_well(pid[w]);
	for (int i = 0; i < 2; i++) {
		void *failed;

		assert_int_equal(pthread_join(thread[i], &failed), 0);
		assert_null(failed);
	}
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(path, 0), 1);
}

static void a_worker_sees_what_the_owner_writes_first(void **state)
{
	PMEMblkpool *p = create(); /* not laid out yet */
	struct turns t;
	pid_t pid;

	(void)state;
	start_turns(&t);
	pid = fork();
	if (pid == 0) {
		EXPECT(byteblock_get(p, 0) == 0);
		hand_over(t.to_parent[1]);
		EXPECT(await(t.to_child[0]));
		EXPECT(byteblock_get(p, 0) == 7);
		_exit(0);
	}
	assert_true(await(t.to_parent[0]));
	assert_int_equal(byteblock_put(p, 0, 7), 0);
	hand_over(t.to_child[1]);
	assert_ends_well(pid);
	pmemblk_close(p);
}

/* --- before the first layout -------------------------------------------------------------- */

static long nalloc;
static long nfree;

static void *counting_malloc(size_t size)
{
	nalloc++;
	return malloc(size);
}

static void counting_free(void *ptr)
{
	nfree += ptr != NULL;
	free(ptr);
}

/* Reads that many blocks; how much memory is in use that was not before. */
static long read_blocks(PMEMblkpool *p, int n, int byte)
{
	long before = nalloc - nfree;

	for (int i = 0; i < n; i++)
		EXPECT(byteblock_get(p, i % 64) == byte);
	return nalloc - nfree - before;
}

/*
 * In a user's file, where a layout would stand there may be anything. A reader opens no table
 * for that, neither once nor again and again.
 */
static void reads_in_a_child_cost_no_memory_whatever_the_file_held(void **state)
{
	unsigned char *old = malloc(SIZE);
	PMEMblkpool *p;
	struct turns t;
	pid_t pid;

	(void)state;
	memset(old, 0xaa, SIZE);
	memset(old, 0, 4096);
	support_write_file(path, old, SIZE);
	free(old);
	p = pmemblk_create(path, 512, 0, 0644);
	assert_non_null(p);
	start_turns(&t);
	pid = fork();
	if (pid == 0) {
		pmemblk_set_funcs(counting_malloc, counting_free, realloc, strdup);
		EXPECT(read_blocks(p, 500, 0) == 0);
		EXPECT(nalloc == 0);
		hand_over(t.to_parent[1]);
		EXPECT(await(t.to_child[0]));
		/* Once there is a layout, one table is opened for it. */
		EXPECT(byteblock_get(p, 63) == 9);
		EXPECT(read_blocks(p, 500, 9) == 0);
		EXPECT(nalloc < 100 + 501);
		_exit(0);
	}
	assert_true(await(t.to_parent[0]));
	for (int i = 0; i < 64; i++)
		assert_int_equal(byteblock_put(p, i, 9), 0);
	hand_over(t.to_child[1]);
	assert_ends_well(pid);
	pmemblk_close(p);
}

/* --- very large pools --------------------------------------------------------------------- */

static void assert_sparse(void)
{
	struct stat st;

	EXPECT(stat(path, &st) == 0);
	EXPECT((uint64_t)st.st_blocks * 512 < (uint64_t)64 << 20);
}

/*
 * Nothing of a new pool needs to be looked at, whoever writes first; on /dev/shm each page that
 * was looked at would be there afterwards. The time limit is for the disk.
 */
static void a_daemon_writes_to_a_sparse_terabyte_at_once(void **state)
{
	const size_t terabyte = (size_t)1 << 40;
	struct turns t;
	pid_t pid;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* its run time does not always leave a terabyte in one piece */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	start_turns(&t);
	pid = fork();
	if (pid == 0) {
		int no = 0;
		PMEMblkpool *p;
		long long last;

		EXPECT(pmemblk_ctl_set(NULL, "fallocate.at_create", &no) == 0);
		close(open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0644));
		EXPECT(truncate(path, (off_t)terabyte) == 0);
		p = pmemblk_create(path, 512, 0, 0644);
		EXPECT(p != NULL);
		last = (long long)pmemblk_nblock(p) - 1;
		if (fork() != 0)
			_exit(0);
		alarm(20);
		EXPECT(byteblock_get(p, last) == 0);
		for (;;) {
			if (byteblock_put(p, last, 5) == 0)
				break;
			EXPECT(errno == EBUSY);
		}
		EXPECT(byteblock_put(p, 0, 6) == 0);
		EXPECT(byteblock_get(p, last) == 5);
		EXPECT(byteblock_get(p, last - 1) == 0);
		assert_sparse();
		/* Its own child's view is made from the layout alone, too. */
		pid = fork();
		if (pid == 0) {
			EXPECT(byteblock_get(p, last) == 5);
			EXPECT(byteblock_get(p, 1) == 0);
			assert_sparse();
			_exit(0);
		}
		expect_ends_well(pid);
		pmemblk_close(p);
		_exit(0);
	}
	assert_ends_well(pid);
	assert_orphan_ends_well();
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(workers_read_while_the_owner_writes, new_path),
	    cmocka_unit_test_setup(a_worker_sees_what_the_owner_writes_first, new_path),
	    cmocka_unit_test_setup(reads_in_a_child_cost_no_memory_whatever_the_file_held,
				   new_path),
	    cmocka_unit_test_setup(a_daemon_writes_to_a_sparse_terabyte_at_once,
				   new_path),
	};

	return run_on_both("fork_read", tests, sizeof(tests) / sizeof(tests[0]));
}
