/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Damages pools at random, and checks the promises of pmemblk(1) for each of them:
 *
 *   1. Commands that read change nothing.
 *   2. check, a repair's dry run and the library's check give the same verdict, and a pool that
 *      they find consistent opens.
 *   3. After a repair, check finds the pool consistent, and another repair has nothing to do.
 *   4. Every block that was readable reads the same after a repair, or the output names it. No
 *      block becomes readable unless the output names it.
 *   5. An undo restores all bytes and the length.
 *   6. An undo also does so after a repair or an undo that was killed at a sync, or whose syncs
 *      failed from some sync on. After it a second repair finishes. A second repair also finishes
 *      without an undo in between; then the two backups undo both repairs.
 *   7. A repair for which there is no space changes nothing and leaves no backup.
 *
 * SEED=N starts with case number N; CASES=N runs so many cases.
 */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <libpmemblk.h>

#include "damages.h"
#include "pool_file.h"
#include "run_tool.h"
#include "trouble.h"

#define NBASE 2
#define NTHREAD 24

static struct pool_file base[NBASE];
static const uint32_t base_bsize[NBASE] = {4096, 512};

/* --- the sound pools --------------------------------------------------------------------- */

struct writer {
	PMEMblkpool *pool;
	sem_t *turn; /* of this thread; the next one's follows */
	sem_t *leave;
	uint64_t random;
	uint32_t bsize;
};

/* The threads take turns, so that each has its own slots and the pool is always the same. */
static void *write_blocks(void *arg)
{
	struct writer *w = arg;
	size_t nblock = pmemblk_nblock(w->pool);
	char block[4096] = {0};

	while (sem_wait(w->turn) != 0)
		;
	for (unsigned i = 0; i < 60; i++) {
		uint64_t r = support_random(&w->random);
		long long lba = (long long)(r / 64 % (nblock / 8));

		snprintf(block, sizeof(block), "%llu", (unsigned long long)r);
		if (r % 64 == 0)
			pmemblk_set_error(w->pool, lba);
		else if (r % 64 < 3)
			pmemblk_set_zero(w->pool, lba);
		else if (pmemblk_write(w->pool, block, lba) != 0)
			abort();
	}
	sem_post(w->turn + 1);
	while (sem_wait(w->leave) != 0)
		;
	return NULL;
}

static void make_base(unsigned k)
{
	const char *path = support_path(true, "base");
	PMEMblkpool *pool;
	pthread_t thread[NTHREAD];
	struct writer w[NTHREAD];
	sem_t turn[NTHREAD + 1];
	sem_t leave;

	unlink(path);
	pool = pmemblk_create(path, base_bsize[k], PMEMBLK_MIN_POOL + 3 * 4096, 0600);
	assert_non_null(pool);
	sem_init(&leave, 0, 0);
	for (unsigned i = 0; i <= NTHREAD; i++)
		sem_init(&turn[i], 0, 0);
	for (unsigned i = 0; i < NTHREAD; i++) {
		w[i] = (struct writer){pool, &turn[i], &leave, i + 1, base_bsize[k]};
		assert_int_equal(pthread_create(&thread[i], NULL, write_blocks, &w[i]),
				 0);
	}
	sem_post(&turn[0]);
	while (sem_wait(&turn[NTHREAD]) != 0)
		;
	for (unsigned i = 0; i < NTHREAD; i++)
		sem_post(&leave);
	for (unsigned i = 0; i < NTHREAD; i++)
		pthread_join(thread[i], NULL);
	pmemblk_close(pool);
	base[k].p = support_read_file(path, &base[k].len);
	assert_int_equal(
	    btt_geometry_arena(base[k].len - ARENA, base_bsize[k], &base[k].geo), 0);
}

static int make_bases(void **state)
{
	int on = 1;

	(void)state;
	for (unsigned k = 0; k < NBASE; k++)
		make_base(k);
	return pmemblk_ctl_set(NULL, "copy_on_write.at_open", &on);
}

static int free_bases(void **state)
{
	(void)state;
	for (unsigned k = 0; k < NBASE; k++)
		free(base[k].p);
	free(tool_said);
	return 0;
}

/* --- one case ---------------------------------------------------------------------------- */

struct trial {
	unsigned seed;
	char what[256]; /* the damages */
	const char *path;
	const char *undo;
	const char *undo2;
	struct pool_file damaged;
};

#define CHECK(t, condition)                                                              \
	do {                                                                             \
		if (!(condition))                                                        \
			fail_msg("seed %u (%s), line %d: %s\n%.3000s", (t)->seed,        \
				 (t)->what, __LINE__, #condition, tool_said);            \
	} while (0)

/* Removes the backups and writes the damaged pool again. */
static void start(const struct trial *t)
{
	unlink(t->undo);
	unlink(t->undo2);
	store_file(t->path, &t->damaged);
}

static bool is_damaged(const struct trial *t)
{
	return is_file(t->path, &t->damaged);
}

/* Promises 1 and 2. Returns the status of a dry run. */
static int read_only(const struct trial *t)
{
	int check = tool_run(cmd_check, t->path, NULL);
	int dry = tool_run(cmd_repair, "-n", t->path, NULL);
	int library = pmemblk_check(t->path, 0);
	PMEMblkpool *pool = pmemblk_open(t->path, 0);

	CHECK(t, dry == check);
	CHECK(t, (library == 1) == (check == 0));
	CHECK(t, library != 0 || check == 1);
	CHECK(t, library != 1 || pool);
	if (pool)
		pmemblk_close(pool);
	tool_run(cmd_info, "-s", t->path, NULL);
	tool_run(cmd_dump, "-r", "0-5", t->path, NULL);
	CHECK(t, is_damaged(t));
	CHECK(t, access(t->undo, F_OK) != 0);
	return dry;
}

/* A bitmap of the blocks that the output names. */
static unsigned char *find_named(const struct trial *t)
{
	uint32_t n = t->damaged.geo.external_nlba;
	unsigned char *named = calloc(1, n + 1);

	assert_non_null(named);
	for (const char *p = tool_said; (p = strstr(p, "block ")) != NULL; p++) {
		unsigned long lba;

		if ((p == tool_said || p[-1] == '\n') &&
		    sscanf(p, "block %lu:", &lba) == 1 && lba < n)
			named[lba] = 1;
	}
	return named;
}

static bool is_readable(const struct pool_file *f, uint32_t entry)
{
	return btt_map_postmap(entry) < f->geo.internal_nlba && !btt_map_is_error(entry);
}

/*
 * Promise 4. A block whose map entry did not change reads the same: a repair stores to no data
 * block.
 */
static void compare_blocks(const struct trial *t)
{
	struct pool_file now = load_file(t->path, &t->damaged);
	unsigned char *named = find_named(t);

	for (uint32_t i = 0; i < now.geo.external_nlba; i++) {
		uint32_t before = get_entry(&t->damaged, i);
		uint32_t after = get_entry(&now, i);

		if (before == after || named[i])
			continue;
		if (is_readable(&now, before) || is_readable(&now, after))
			fail_msg("seed %u (%s): block %u is not named: %#x became "
				 "%#x\n%.3000s",
				 t->seed, t->what, i, before, after, tool_said);
	}
	CHECK(t, memcmp(now.p + ARENA + 4096, t->damaged.p + ARENA + 4096,
			now.geo.map_arena_off - 4096) == 0);
	free(named);
	free(now.p);
}

/* Promises 3 to 5. */
static void repair_and_undo(const struct trial *t)
{
	CHECK(t, tool_run(cmd_repair, "-v", t->path, NULL) == 0);
	CHECK(t, strstr(tool_said, ": repaired"));
	compare_blocks(t);
	CHECK(t, pmemblk_check(t->path, 0) == 1);
	CHECK(t, tool_run(cmd_repair, t->path, NULL) == 0);
	CHECK(t, strstr(tool_said, "consistent, nothing was changed"));
	CHECK(t, tool_run(cmd_repair, "-u", t->undo, t->path, NULL) == 0);
	CHECK(t, is_damaged(t));
}

enum ending { ENDED, KILLED, FAILED };

/* Repairs or undoes in a child that is killed, or fails, at its n-th call. */
static enum ending disturb(const struct trial *t, const char *undo, enum trouble kind,
			   unsigned n)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		int rc;

		trouble = kind;
		trouble_at = n;
		rc = undo ? tool_run(cmd_repair, "-u", undo, t->path, NULL)
			  : tool_run(cmd_repair, t->path, NULL);
		_exit(rc);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		CHECK(t, kind == KILL && WTERMSIG(status) == SIGKILL);
		return KILLED;
	}
	CHECK(t, WIFEXITED(status));
	if (WEXITSTATUS(status) == 0)
		return ENDED;
	CHECK(t, WEXITSTATUS(status) == 3);
	return FAILED;
}

/* The interrupted repair left the damaged pool, or a backup that restores it. */
static void take_back(const struct trial *t)
{
	if (access(t->undo, F_OK) != 0 ||
	    tool_run(cmd_repair, "-u", t->undo, t->path, NULL) != 0)
		CHECK(t, strstr(tool_said, "not complete") || access(t->undo, F_OK) != 0);
	CHECK(t, is_damaged(t));
	unlink(t->undo);
	CHECK(t, tool_run(cmd_repair, t->path, NULL) == 0);
	CHECK(t, pmemblk_check(t->path, 0) == 1);
}

/* Repairs again instead, then undoes both repairs with both backups. */
static void go_on(const struct trial *t)
{
	bool first = access(t->undo, F_OK) == 0;

	CHECK(t, tool_run(cmd_repair, t->path, NULL) == 0);
	CHECK(t, pmemblk_check(t->path, 0) == 1);
	if (first && access(t->undo2, F_OK) == 0)
		CHECK(t, tool_run(cmd_repair, "-u", t->undo2, t->path, NULL) == 0);
	if (tool_run(cmd_repair, "-u", t->undo, t->path, NULL) != 0)
		CHECK(t, strstr(tool_said, "not complete"));
	CHECK(t, is_damaged(t));
}

/* Promise 6. Returns false when the repair has fewer than n calls. */
static bool disturb_repair(const struct trial *t, enum trouble kind, bool goes_on,
			   unsigned n)
{
	start(t);
	if (disturb(t, NULL, kind, n) == ENDED)
		return false;
	if (kind == FULL)
		CHECK(t, is_damaged(t) && access(t->undo, F_OK) != 0);
	if (goes_on)
		go_on(t);
	else
		take_back(t);
	return true;
}

static bool disturb_undo(const struct trial *t, enum trouble kind, unsigned n)
{
	enum ending ending;

	start(t);
	CHECK(t, tool_run(cmd_repair, t->path, NULL) == 0);
	ending = disturb(t, t->undo, kind, n);
	CHECK(t, tool_run(cmd_repair, "-u", t->undo, t->path, NULL) == 0);
	CHECK(t, is_damaged(t));
	return ending != ENDED;
}

#define NWAY 8

static bool disturb_in_way(const struct trial *t, unsigned way, unsigned n)
{
	static const enum trouble kinds[] = {KILL, FAIL, FULL};

	switch (way) {
	case 0:
	case 1:
		return disturb_repair(t, kinds[way], false, n);
	case 2:
	case 3:
		return disturb_repair(t, kinds[way - 2], true, n);
	case 4:
		return disturb_repair(t, FULL, false, n);
	default:
		return disturb_undo(t, kinds[way - 5], n);
	}
}

/* Disturbs in one way at one call; in long runs in all ways, and sometimes at each call. */
static void disturb_somewhere(const struct trial *t, uint64_t *random)
{
	bool is_long = getenv("CHECK_LONG") != NULL;
	unsigned chosen = pick(random, NWAY);

	for (unsigned way = 0; way < NWAY; way++) {
		unsigned n = 1 + pick(random, way == 4 || way == 7 ? 3 : 12);

		if (is_long && t->seed % 25 == 0) {
			for (n = 1; disturb_in_way(t, way, n); n++)
				;
		} else if (is_long || way == chosen) {
			disturb_in_way(t, way, n);
		}
	}
}

static void try_case(unsigned seed, unsigned verdicts[4])
{
	uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15);
	unsigned k = support_random(&random) % 4 == 0;
	struct trial t = {.seed = seed,
			  .path = support_path(true, "pool"),
			  .undo = support_path(true, "pool.undo"),
			  .undo2 = support_path(true, "pool.undo.1"),
			  .damaged = clone_file(&base[k])};
	int verdict;

	damage(&t.damaged, &random, t.what, sizeof(t.what));
	start(&t);
	verdict = read_only(&t);
	if (verdict == 1 && tool_run(cmd_repair, "-n", t.path, NULL) == 1 &&
	    strstr(tool_said, "can be repaired")) {
		repair_and_undo(&t);
		disturb_somewhere(&t, &random);
		verdicts[1]++;
	} else {
		CHECK(&t, tool_run(cmd_repair, t.path, NULL) == verdict);
		CHECK(&t, is_damaged(&t));
		verdicts[verdict == 1 ? 2 : verdict]++;
	}
	unlink(t.undo);
	unlink(t.undo2);
	free(t.damaged.p);
}

static void whatever_is_damaged(void **state)
{
	unsigned verdicts[4] = {0}; /* consistent, mended, hopeless, refused */
	const char *seed_text = getenv("SEED");
	const char *cases = getenv("CASES");
	unsigned first = seed_text ? (unsigned)atoi(seed_text) : 1;
	unsigned most = SUPPORT_SANITIZED ? 300 : 2000;
	unsigned n = cases ? (unsigned)atoi(cases) : getenv("CHECK_LONG") ? most : 200;

	(void)state;
	for (unsigned seed = first; seed < first + n; seed++)
		try_case(seed, verdicts);
	print_message(
	    "seeds %u to %u: %u consistent, %u mended, %u beyond repair, %u refused\n",
	    first, first + n - 1, verdicts[0], verdicts[1], verdicts[2], verdicts[3]);
	assert_true(n < 100 || verdicts[1] > n / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whatever_is_damaged),
	};

	return cmocka_run_group_tests(tests, make_bases, free_bases);
}
