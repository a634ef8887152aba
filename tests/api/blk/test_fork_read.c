/* SPDX-License-Identifier: BSD-3-Clause */
/* What a process reads in a pool that it does not own, and what this costs. */
#include "fork_fixture.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <libpmem.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static void *keep_writing(void *arg)
{
	PMEMblkpool *p = arg;

	for (int i = 0; i < (on_pmem ? 200000 : 1000); i++)
		if (byteblock_put(p, i % 64, i & 0xff) != 0)
			return p;
	return NULL;
}

/* A process whose threads write all the time forks children that read, at any moment. */
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

static void set_catch(int value)
{
	assert_int_equal(pmemblk_ctl_set(NULL, "sigbus.catch", &value), 0);
}

/* As byteblock_get(), in one of two ways. */
static int get(PMEMblkpool *p, long long lba, bool with_vector)
{
	unsigned char block[512];
	const struct pmemblk_iovec iov = {block, lba, 1};

	if (!with_vector)
		return byteblock_get(p, lba);
	return pmemblk_readv(p, &iov, 1, NULL) == 0 ? block[0] : -1;
}

static void fail_to_read(bool with_vector)
{
	PMEMblkpool *p = create();
	pid_t pid;

	assert_int_equal(byteblock_put(p, 0, 7), 0);
	assert_int_equal(pmemblk_set_error(p, 0), 0);
	pid = fork();
	if (pid == 0) {
		errno = 0;
		EXPECT(get(p, 0, with_vector) == -1 && errno == EIO);
		EXPECT(get(p, 1, with_vector) == 0);
		_exit(0);
	}
	assert_ends_well(pid);
	pmemblk_close(p);
	unlink(path);
}

/* The owner has not laid the pool out when the child looks at it first. */
static void see_first_write(bool with_vector)
{
	PMEMblkpool *p = create();
	struct turns t;
	pid_t pid;

	start_turns(&t);
	pid = fork();
	if (pid == 0) {
		EXPECT(get(p, 0, with_vector) == 0);
		hand_over(t.to_parent[1]);
		EXPECT(await(t.to_child[0]));
		EXPECT(get(p, 0, with_vector) == 7);
		_exit(0);
	}
	assert_true(await(t.to_parent[0]));
	assert_int_equal(byteblock_put(p, 0, 7), 0);
	hand_over(t.to_child[1]);
	assert_ends_well(pid);
	pmemblk_close(p);
	unlink(path);
}

/* With and without sigbus.catch. Set in the case, because cmocka has a handler in each step. */
static void in_all_ways(void (*run)(bool with_vector))
{
	for (int catches = 0; catches < 2; catches++) {
		set_catch(catches);
		run(false);
		run(true);
	}
	set_catch(0);
}

static void a_worker_s_read_fails_as_the_owner_s_does(void **state)
{
	(void)state;
	in_all_ways(fail_to_read);
}

static void a_worker_sees_what_the_owner_writes_first(void **state)
{
	(void)state;
	in_all_ways(see_first_write);
}

/* --- a block that comes back ---------------------------------------------------------------- */

static bool is_armed;
static bool is_only_before;
static int ncopies;
static struct turns copying;

static void let_owner_write(void)
{
	hand_over(copying.to_parent[1]);
	EXPECT(await(copying.to_child[0]));
}

static void call_next(void *dest, const void *src, size_t len, unsigned flags)
{
	void *(*next)(void *, const void *, size_t, unsigned);

	*(void **)&next = dlsym(RTLD_NEXT, "pmem_memcpy");
	next(dest, src, len, flags);
}

/* Stops two copies of a block; meanwhile the owner uses the data block for another block. */
SUPPORT_INTERPOSE void *pmem_memcpy(void *dest, const void *src, size_t len,
				    unsigned flags)
{
	bool is_lent = is_armed && len == 512 && ncopies++ < 2;

	(void)flags;
	if (is_lent)
		let_owner_write();
	if (is_armed)
		memcpy(dest, src, len);
	else
		call_next(dest, src, len, flags);
	if (is_lent && !is_only_before)
		let_owner_write();
	return dest;
}

/*
 * Writes block `now`, and then block `next` into the old data block of it. A thread uses two
 * lanes in turn. The old data block becomes the free one of the lane, and the lane's next write
 * takes it.
 */
static void put_into_the_place_of(PMEMblkpool *p, int next, int byte, int now)
{
	assert_int_equal(byteblock_put(p, now, now), 0);
	assert_int_equal(byteblock_put(p, 9, 9), 0);
	assert_int_equal(byteblock_put(p, next, byte), 0);
}

static void two_copies_that_agree_on_another_block_do_not_count(void **state)
{
	PMEMblkpool *p = create();
	pid_t pid;

	(void)state;
	assert_int_equal(byteblock_put(p, 1, 1), 0);
	assert_int_equal(byteblock_put(p, 2, 2), 0);
	start_turns(&copying);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(copying.to_parent[0]);
		EXPECT(byteblock_get(p, 1) == 1);
		is_armed = true;
		EXPECT(byteblock_get(p, 1) == 1);
		EXPECT(ncopies >= 2);
		_exit(0);
	}
	close(copying.to_parent[1]);
	for (int i = 0; i < 2; i++) {
		if (!await(copying.to_parent[0]))
			break;
		put_into_the_place_of(p, 2, 2, 1);
		hand_over(copying.to_child[1]);
		if (!await(copying.to_parent[0]))
			break;
		put_into_the_place_of(p, 1, 1, 2);
		hand_over(copying.to_child[1]);
	}
	assert_ends_well(pid);
	pmemblk_close(p);
}

static bool dies_in_write;

/* The owner dies here: the flog record is stored, and the map entry is not. */
SUPPORT_INTERPOSE void pmem_flush(const void *addr, size_t len)
{
	void (*next)(const void *, size_t);

	if (dies_in_write && len == 16)
		_exit(0);
	*(void **)&next = dlsym(RTLD_NEXT, "pmem_flush");
	next(addr, len);
}

static int nsyncs;

SUPPORT_INTERPOSE int msync(void *addr, size_t len, int flags)
{
	int ret = (int)syscall(SYS_msync, addr, len, flags);

	if (dies_in_write && ++nsyncs == 2)
		_exit(0);
	return ret;
}

/*
 * The owner dies in the middle of a write, while a reader copies the block's old data block. The
 * process that takes the pool over finishes the write, and may reuse the old data block.
 */
static void own_and_die(void)
{
	int owner_is_there[2];
	int is_taken[2];
	PMEMblkpool *p = create();

	EXPECT(byteblock_put(p, 1, 1) == 0);
	start_turns(&copying);
	EXPECT(pipe(owner_is_there) == 0 && pipe(is_taken) == 0);
	if (fork() == 0) {
		close(owner_is_there[1]);
		EXPECT(byteblock_get(p, 1) == 1);
		is_armed = true;
		ncopies = 1; /* only one copy is stopped */
		copying.to_child[0] = is_taken[0];
		is_only_before = true;
		EXPECT(byteblock_get(p, 1) == 3);
		_exit(0);
	}
	if (fork() == 0) {
		close(owner_is_there[1]);
		EXPECT(!await(owner_is_there[0]));
		/* through both lanes of the thread, and far away in the map */
		EXPECT(byteblock_put(p, 100, 2) == 0);
		EXPECT(byteblock_put(p, 200, 2) == 0);
		hand_over(is_taken[1]);
		pmemblk_close(p);
		_exit(0);
	}
	EXPECT(await(copying.to_parent[0]));
	dies_in_write = true;
	byteblock_put(p, 1, 3);
	_exit(1);
}

static void a_copy_that_lasts_while_the_pool_is_taken_over_does_not_count(void **state)
{
	pid_t pid;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	pid = fork();
	if (pid == 0)
		own_and_die();
	assert_ends_well(pid);
	assert_orphan_ends_well();
	assert_orphan_ends_well();
	assert_int_equal(pmemblk_check(path, 0), 1);
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

/* Reads that many blocks, and returns how much more memory is in use afterwards. */
static long read_blocks(PMEMblkpool *p, int n, int byte)
{
	long before = nalloc - nfree;

	for (int i = 0; i < n; i++)
		EXPECT(byteblock_get(p, i % 64) == byte);
	return nalloc - nfree - before;
}

/*
 * A file from the user may hold anything in the place of a layout. A reader must not open a table
 * for it.
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
		/* When there is a layout, a reader opens one table for it. */
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
 * No process reads the metadata of a new pool, whichever writes first. On /dev/shm each page that
 * was read would take memory. On a disk the time limit shows it.
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
		/* The view of its own child is made from the layout only, too. */
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
	    cmocka_unit_test_setup(two_copies_that_agree_on_another_block_do_not_count,
				   new_path),
	    cmocka_unit_test_setup(
		a_copy_that_lasts_while_the_pool_is_taken_over_does_not_count, new_path),
	    cmocka_unit_test_setup(workers_read_while_the_owner_writes, new_path),
	    cmocka_unit_test_setup(a_worker_s_read_fails_as_the_owner_s_does, new_path),
	    cmocka_unit_test_setup(a_worker_sees_what_the_owner_writes_first, new_path),
	    cmocka_unit_test_setup(reads_in_a_child_cost_no_memory_whatever_the_file_held,
				   new_path),
	    cmocka_unit_test_setup(a_daemon_writes_to_a_sparse_terabyte_at_once,
				   new_path),
	};

	return run_on_both("fork_read", tests, sizeof(tests) / sizeof(tests[0]));
}
