/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each system call that a command of the tool makes fails, in all ways of failing_calls.h. Either the
 * command says so and ends with the status of an error, or it prints the same as without the failure,
 * and has done the same. After an error the pool is as before, or the way that the message names leads back to it.
 */
#include "run_tool.h"

#include <fcntl.h>
#include <libpmemblk.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "failing_calls.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What a child found. */
struct outcome {
	bool is_met; /* the call that had to fail has occurred */
	int status;
	char said[1 << 16];
	__typeof__(failing_calls_last) last;
};

enum { BSIZE = 4096, LENGTH = 20 << 20, NDATA = 20, NIMPORT = 3 };

static struct outcome *outcome;
static const char *base; /* the pool's file before a command */
static size_t base_nblock;
static const char *pool;
static const char *other; /* file beside the pool */
static const char *undo;

/* --- the pool ------------------------------------------------------------------------------ */

/* It is small, and what was never written are holes. */
static void make_base(void)
{
	char block[BSIZE];
	PMEMblkpool *p;

	support_write_file(base, "", 0);
	assert_int_equal(truncate(base, LENGTH), 0);
	p = pmemblk_create(base, BSIZE, 0, 0600);
	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	for (int i = 0; i < NDATA; i++) {
		memset(block, 'a' + i, sizeof(block));
		assert_int_equal(pmemblk_write(p, block, i), 0);
	}
	assert_int_equal(pmemblk_set_error(p, NDATA), 0);
	base_nblock = pmemblk_nblock(p);
	pmemblk_close(p);
}

static void have_pool(void)
{
	static char buf[1 << 16];
	int in = open(base, O_RDONLY | O_CLOEXEC);
	int out = open(pool, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	off_t at = 0;

	assert_true(in >= 0 && out >= 0);
	assert_int_equal(ftruncate(out, LENGTH), 0);
	while ((at = lseek(in, at, SEEK_DATA)) >= 0) {
		ssize_t n = pread(in, buf, sizeof(buf), at);

		assert_true(n > 0 && pwrite(out, buf, (size_t)n, at) == n);
		at += n;
	}
	close(in);
	close(out);
}

static void have_none(void)
{
}

/* The first info block is lost. */
static void have_damaged(void)
{
	static const char zeros[64];
	int fd;

	have_pool();
	fd = open(pool, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, zeros, sizeof(zeros), 8192), sizeof(zeros));
	assert_int_equal(close(fd), 0);
}

static void have_repaired(void)
{
	have_damaged();
	assert_int_equal(tool_run(cmd_repair, "-b", undo, pool, NULL), TOOL_OK);
}

static void have_grown(void)
{
	have_pool();
	assert_int_equal(tool_run(cmd_grow, "-s", "40M", "-b", undo, pool, NULL),
			 TOOL_OK);
}

static void have_input(void)
{
	char text[NIMPORT * BSIZE];

	have_pool();
	memset(text, 'i', sizeof(text));
	support_write_file(other, text, sizeof(text));
}

/* --- what must hold afterwards ------------------------------------------------------------- */

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* A file is removed if it is seen to be the one that was made. */
static bool can_be_removed(void)
{
	return !failing_calls_lasting || !failing_calls_is_stat();
}

static void assert_made(const char *path, bool is_done)
{
	if (is_done || can_be_removed())
		assert_int_equal(exists(path), is_done);
}

/* imported: what the first blocks may hold instead; a success makes it sure. */
static void check_blocks(size_t nblock, char imported, bool is_sure)
{
	char block[BSIZE];
	PMEMblkpool *p;

	if (pmemblk_check(pool, BSIZE) != 1)
		fail_msg("the check says: %s", pmemblk_errormsg());
	p = pmemblk_open(pool, BSIZE);
	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	assert_int_equal(pmemblk_nblock(p), nblock);
	for (int i = 0; i < NDATA; i++) {
		const char old = (char)('a' + i);

		assert_int_equal(pmemblk_read(p, block, i), 0);
		assert_int_equal(memcmp(block, block + 1, sizeof(block) - 1), 0);
		if (imported && i < NIMPORT)
			assert_true(block[0] == imported ||
				    (!is_sure && block[0] == old));
		else
			assert_int_equal(block[0], old);
	}
	assert_int_equal(pmemblk_read(p, block, NDATA), -1);
	pmemblk_close(p);
}

static void check_unchanged(bool is_done)
{
	(void)is_done;
	check_blocks(base_nblock, 0, false);
}

static void check_made(bool is_done)
{
	if (is_done)
		assert_int_equal(pmemblk_check(pool, BSIZE), 1);
	else if (strstr(outcome->said, "was made, but not laid out"))
		assert_int_equal(pmemblk_check(pool, BSIZE), 1);
	else
		assert_made(pool, false);
}

/* The pool is for its owner only. */
static void assert_private(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & 077) != 0)
		fail_msg("%s has the mode %o", path, st.st_mode);
}

static void check_export(bool is_done)
{
	unsigned char *p;
	size_t len;

	check_blocks(base_nblock, 0, false);
	assert_made(other, is_done);
	assert_private(other);
	if (!is_done)
		return;
	p = support_read_file(other, &len);
	assert_int_equal(len, base_nblock * BSIZE);
	for (size_t i = 0; i < len; i++)
		if (p[i] != (i / BSIZE < NDATA ? 'a' + i / BSIZE : 0))
			fail_msg("the file differs at offset %zu", i);
	free(p);
}

static const char old_text[] = "what the file held before";

static void have_old(void)
{
	have_pool();
	support_write_file(other, old_text, sizeof(old_text));
}

/* After an error it is as before or empty, unless it cannot be emptied. Messages may be lost, too. */
static void check_overwritten(bool is_done)
{
	unsigned char *p = support_read_file(other, &(size_t){0});
	struct stat st;

	assert_int_equal(stat(other, &st), 0);
	if (is_done)
		assert_memory_equal(p, "<?xml ", 6);
	else if (st.st_size == 0)
		assert_true(failing_calls_last.number == SYS_write ||
			    strstr(outcome->said, "is left empty"));
	else if (!strstr(outcome->said, "cannot be emptied"))
		assert_memory_equal(p, old_text, sizeof(old_text));
	free(p);
	check_blocks(base_nblock, 0, false);
}

static void check_picture(bool is_done)
{
	check_blocks(base_nblock, 0, false);
	assert_made(other, is_done);
	assert_private(other);
}

static void check_import(bool is_done)
{
	check_blocks(base_nblock, 'i', is_done);
}

static void check_damaged(bool is_done)
{
	(void)is_done;
	assert_int_equal(pmemblk_check(pool, BSIZE), 0);
	assert_int_equal(tool_run(cmd_repair, pool, NULL), TOOL_OK);
	check_blocks(base_nblock, 0, false);
}

static void check_repaired(bool is_done)
{
	if (!is_done)
		assert_int_equal(tool_run(cmd_repair, pool, NULL), TOOL_OK);
	check_blocks(base_nblock, 0, false);
}

static void check_damaged_again(bool is_done)
{
	if (!is_done)
		assert_int_equal(tool_run(cmd_repair, "-u", undo, pool, NULL), TOOL_OK);
	check_damaged(true);
}

static void check_grown(bool is_done)
{
	PMEMblkpool *p;
	size_t nblock;

	if (!is_done) {
		if (strstr(outcome->said, "take it back with"))
			assert_int_equal(tool_run(cmd_grow, "-u", undo, pool, NULL),
					 TOOL_OK);
		check_blocks(base_nblock, 0, false);
		return;
	}
	p = pmemblk_open(pool, BSIZE);
	assert_non_null(p);
	nblock = pmemblk_nblock(p);
	pmemblk_close(p);
	assert_true(nblock > base_nblock);
	check_blocks(nblock, 0, false);
}

static void check_small_again(bool is_done)
{
	if (!is_done)
		assert_int_equal(tool_run(cmd_grow, "-u", undo, pool, NULL), TOOL_OK);
	check_blocks(base_nblock, 0, false);
}

/* --- the commands -------------------------------------------------------------------------- */

static const struct step {
	const char *name;
	tool_function *command;
	const char *args[6]; /* P: the pool, O: the other file, U: the backup */
	void (*prepare)(void);
	void (*check)(bool is_done);
	/* how many calls of msync(2) may fail unnoticed: those of a close */
	unsigned nsync;
} steps[] = {
    {"create", cmd_create, {"-b", "4096", "P"}, have_none, check_made, 1},
    {"create -w", cmd_create, {"-w", "-b", "4096", "P"}, have_none, check_made, 1},
    {"create -s 0",
     cmd_create,
     {"-s", "0", "-b", "4096", "P"},
     have_pool,
     check_unchanged,
     0},
    {"info", cmd_info, {"P"}, have_pool, check_unchanged, 0},
    {"info -s", cmd_info, {"-s", "P"}, have_pool, check_unchanged, 0},
    {"info -m", cmd_info, {"-m", "O", "P"}, have_pool, check_picture, 0},
    {"info -f -m", cmd_info, {"-f", "-m", "O", "P"}, have_old, check_overwritten, 0},
    {"check", cmd_check, {"P"}, have_pool, check_unchanged, 0},
    {"check of a damaged pool", cmd_check, {"-q", "P"}, have_damaged, check_damaged, 0},
    {"dump", cmd_dump, {"-r", "0-3", "P"}, have_pool, check_unchanged, 0},
    {"export -e", cmd_export, {"-e", "P", "O"}, have_pool, check_export, 0},
    {"import", cmd_import, {"O", "P"}, have_input, check_import, 2},
    {"repair -n", cmd_repair, {"-n", "P"}, have_damaged, check_damaged, 0},
    {"repair", cmd_repair, {"-b", "U", "P"}, have_damaged, check_repaired, 0},
    {"repair -u", cmd_repair, {"-u", "U", "P"}, have_repaired, check_damaged_again, 0},
    {"grow -n", cmd_grow, {"-n", "-s", "40M", "P"}, have_pool, check_unchanged, 0},
    {"grow", cmd_grow, {"-s", "40M", "-b", "U", "P"}, have_pool, check_grown, 0},
    {"grow -u", cmd_grow, {"-u", "U", "P"}, have_grown, check_small_again, 0},
};

/* --- the judge ----------------------------------------------------------------------------- */

static unsigned fails_at;
static const struct step *step_judged;
static tool_function *armed_command;

static enum tool_status armed(const struct tool_command *self, int argc, char **argv)
{
	enum tool_status status;

	failing_calls_arm(fails_at);
	status = tool_finish_output(armed_command(self, argc, argv));
	outcome->is_met = failing_calls_disarm();
	return status;
}

static const char *arg_of(const struct step *s, size_t i)
{
	const char *a = s->args[i];

	if (!a || a[1])
		return a;
	return *a == 'P' ? pool : *a == 'O' ? other : *a == 'U' ? undo : a;
}

static int run_in_child(const void *step)
{
	const struct step *s = step;

	alarm(60);
	armed_command = s->command;
	outcome->status = tool_run(armed, arg_of(s, 0), arg_of(s, 1), arg_of(s, 2),
				   arg_of(s, 3), arg_of(s, 4), arg_of(s, 5), NULL);
	strncpy(outcome->said, tool_said, sizeof(outcome->said) - 1);
	outcome->last = failing_calls_last;
	return 0;
}

static void run_armed(const struct step *s)
{
	memset(outcome, 0, sizeof(*outcome));
	assert_int_equal(failing_calls_fork(run_in_child, s), 0);
	failing_calls_last = outcome->last;
}

/* Calls whose failure changes the result, or makes it less durable. */
static bool must_be_noticed(const struct step *s, unsigned *nsync)
{
	if (failing_calls_how != FAILING_CALLS_ERROR)
		return false; /* see must_go_on() */
	switch (failing_calls_last.number) {
	case SYS_msync:
		return ++*nsync > s->nsync;
	case SYS_write:
	case SYS_pwrite64:
	case SYS_writev:
	case SYS_ftruncate:
	case SYS_fallocate:
	case SYS_fsync:
	case SYS_fdatasync:
	case SYS_fchmod:
	case SYS_unlinkat:
	case SYS_renameat2:
		return true;
	default:
		return false;
	}
}

static bool is_write_to(int fd)
{
	return failing_calls_last.number == SYS_write && failing_calls_last.arg[0] == fd;
}

static bool is_given(const struct step *s, const char *option)
{
	for (size_t i = 0; i < COUNT(s->args) && s->args[i]; i++)
		if (strcmp(s->args[i], option) == 0)
			return true;
	return false;
}

/* Calls of stdio, which reads and writes backups, pictures and what is printed. */
static bool is_of_stdio(const struct step *s)
{
	if (failing_calls_last.number == SYS_read)
		return is_given(s, "-u");
	return failing_calls_last.number == SYS_write &&
	       (is_write_to(STDOUT_FILENO) || is_write_to(STDERR_FILENO) ||
		is_given(s, "U") || is_given(s, "-m"));
}

/* An interrupted call is repeated, but not by stdio. One that is half done is continued. */
static bool must_go_on(const struct step *s)
{
	return failing_calls_how == FAILING_CALLS_SHORT ||
	       (failing_calls_how == FAILING_CALLS_INTERRUPT && !is_of_stdio(s));
}

static void judge(const struct step *s, int status, const char *said, unsigned *nsync)
{
	bool is_quiet = is_write_to(STDERR_FILENO) ||
			(failing_calls_lasting && failing_calls_last.number == SYS_write);
	bool is_done = outcome->status == status;

	if (must_go_on(s) && !is_done) {
		fail_msg("%s: it ends: %s", failing_calls_text(s->name, fails_at),
			 outcome->said);
	} else if (outcome->status == TOOL_FAILED) {
		if (!is_quiet && !strstr(outcome->said, "pmemblk: "))
			fail_msg("%s: no message: %s",
				 failing_calls_text(s->name, fails_at), outcome->said);
	} else if (!is_done) {
		fail_msg("%s: status %d: %s", failing_calls_text(s->name, fails_at),
			 outcome->status, outcome->said);
	} else if (!is_quiet && strncmp(outcome->said, said, strlen(said)) != 0) {
		fail_msg("%s: it says: %s", failing_calls_text(s->name, fails_at),
			 outcome->said);
	} else if (!is_quiet && must_be_noticed(s, nsync)) {
		fail_msg("%s: unnoticed", failing_calls_text(s->name, fails_at));
	}
	/* the last call tells what was done */
	if (is_write_to(STDOUT_FILENO))
		is_done = true;
	step_judged = s;
	s->check(is_done && status != TOOL_FAILED);
	step_judged = NULL;
}

/* Tells which call it was if a check ends the case. */
static int tell_last(void **state)
{
	(void)state;
	if (step_judged)
		print_message("after %s: %s\n",
			      failing_calls_text(step_judged->name, fails_at),
			      outcome->said);
	return 0;
}

static void fail_each(const struct step *s)
{
	static char said[sizeof(outcome->said)];
	unsigned nsync = 0;
	int status = 0;

	for (fails_at = 0; fails_at == 0 || outcome->is_met; fails_at++) {
		unlink(pool);
		unlink(other);
		unlink(undo);
		s->prepare();
		run_armed(s);
		if (fails_at == 0) {
			strcpy(said, outcome->said);
			status = outcome->status;
			s->check(status != TOOL_FAILED);
			outcome->is_met = true;
		} else if (outcome->is_met) {
			judge(s, status, said, &nsync);
		} else if (outcome->status != status) {
			fail_msg("%s: status %d", failing_calls_text(s->name, fails_at),
				 outcome->status);
		}
	}
	print_message("%s: each of %u calls has failed\n", s->name, fails_at - 2);
	if (failing_calls_how == FAILING_CALLS_ERROR && fails_at < 20)
		fail_msg("%s: only %u calls", s->name, fails_at);
}

static void each_failure_is_reported_or_harmless(void **state)
{
	(void)state;
	if (SUPPORT_SANITIZED) /* the sanitizers make system calls of their own */
		skip();
	for (size_t i = 0; i < COUNT(steps); i++)
		for (unsigned way = 0; way < FAILING_CALLS_WAYS; way++) {
			failing_calls_choose(way);
			fail_each(&steps[i]);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(each_failure_is_reported_or_harmless, tell_last),
	};

	unsetenv("PMEM_IS_PMEM_FORCE");
	outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (outcome == MAP_FAILED)
		return 1;
	if (SUPPORT_SANITIZED) {
		puts("the sanitizers make system calls of their own");
		return 77;
	}
	base = support_path(true, "base");
	pool = support_path(true, "pool");
	other = support_path(true, "other");
	undo = support_path(true, "undo");
	make_base();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
