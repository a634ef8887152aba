/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A process with several writing threads is killed (SIGKILL) at any moment, many times on the
 * same pool, a file on disk: once with its memory taken for persistent, once with msync. The
 * process records in memory shared with the test which calls it has begun and finished. After
 * each kill the pool must be consistent before it is opened, and must hold the result of each
 * finished call. An interrupted call has happened or not. Sometimes the process that recovers the
 * pool is killed, too.
 *
 * CHECK_LONG=1 kills more often; SEED=n kills at other moments. The parent never calls the
 * library.
 */
#include "require.h"
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libpmemblk.h>

#define NWRITER 3
#define NOWN 8 /* blocks of one writer */
#define NHOT 4 /* blocks of all, the first ones of the pool */
#define POOL_SIZE ((size_t)40 << 20)

/* The calls of a writer are numbered from 1. 0 stands for no call, and for a block of zeros. */
struct shared {
	atomic_ulong progress; /* calls that have returned, and openings */
	struct {
		_Alignas(64) atomic_ulong begun;
		atomic_ulong done;
	} writer[NWRITER];

	/* For the survey: up to which call of each writer the blocks have been examined. */
	uint64_t looked_through[NWRITER];
	uint64_t own[NWRITER][NOWN];
	uint64_t hot[NWRITER][NHOT]; /* the last of that writer */
	/* calls that were interrupted, and those of them that took effect */
	uint64_t ncut, ncut_seen;
};

static struct shared *shared;
static const char *path;
static size_t bsize;
static uint64_t base_seed;

/* --- what a writer does ------------------------------------------------------------------- */

enum kind { OWN, HOT, ZERO, ERROR };

struct call {
	enum kind kind;
	unsigned block; /* among the writer's own or the hot ones */
	long long lba;
};

static struct call call_of(unsigned writer, uint64_t n)
{
	static const enum kind kinds[8] = {OWN, OWN, OWN, OWN, HOT, HOT, ZERO, ERROR};
	uint64_t seed = base_seed + writer + n * NWRITER;
	uint64_t r = support_random(&seed);
	struct call c = {.kind = kinds[r % 8]};

	c.block = (unsigned)(r >> 8) % (c.kind == HOT ? NHOT : NOWN);
	c.lba = c.kind == HOT ? c.block : NHOT + writer * NOWN + c.block;
	return c;
}

/* The blocks of two calls have no 16 bytes in common. */
static void make_block(unsigned char *block, unsigned writer, uint64_t n)
{
	for (size_t i = 0; i < bsize; i += 16) {
		uint64_t word[2] = {n, (uint64_t)(writer + 1) << 32 | i};

		memcpy(block + i, word, bsize - i < 16 ? bsize - i : 16);
	}
}

static PMEMblkpool *open_pool(void)
{
	PMEMblkpool *pool = pmemblk_open(path, bsize);

	REQUIRE(pool, "%s", pmemblk_errormsg());
	return pool;
}

struct writer {
	PMEMblkpool *pool;
	unsigned number;
};

static void *write_on(void *arg)
{
	const struct writer *w = arg;
	unsigned char *block = malloc(bsize);
	atomic_ulong *begun = &shared->writer[w->number].begun;
	atomic_ulong *done = &shared->writer[w->number].done;

	REQUIRE(block, "out of memory");
	for (uint64_t n = atomic_load(begun) + 1;; n++) {
		struct call c = call_of(w->number, n);
		int ret;

		make_block(block, w->number, n);
		atomic_store(begun, n);
		ret = c.kind == ZERO	? pmemblk_set_zero(w->pool, c.lba)
		      : c.kind == ERROR ? pmemblk_set_error(w->pool, c.lba)
					: pmemblk_write(w->pool, block, c.lba);
		REQUIRE(ret == 0, "%s", pmemblk_errormsg());
		atomic_store(done, n);
		atomic_fetch_add(&shared->progress, 1);
	}
	return NULL;
}

static void run_writers(void)
{
	struct writer w[NWRITER];
	pthread_t thread[NWRITER];
	PMEMblkpool *pool;

	atomic_fetch_add(&shared->progress, 1);
	pool = open_pool();
	for (unsigned i = 0; i < NWRITER; i++) {
		w[i] = (struct writer){pool, i};
		REQUIRE(pthread_create(&thread[i], NULL, write_on, &w[i]) == 0,
			"pthread_create");
	}
	for (unsigned i = 0; i < NWRITER; i++)
		pthread_join(thread[i], NULL);
}

static void open_and_close(void)
{
	atomic_fetch_add(&shared->progress, 1);
	pmemblk_close(open_pool());
}

static void create(void)
{
	PMEMblkpool *pool = pmemblk_create(path, bsize, POOL_SIZE, 0600);

	REQUIRE(pool, "%s", pmemblk_errormsg());
	pmemblk_close(pool);
}

/* --- what must be there afterwards -------------------------------------------------------- */

static bool is_zero(const unsigned char *block)
{
	return block[0] == 0 && memcmp(block, block + 1, bsize - 1) == 0;
}

/* Whether the block holds the result of call n of the writer; n 0: it was never written. */
static bool shows(PMEMblkpool *pool, unsigned writer, uint64_t n, long long lba)
{
	enum kind kind = n ? call_of(writer, n).kind : ZERO;
	unsigned char *block = malloc(bsize), *expected = malloc(bsize);
	bool same;
	int ret;

	REQUIRE(block && expected, "out of memory");
	ret = pmemblk_read(pool, block, lba);
	REQUIRE(ret == 0 || errno == EIO, "%s", pmemblk_errormsg());
	make_block(expected, writer, n);
	if (kind == ERROR || ret)
		same = kind == ERROR && ret;
	else
		same =
		    kind == ZERO ? is_zero(block) : memcmp(block, expected, bsize) == 0;
	free(block);
	free(expected);
	return same;
}

/* Examines the finished calls of this process; cut receives an interrupted call, or 0. */
static void look_through(unsigned writer, uint64_t *cut)
{
	uint64_t begun = atomic_load(&shared->writer[writer].begun);
	uint64_t done = atomic_load(&shared->writer[writer].done);

	for (uint64_t n = shared->looked_through[writer] + 1; n <= done; n++) {
		struct call c = call_of(writer, n);

		if (c.kind == HOT)
			shared->hot[writer][c.block] = n;
		else
			shared->own[writer][c.block] = n;
	}
	*cut = begun > done ? begun : 0;
	shared->ncut += *cut != 0;
	shared->looked_through[writer] = begun;
}

static void check_own(PMEMblkpool *pool, unsigned writer, uint64_t cut)
{
	for (unsigned b = 0; b < NOWN; b++) {
		uint64_t *own = &shared->own[writer][b];
		long long lba = NHOT + writer * NOWN + b;

		if (shows(pool, writer, *own, lba))
			continue;
		REQUIRE(cut && call_of(writer, cut).lba == lba &&
			    shows(pool, writer, cut, lba),
			"block %lld does not show call %llu of writer %u", lba,
			(unsigned long long)*own, writer);
		*own = cut;
		shared->ncut_seen++;
	}
}

/* A hot block shows the last write of one of the writers. */
static void check_hot(PMEMblkpool *pool, unsigned b, const uint64_t *cut)
{
	bool written = false;

	for (unsigned w = 0; w < NWRITER; w++) {
		uint64_t *hot = &shared->hot[w][b];

		written |= *hot != 0;
		if (*hot && shows(pool, w, *hot, b))
			return;
		if (cut[w] && call_of(w, cut[w]).lba == b && shows(pool, w, cut[w], b)) {
			*hot = cut[w];
			shared->ncut_seen++;
			return;
		}
	}
	REQUIRE(!written && shows(pool, 0, 0, b), "block %u shows no last write", b);
}

static void survey(void)
{
	uint64_t cut[NWRITER];
	PMEMblkpool *pool;

	REQUIRE(pmemblk_check(path, bsize) == 1, "check: %s", pmemblk_errormsg());
	pool = open_pool();
	for (unsigned w = 0; w < NWRITER; w++)
		look_through(w, &cut[w]);
	for (unsigned w = 0; w < NWRITER; w++)
		check_own(pool, w, cut[w]);
	for (unsigned b = 0; b < NHOT; b++)
		check_hot(pool, b, cut);
	pmemblk_close(pool);
	REQUIRE(pmemblk_check(path, bsize) == 1, "check: %s", pmemblk_errormsg());
}

/* --- processes ---------------------------------------------------------------------------- */

static pid_t start(void (*work)(void))
{
	pid_t child;

	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		work();
		_exit(0);
	}
	return child;
}

static void run(void (*work)(void))
{
	pid_t child = start(work);
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	if (status != 0)
		fail_msg("SEED=%llu", (unsigned long long)base_seed);
}

static bool has_ended(pid_t child)
{
	siginfo_t info = {.si_pid = 0};

	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT),
			 0);
	return info.si_pid == child;
}

/* Runs work in a process, and kills it a moment after it has made so much progress. */
static void run_and_kill(void (*work)(void), unsigned long progress, uint64_t moment)
{
	pid_t child;
	int status;

	atomic_store(&shared->progress, 0);
	child = start(work);
	while (atomic_load(&shared->progress) < progress && !has_ended(child))
		sched_yield();
	for (uint64_t i = 0; i < moment; i++)
		atomic_load(&shared->progress);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	/* Only a process that opens and closes may have ended by itself. */
	if (WIFSIGNALED(status) ? WTERMSIG(status) != SIGKILL
				: status != 0 || work == run_writers)
		fail_msg("status %#x, SEED=%llu", (unsigned)status,
			 (unsigned long long)base_seed);
}

static void torture(const char *force, size_t block_size, unsigned rounds,
		    unsigned max_progress)
{
	uint64_t seed;

	assert_int_equal(setenv("PMEM_IS_PMEM_FORCE", force, 1), 0);
	if (getenv("CHECK_LONG"))
		rounds *= 10;
	memset(shared, 0, sizeof(*shared));
	bsize = block_size;
	seed = base_seed;
	unlink(path); /* of a case that failed */
	run(create);
	for (unsigned round = 0; round < rounds; round++) {
		uint64_t r = support_random(&seed);

		/* Every fourth kill hits the opening, the layout or the first calls. */
		run_and_kill(run_writers, round % 4 == 0 ? r % 4 : 2 + r % max_progress,
			     (r >> 16) % 20000);
		if (round % 4 == 1)
			run_and_kill(open_and_close, 1, (r >> 32) % 200000);
		run(survey);
	}
	print_message("%u kills, %llu calls cut off, %llu of them took effect\n", rounds,
		      (unsigned long long)shared->ncut,
		      (unsigned long long)shared->ncut_seen);
	assert_true(shared->ncut > 0);
	assert_int_equal(unlink(path), 0);
}

static void persistent_memory_blocks_of_512_bytes(void **state)
{
	(void)state;
	torture("1", 512, 60, 3000);
}

static void persistent_memory_blocks_of_65536_bytes(void **state)
{
	(void)state;
	torture("1", 65536, 60, 300);
}

static void msync_blocks_of_520_bytes(void **state)
{
	(void)state;
	torture("0", 520, 25, 50);
}

static void msync_blocks_of_4096_bytes(void **state)
{
	(void)state;
	torture("0", 4096, 25, 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(persistent_memory_blocks_of_512_bytes),
	    cmocka_unit_test(persistent_memory_blocks_of_65536_bytes),
	    cmocka_unit_test(msync_blocks_of_520_bytes),
	    cmocka_unit_test(msync_blocks_of_4096_bytes),
	};
	const char *seed = getenv("SEED");

	base_seed = seed ? strtoull(seed, NULL, 0) : 1;
	path = support_path(false, "pool");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
