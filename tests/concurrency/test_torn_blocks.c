/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writers and readers use the same few blocks. A reader must find every block whole, and must
 * never see an older block of a writer after a newer one. A thread reads what it has written in
 * its own blocks. At the end the pool must be consistent and hold only last writes.
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

#define NWRITER 3
#define NREADER 3
#define NHOT 4	   /* blocks that everybody writes and reads */
#define NPRIVATE 4 /* blocks per writer that nobody else touches */

/* Word w of the block that writer t made with its write number n; never 0. */
struct stamp {
	uint64_t writer; /* 1 to NWRITER */
	uint64_t number; /* from 1 on */
};

struct arena {
	PMEMblkpool *pool;
	size_t bsize;
	uint64_t nwrite; /* writes per writer and run */
	uint64_t first;	 /* number of the first write of this run */
	atomic_uint nrunning;
};

struct worker {
	struct arena *arena;
	unsigned id;
	uint64_t nread;
};

/* A block holds its stamp many times; the last one may be incomplete. */
static void make_block(unsigned char *block, size_t bsize, struct stamp stamp)
{
	for (size_t i = 0; i < bsize; i += sizeof(stamp))
		memcpy(block + i, &stamp,
		       bsize - i < sizeof(stamp) ? bsize - i : sizeof(stamp));
}

/* Whether the block is whole; *stamp receives its stamp, zeros for a zero block. */
static bool is_whole(const unsigned char *block, size_t bsize, struct stamp *stamp)
{
	memcpy(stamp, block, sizeof(*stamp));
	for (size_t i = 0; i < bsize; i += sizeof(*stamp)) {
		size_t n = bsize - i < sizeof(*stamp) ? bsize - i : sizeof(*stamp);

		if (memcmp(block + i, stamp, n) != 0)
			return false;
	}
	return (stamp->writer == 0) == (stamp->number == 0) && stamp->writer <= NWRITER;
}

static void *write_blocks(void *arg)
{
	struct worker *w = arg;
	struct arena *a = w->arena;
	unsigned char *block = malloc(a->bsize), *back = malloc(a->bsize);
	uint64_t seed = w->id;

	REQUIRE(block && back, "out of memory");
	for (uint64_t n = a->first; n < a->first + a->nwrite; n++) {
		uint64_t r = support_random(&seed);
		long long hot = (long long)(r % NHOT);
		long long own =
		    (long long)(NHOT + w->id * NPRIVATE + (r >> 8) % NPRIVATE);
		struct stamp stamp = {w->id + 1, n};

		make_block(block, a->bsize, stamp);
		REQUIRE(pmemblk_write(a->pool, block, hot) == 0, "%s",
			pmemblk_errormsg());
		REQUIRE(pmemblk_write(a->pool, block, own) == 0, "%s",
			pmemblk_errormsg());
		memset(back, 0, a->bsize);
		REQUIRE(pmemblk_read(a->pool, back, own) == 0, "%s", pmemblk_errormsg());
		REQUIRE(memcmp(back, block, a->bsize) == 0,
			"writer %u does not read what it wrote", w->id);
		if (n % 16 == 0) {
			REQUIRE(pmemblk_set_zero(a->pool, hot) == 0, "%s",
				pmemblk_errormsg());
			REQUIRE(pmemblk_set_error(a->pool, own) == 0, "%s",
				pmemblk_errormsg());
			REQUIRE(pmemblk_read(a->pool, back, own) == -1 && errno == EIO,
				"a block in the error state was read");
		}
	}
	atomic_fetch_sub(&a->nrunning, 1);
	free(block);
	free(back);
	return NULL;
}

static void *read_blocks(void *arg)
{
	struct worker *w = arg;
	struct arena *a = w->arena;
	unsigned char *block = malloc(a->bsize);
	uint64_t newest[NHOT][NWRITER + 1] = {0};
	uint64_t seed = 1000 + w->id;

	REQUIRE(block, "out of memory");
	do {
		unsigned b = (unsigned)(support_random(&seed) % NHOT);
		struct stamp stamp;

		REQUIRE(pmemblk_read(a->pool, block, b) == 0, "%s", pmemblk_errormsg());
		REQUIRE(is_whole(block, a->bsize, &stamp), "block %u is torn", b);
		REQUIRE(stamp.number >= newest[b][stamp.writer],
			"block %u went back from write %llu of a writer to write %llu", b,
			(unsigned long long)newest[b][stamp.writer],
			(unsigned long long)stamp.number);
		newest[b][stamp.writer] = stamp.number;
		w->nread++;
	} while (atomic_load(&a->nrunning) > 0);
	free(block);
	return NULL;
}

static void run_threads(struct arena *a)
{
	pthread_t thread[NWRITER + NREADER];
	struct worker worker[NWRITER + NREADER];
	uint64_t nread = 0;

	atomic_store(&a->nrunning, NWRITER);
	for (unsigned i = 0; i < NWRITER + NREADER; i++) {
		worker[i] = (struct worker){a, i < NWRITER ? i : i - NWRITER, 0};
		REQUIRE(pthread_create(&thread[i], NULL,
				       i < NWRITER ? write_blocks : read_blocks,
				       &worker[i]) == 0,
			"pthread_create");
	}
	for (unsigned i = 0; i < NWRITER + NREADER; i++) {
		REQUIRE(pthread_join(thread[i], NULL) == 0, "pthread_join");
		nread += worker[i].nread;
	}
	REQUIRE(nread >= NREADER, "the readers have not run");
}

/* Checks that every block is whole, also after the pool was closed and opened. */
static void survey(struct arena *a)
{
	unsigned char *block = malloc(a->bsize);

	REQUIRE(block, "out of memory");
	for (unsigned b = 0; b < NHOT + NWRITER * NPRIVATE; b++) {
		struct stamp stamp;

		errno = 0;
		if (pmemblk_read(a->pool, block, b) != 0) {
			REQUIRE(errno == EIO && b >= NHOT, "%s", pmemblk_errormsg());
			continue;
		}
		REQUIRE(is_whole(block, a->bsize, &stamp), "block %u is torn", b);
	}
	free(block);
}

static void stress(const char *path, bool pmem, size_t bsize, uint64_t nwrite)
{
	struct arena a = {.bsize = bsize, .nwrite = nwrite, .first = 1};

	REQUIRE(setenv("PMEM_IS_PMEM_FORCE", pmem ? "1" : "0", 1) == 0, "setenv");
	a.pool = pmemblk_create(path, bsize, (size_t)40 << 20, 0600);
	REQUIRE(a.pool, "%s", pmemblk_errormsg());
	run_threads(&a);
	survey(&a);
	pmemblk_close(a.pool);
	REQUIRE(pmemblk_check(path, bsize) == 1, "check: %s", pmemblk_errormsg());
	a.pool = pmemblk_open(path, bsize);
	REQUIRE(a.pool, "%s", pmemblk_errormsg());
	survey(&a);
	a.first += nwrite;
	run_threads(&a);
	pmemblk_close(a.pool);
	REQUIRE(pmemblk_check(path, bsize) == 1, "check: %s", pmemblk_errormsg());
}

static void stress_in_child(bool pmem, size_t bsize, uint64_t nwrite)
{
	const char *path = support_path(true, "pool");
	int status;
	pid_t child;

	if (getenv("CHECK_LONG"))
		nwrite *= 10;
	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		stress(path, pmem, bsize, nwrite);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(status, 0);
}

static void blocks_of_512_bytes_on_persistent_memory(void **state)
{
	(void)state;
	stress_in_child(true, 512, 8000);
}

static void blocks_of_520_bytes_in_a_file(void **state)
{
	(void)state;
	stress_in_child(false, 520, 4000);
}

static void blocks_of_4096_bytes_on_persistent_memory(void **state)
{
	(void)state;
	stress_in_child(true, 4096, 4000);
}

static void blocks_of_65536_bytes_on_persistent_memory(void **state)
{
	(void)state;
	stress_in_child(true, 65536, 600);
}

static void blocks_of_65536_bytes_in_a_file(void **state)
{
	(void)state;
	stress_in_child(false, 65536, 600);
}

static void a_mixture_of_two_blocks_counts_as_torn(void **state)
{
	unsigned char block[520];
	struct stamp stamp;

	(void)state;
	make_block(block, sizeof(block), (struct stamp){1, 7});
	assert_true(is_whole(block, sizeof(block), &stamp));
	assert_int_equal(stamp.number, 7);
	make_block(block, 512, (struct stamp){2, 7});
	assert_false(is_whole(block, sizeof(block), &stamp));
	make_block(block, sizeof(block), (struct stamp){2, 8});
	make_block(block, 16, (struct stamp){1, 8});
	assert_false(is_whole(block, sizeof(block), &stamp));
	memset(block, 0, sizeof(block));
	assert_true(is_whole(block, sizeof(block), &stamp));
	block[519] = 1;
	assert_false(is_whole(block, sizeof(block), &stamp));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_mixture_of_two_blocks_counts_as_torn),
	    cmocka_unit_test(blocks_of_512_bytes_on_persistent_memory),
	    cmocka_unit_test(blocks_of_520_bytes_in_a_file),
	    cmocka_unit_test(blocks_of_4096_bytes_on_persistent_memory),
	    cmocka_unit_test(blocks_of_65536_bytes_on_persistent_memory),
	    cmocka_unit_test(blocks_of_65536_bytes_in_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
