/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Batches, single writes, zeros and reads of several threads on the same blocks. A reader must
 * find every block whole, and never an older block of a writer after a newer one. A thread reads
 * what it has written in its own blocks. More threads than lanes write batches longer than their
 * share of the lanes, and all of them must finish.
 *
 * Each case runs in a child process, because a process reads PMEM_IS_PMEM_FORCE only once.
 */
#include "require.h"
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libpmemblk.h>

enum {
	BSIZE = 512,
	NHOT = 48,
	NOWN = 24,
	NWRITER = 4,
	NREADER = 2,
	CROWD = 150,
	LONG = 90
};

/* A block holds its stamp many times; zeros are a valid stamp. */
struct stamp {
	uint64_t writer; /* from 1 on */
	uint64_t number; /* of the batch, from 1 on */
};

static PMEMblkpool *pool;
static uint64_t rounds;
static atomic_uint nrunning;

static void make_block(unsigned char *block, struct stamp stamp)
{
	for (size_t i = 0; i < BSIZE; i += sizeof(stamp))
		memcpy(block + i, &stamp, sizeof(stamp));
}

static struct stamp stamp_of(const unsigned char *block)
{
	struct stamp stamp;

	memcpy(&stamp, block, sizeof(stamp));
	for (size_t i = 0; i < BSIZE; i += sizeof(stamp))
		REQUIRE(memcmp(block + i, &stamp, sizeof(stamp)) == 0, "a block is torn");
	REQUIRE((stamp.writer == 0) == (stamp.number == 0), "a block is of nobody");
	return stamp;
}

static long long own_block(uint64_t writer, unsigned i)
{
	return (long long)(NHOT + writer * NOWN + i);
}

/* Some of the hot blocks in any order, some of them twice, and all of the writer's own. */
static size_t make_batch(struct pmemblk_iovec *iov, unsigned char *block, uint64_t writer,
			 uint64_t *seed)
{
	size_t n = support_random(seed) % (2 * NHOT);

	for (size_t i = 0; i < n; i++)
		iov[i] = (struct pmemblk_iovec){
		    block, (long long)(support_random(seed) % NHOT), 1};
	for (unsigned i = 0; i < NOWN; i++)
		iov[n++] = (struct pmemblk_iovec){block, own_block(writer, i), 1};
	return n;
}

static void *write_batches(void *arg)
{
	uint64_t writer = (uintptr_t)arg;
	struct pmemblk_iovec iov[2 * NHOT + NOWN];
	unsigned char block[BSIZE];
	unsigned char back[NOWN * BSIZE];
	uint64_t seed = writer;

	for (uint64_t number = 1; number <= rounds; number++) {
		struct pmemblk_iovec own = {back, own_block(writer, 0), NOWN};
		size_t n = make_batch(iov, block, writer, &seed);

		make_block(block, (struct stamp){writer, number});
		REQUIRE(pmemblk_writev(pool, iov, n, NULL) == 0, "%s",
			pmemblk_errormsg());
		memset(back, 0, sizeof(back));
		REQUIRE(pmemblk_readv(pool, &own, 1, NULL) == 0, "%s",
			pmemblk_errormsg());
		for (unsigned i = 0; i < NOWN; i++)
			REQUIRE(memcmp(back + i * BSIZE, block, BSIZE) == 0,
				"writer %llu does not read what it wrote",
				(unsigned long long)writer);
	}
	atomic_fetch_sub(&nrunning, 1);
	return NULL;
}

/* Single blocks, and zeros. */
static void *write_blocks(void *arg)
{
	uint64_t writer = (uintptr_t)arg;
	unsigned char block[BSIZE];
	uint64_t seed = writer;

	for (uint64_t number = 1; number <= 10 * rounds; number++) {
		long long at = (long long)(support_random(&seed) % NHOT);

		make_block(block, (struct stamp){writer, number});
		REQUIRE(pmemblk_write(pool, block, at) == 0, "%s", pmemblk_errormsg());
		at = (long long)(support_random(&seed) % NHOT);
		if (number % 8 == 0)
			REQUIRE(pmemblk_set_zero_range(pool, at, (size_t)(NHOT - at),
						       NULL) == 0,
				"%s", pmemblk_errormsg());
	}
	atomic_fetch_sub(&nrunning, 1);
	return NULL;
}

static void *read_blocks(void *arg)
{
	unsigned char block[NHOT * BSIZE];
	uint64_t newest[NHOT][NWRITER + 1] = {0};

	(void)arg;
	do {
		struct pmemblk_iovec iov = {block, 0, NHOT};

		REQUIRE(pmemblk_readv(pool, &iov, 1, NULL) == 0, "%s",
			pmemblk_errormsg());
		for (unsigned b = 0; b < NHOT; b++) {
			struct stamp stamp = stamp_of(block + b * BSIZE);

			REQUIRE(stamp.writer <= NWRITER, "a block is of nobody");
			REQUIRE(stamp.number >= newest[b][stamp.writer],
				"block %u went back", b);
			newest[b][stamp.writer] = stamp.number;
		}
	} while (atomic_load(&nrunning) > 0);
	return NULL;
}

static void mixture(void)
{
	pthread_t thread[NWRITER + NREADER];

	rounds = 400;
	atomic_store(&nrunning, NWRITER);
	for (uintptr_t i = 0; i < NWRITER + NREADER; i++) {
		void *(*run)(void *) = i >= NWRITER	  ? read_blocks
				       : i == NWRITER - 1 ? write_blocks
							  : write_batches;

		REQUIRE(pthread_create(&thread[i], NULL, run, (void *)(i + 1)) == 0,
			"pthread_create");
	}
	for (unsigned i = 0; i < NWRITER + NREADER; i++)
		REQUIRE(pthread_join(thread[i], NULL) == 0, "pthread_join");
}

static pthread_barrier_t together;

/* Each thread wants more lanes than there are together, and nearly all locks. */
static void *write_long(void *arg)
{
	struct pmemblk_iovec iov[LONG];
	unsigned char block[BSIZE];
	uint64_t seed = (uintptr_t)arg;

	make_block(block, (struct stamp){(uintptr_t)arg, 1});
	pthread_barrier_wait(&together);
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < LONG; i++)
			iov[i] = (struct pmemblk_iovec){
			    block, (long long)(support_random(&seed) % 4096), 1};
		REQUIRE(pmemblk_writev(pool, iov, LONG, NULL) == 0, "%s",
			pmemblk_errormsg());
	}
	return NULL;
}

static void crowd(void)
{
	static pthread_t thread[CROWD];

	REQUIRE(pthread_barrier_init(&together, NULL, CROWD) == 0, "barrier");
	for (uintptr_t i = 0; i < CROWD; i++)
		REQUIRE(pthread_create(&thread[i], NULL, write_long, (void *)(i + 1)) ==
			    0,
			"pthread_create");
	for (unsigned i = 0; i < CROWD; i++)
		REQUIRE(pthread_join(thread[i], NULL) == 0, "pthread_join");
}

static void survey(void)
{
	unsigned char block[BSIZE];

	for (long long b = 0; b < 5000; b++) {
		REQUIRE(pmemblk_read(pool, block, b) == 0, "%s", pmemblk_errormsg());
		stamp_of(block);
	}
}

static void run_in_child(bool pmem, void (*run)(void))
{
	const char *path = support_path(true, "pool");
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		alarm(200); /* ends the test if there is a deadlock */
		REQUIRE(setenv("PMEM_IS_PMEM_FORCE", pmem ? "1" : "0", 1) == 0, "setenv");
		pool = pmemblk_create(path, BSIZE, (size_t)17 << 20, 0600);
		REQUIRE(pool, "%s", pmemblk_errormsg());
		run();
		survey();
		pmemblk_close(pool);
		REQUIRE(pmemblk_check(path, BSIZE) == 1, "check: %s", pmemblk_errormsg());
		pool = pmemblk_open(path, BSIZE);
		REQUIRE(pool, "%s", pmemblk_errormsg());
		survey();
		pmemblk_close(pool);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(status, 0);
}

static void a_mixture_on_persistent_memory(void **state)
{
	(void)state;
	run_in_child(true, mixture);
}

static void a_mixture_in_a_file(void **state)
{
	(void)state;
	run_in_child(false, mixture);
}

static void more_threads_than_lanes_on_persistent_memory(void **state)
{
	(void)state;
	run_in_child(true, crowd);
}

static void more_threads_than_lanes_in_a_file(void **state)
{
	(void)state;
	run_in_child(false, crowd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_mixture_on_persistent_memory),
	    cmocka_unit_test(a_mixture_in_a_file),
	    cmocka_unit_test(more_threads_than_lanes_on_persistent_memory),
	    cmocka_unit_test(more_threads_than_lanes_in_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
