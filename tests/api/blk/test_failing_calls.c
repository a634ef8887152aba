/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each system call that the library makes fails, in all ways of failing_calls.h. Either the library's
 * call fails with that error and a message, or the failure makes no difference and stands in the list
 * here. Then no descriptor, mapping or lock is left, the pool is consistent, and holds what was
 * confirmed. test_create_fails.c does this with pmemblk_create(), where files must also stay as they were.
 */
#include "set_fixture.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>

#include "failing_calls.h"

#define MIB ((size_t)1 << 20)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { BSIZE = 512, OTHER = 5, MINE = 3 };

static const char *pool_path;
static PMEMblkpool *pool;
static char block[BSIZE];

/* --- the steps ----------------------------------------------------------------------------- */

static PMEMblkpool *open_pool(void)
{
	PMEMblkpool *p = pmemblk_open(pool_path, BSIZE);

	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	return p;
}

static void close_pool(void)
{
	if (pool)
		pmemblk_close(pool);
	pool = NULL;
}

static void fill(char c)
{
	memset(block, c, sizeof(block));
}

static void have_blocks(void)
{
	pool = open_pool();
	fill('o');
	assert_int_equal(pmemblk_write(pool, block, MINE), 0);
	assert_int_equal(pmemblk_write(pool, block, OTHER), 0);
	fill('n');
}

static void have_closed(void)
{
	have_blocks();
	close_pool();
}

/* A write that got no further than its first sync. */
static void have_unfinished(void)
{
	unsigned way = failing_calls_chosen;

	have_blocks();
	failing_calls_choose(0);
	failing_calls_arm(1);
	assert_int_equal(pmemblk_write(pool, block, MINE), -1);
	assert_true(failing_calls_disarm());
	close_pool();
	failing_calls_choose(way);
}

static void have_new(void)
{
}

static void have_new_open(void)
{
	pool = open_pool();
	fill('n');
}

static int do_open(void)
{
	pool = pmemblk_open(pool_path, BSIZE);
	return pool ? 0 : -1;
}

static int do_check(void)
{
	int ret = pmemblk_check(pool_path, BSIZE);

	assert_int_not_equal(ret, 0);
	return ret < 0 ? -1 : 0;
}

static int do_close(void)
{
	close_pool();
	return 0;
}

static int do_write(void)
{
	return pmemblk_write(pool, block, MINE);
}

static int do_writev(void)
{
	struct pmemblk_iovec v = {block, MINE, 1};

	return pmemblk_writev(pool, &v, 1, NULL);
}

static int do_read(void)
{
	int ret = pmemblk_read(pool, block, MINE);

	if (ret == 0)
		assert_int_equal(block[0], 'o');
	return ret;
}

static int do_zero(void)
{
	return pmemblk_set_zero(pool, MINE);
}

static int do_error(void)
{
	return pmemblk_set_error(pool, MINE);
}

static const struct step {
	const char *name;
	void (*prepare)(void);
	int (*run)(void);
	char then[4]; /* what MINE may hold afterwards; z: zero, e: error */
	char done;    /* after a success */
	/* how many questions about files may fail without a difference, in one file and in two */
	unsigned unnoticed[2];
} steps[] = {
    {"open", have_closed, do_open, "o", 'o', {2, 6}},
    {"open a new pool", have_new, do_open, "z", 'z', {2, 6}},
    {"open with an unfinished write", have_unfinished, do_open, "on", 0, {2, 6}},
    {"check", have_closed, do_check, "o", 'o', {2, 6}},
    {"check with an unfinished write", have_unfinished, do_check, "on", 0, {2, 6}},
    {"the first write", have_new_open, do_write, "zn", 'n', {0, 0}},
    {"write", have_blocks, do_write, "on", 'n', {0, 0}},
    {"writev", have_blocks, do_writev, "on", 'n', {0, 0}},
    {"read", have_blocks, do_read, "o", 'o', {0, 0}},
    {"set_zero", have_blocks, do_zero, "oz", 'z', {0, 0}},
    {"set_error", have_blocks, do_error, "oe", 'e', {0, 0}},
    {"close", have_blocks, do_close, "o", 'o', {0, 0}},
};

/* --- the judge ----------------------------------------------------------------------------- */

static bool asks_about_file(void)
{
#ifdef SYS_access
	if (failing_calls_last.number == SYS_access)
		return true;
#endif
	return failing_calls_is_stat() || failing_calls_last.number == SYS_faccessat;
}

/* Failures that make no difference: of questions with another way out, and of advice. */
static bool is_harmless(void)
{
	switch (failing_calls_last.number) {
	case SYS_fstatfs:
	case SYS_lseek:
	case SYS_read: /* of the disk's description in /sys */
	case SYS_readlinkat:
#ifdef SYS_readlink
	case SYS_readlink:
#endif
	case SYS_membarrier:
	case SYS_madvise:
		return true;
	case SYS_flock: /* close(2) follows */
		return failing_calls_last.arg[1] == LOCK_UN;
	case SYS_mmap: /* memory and addresses; files that cannot be mapped synchronously */
		return failing_calls_last.arg[3] & MAP_ANONYMOUS;
	default:
		return failing_calls_is_below_proc_or_sys();
	}
}

static char content(long long number)
{
	if (pmemblk_read(pool, block, number) < 0) {
		assert_int_equal(errno, EIO);
		return 'e';
	}
	for (size_t i = 1; i < sizeof(block); i++)
		assert_int_equal(block[i], block[0]);
	return block[0] ? block[0] : 'z';
}

static void check_pool(const struct step *s, unsigned at, bool has_passed)
{
	char mine;

	if (pmemblk_check(pool_path, BSIZE) != 1)
		fail_msg("%s: the check says: %s", failing_calls_text(s->name, at),
			 pmemblk_errormsg());
	pool = open_pool();
	mine = content(MINE);
	if (!strchr(s->then, mine) || (has_passed && s->done && mine != s->done))
		fail_msg("%s: the block has '%c'", failing_calls_text(s->name, at), mine);
	if (content(OTHER) != (s->then[0] == 'z' ? 'z' : 'o'))
		fail_msg("%s: another block has changed",
			 failing_calls_text(s->name, at));
	close_pool();
}

/* Returns whether the call that had to fail occurred. */
static bool fail_one(const struct step *s, unsigned at, const char *text,
		     unsigned *unnoticed)
{
	unsigned descriptors;
	unsigned mappings;
	bool is_met;
	int err;
	int ret;

	pool = NULL;
	unlink(set_path("a"));
	unlink(set_path("b"));
	pool = text ? set_create(text, BSIZE)
		    : pmemblk_create(pool_path, BSIZE, 17 * MIB, 0644);
	assert_non_null(pool);
	close_pool();
	descriptors = support_count_descriptors();
	mappings = support_count_mappings(set_dir);
	s->prepare();
	errno = 0;
	failing_calls_arm(at);
	ret = s->run();
	err = errno;
	is_met = failing_calls_disarm();
	if ((!is_met || failing_calls_how != FAILING_CALLS_ERROR) && ret != 0)
		fail_msg("%s: %s", failing_calls_text(s->name, at), pmemblk_errormsg());
	if (ret != 0 && err != failing_calls_error(failing_calls_last.number))
		fail_msg("%s: %s", failing_calls_text(s->name, at), strerror(err));
	if (ret != 0 && !strstr(pmemblk_errormsg(), strerror(err)))
		fail_msg("%s: the message is: %s", failing_calls_text(s->name, at),
			 pmemblk_errormsg());
	if (failing_calls_how != FAILING_CALLS_ERROR)
		; /* the call is repeated, or continued */
	else if (is_met && ret == 0 && asks_about_file())
		++*unnoticed;
	else if (is_met && ret == 0 && s->run != do_close && !is_harmless())
		fail_msg("%s: succeeds", failing_calls_text(s->name, at));
	close_pool();
	if (support_count_descriptors() != descriptors)
		fail_msg("%s: a descriptor is left", failing_calls_text(s->name, at));
	if (support_count_mappings(set_dir) != mappings)
		fail_msg("%s: a mapping is left", failing_calls_text(s->name, at));
	check_pool(s, at, ret == 0 && s->run != do_close);
	return is_met;
}

static void fail_each_of(const struct step *s, const char *text)
{
	unsigned unnoticed = 0;
	unsigned at = 1;

	while (fail_one(s, at, text, &unnoticed))
		at++;
	if (failing_calls_how != FAILING_CALLS_ERROR)
		return;
	/* which questions are asked again is not counted */
	if (!failing_calls_lasting && failing_calls_is_on_tmpfs(set_dir) &&
	    unnoticed != s->unnoticed[text != NULL])
		fail_msg("%s: %u failures make no difference", s->name, unnoticed);
	if (at == 1 && s->run != do_read)
		fail_msg("%s: no call", s->name);
}

/* text: of the set file, or NULL */
static int fail_each(const void *text)
{
	for (size_t i = 0; i < COUNT(steps); i++)
		for (unsigned way = 0; way < FAILING_CALLS_WAYS; way++) {
			failing_calls_choose(way);
			fail_each_of(&steps[i], text);
		}
	return 0;
}

static void in_one_file_each_failure_is_reported_or_harmless(void **state)
{
	(void)state;
	pool_path = strdup(set_path("a"));
	assert_int_equal(failing_calls_fork(fail_each, NULL), 0);
}

static void in_two_files_each_failure_is_reported_or_harmless(void **state)
{
	(void)state;
	pool_path = strdup(set_path("set"));
	assert_int_equal(failing_calls_fork(fail_each, "9M @/a\n9M @/b\n"), 0);
}

/* In a process that has opened no pool. Returns 'r' refused, 'o' opened, '.' no such call. */
static int open_without_shared_memory(const void *at)
{
	const long kind = MAP_SHARED | MAP_ANONYMOUS;
	PMEMblkpool *p;

	failing_calls_lasting = true;
	failing_calls_arm(*(const unsigned *)at);
	p = pmemblk_open(pool_path, BSIZE);
	if (!failing_calls_disarm())
		return '.';
	if (failing_calls_last.number != SYS_mmap ||
	    (failing_calls_last.arg[3] & kind) != kind)
		return 'o';
	return !p && errno == ENOMEM && strstr(pmemblk_errormsg(), pool_path) ? 'r' : 'x';
}

static int make_pool(const void *unused)
{
	(void)unused;
	pmemblk_close(pmemblk_create(pool_path, BSIZE, 17 * MIB, 0644));
	return 0;
}

static void without_memory_to_share_with_children_no_pool_is_opened(void **state)
{
	unsigned refused = 0;
	int outcome = 0;

	(void)state;
	pool_path = strdup(set_path("a"));
	assert_int_equal(failing_calls_fork(make_pool, NULL), 0);
	for (unsigned at = 1; outcome != '.'; at++) {
		outcome = failing_calls_fork(open_without_shared_memory, &at);
		assert_int_not_equal(outcome, 'x');
		refused += outcome == 'r';
	}
	assert_true(refused > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SET_CASE(without_memory_to_share_with_children_no_pool_is_opened),
	    SET_CASE(in_one_file_each_failure_is_reported_or_harmless),
	    SET_CASE(in_two_files_each_failure_is_reported_or_harmless),
	};

	unsetenv("PMEM_IS_PMEM_FORCE");
	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	if (SUPPORT_SANITIZED) {
		puts("the sanitizers make system calls of their own");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
