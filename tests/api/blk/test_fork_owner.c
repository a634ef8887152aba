/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When the owner of a pool counts as gone. Owners end or execute another program. Processes close
 * all descriptors, or were made by clone(2). test_fork_namespaces.c has processes in namespaces.
 */
#include "fork_family.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

/* Both end, the owner first. */
static void run_family(void (*owner)(struct family *), void (*child)(struct family *))
{
	struct family f;

	assert_ends_well(start_family(&f, owner, child));
	assert_orphan_ends_well();
	assert_int_equal(pmemblk_check(path, 0), 1);
}

/* --- the ends of an owner ----------------------------------------------------------------- */

static void become_another_program(struct family *f)
{
	(void)await(f->turns.to_child[0]);
	execlp("sleep", "sleep", "1000", (char *)NULL);
	_exit(1);
}

static void take_over_after_execution(struct family *f)
{
	EXPECT(is_busy(f->pool));
	hand_over(f->turns.to_child[1]);
	await_end_of_owner(f);
	EXPECT(byteblock_put(f->pool, 0, 7) == 0);
	EXPECT(byteblock_get(f->pool, 0) == 7);
	pmemblk_close(f->pool);
	hand_over(f->turns.to_parent[1]);
}

static void an_owner_that_executes_another_program_is_gone(void **state)
{
	struct family f;
	int status;
	pid_t owner;

	(void)state;
	owner = start_family(&f, become_another_program, take_over_after_execution);
	close(f.turns.to_parent[1]);
	assert_true(await(f.turns.to_parent[0]));
	assert_int_equal(waitpid(owner, &status, WNOHANG), 0); /* it still runs */
	kill(owner, SIGKILL);
	assert_int_equal(waitpid(owner, &status, 0), owner);
	assert_orphan_ends_well();
	assert_int_equal(pmemblk_check(path, 0), 1);
}

static void wait_for_ever(struct family *f)
{
	(void)f;
	for (;;)
		pause();
}

static void take_over_after_end(struct family *f)
{
	EXPECT(is_busy(f->pool));
	hand_over(f->turns.to_parent[1]);
	await_end_of_owner(f);
	put_soon(f->pool);
	pmemblk_close(f->pool);
}

static void an_owner_that_was_killed_is_gone(void **state)
{
	struct family f;
	int status;
	pid_t owner;

	(void)state;
	owner = start_family(&f, wait_for_ever, take_over_after_end);
	assert_true(await(f.turns.to_parent[0]));
	kill(owner, SIGKILL);
	assert_int_equal(waitpid(owner, &status, 0), owner);
	assert_orphan_ends_well();
	assert_int_equal(pmemblk_check(path, 0), 1);
}

/* The same without /proc, which would show a zombie. Hides it if this is allowed. */
static void hide_proc(void)
{
	if (unshare(CLONE_NEWNS) == 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		mount("none", "/proc", "tmpfs", 0, NULL);
}

static void take_over_from_zombie(struct family *f)
{
	hide_proc();
	EXPECT(is_busy(f->pool));
	hand_over(f->turns.to_parent[1]);
	await_end_of_owner(f);
	put_soon(f->pool);
	hand_over(f->turns.to_parent[1]);
	pmemblk_close(f->pool);
}

static void an_owner_whose_end_nobody_has_taken_note_of_is_gone(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct family f;
		siginfo_t info;
		int status;
		pid_t owner;

		no_segments = i == 1;
		owner = start_family(&f, wait_for_ever, take_over_from_zombie);
		close(f.turns.to_parent[1]);
		assert_true(await(f.turns.to_parent[0]));
		kill(owner, SIGKILL);
		assert_int_equal(waitid(P_PID, (id_t)owner, &info, WEXITED | WNOWAIT), 0);
		assert_true(
		    await(f.turns.to_parent[0])); /* it is a zombie all the time */
		assert_int_equal(waitpid(owner, &status, 0), owner);
		assert_orphan_ends_well();
		no_segments = false;
		assert_int_equal(pmemblk_check(path, 0), 1);
		unlink(path);
	}
}

/* --- processes that close everything ------------------------------------------------------ */

/* Closes everything as daemon(3) does, and leaves the folder. */
static void become_a_daemon(struct family *f)
{
	EXPECT(is_busy(f->pool));
	hand_over(f->turns.to_child[1]);
	for (int fd = 0; fd < 100; fd++)
		close(fd);
	EXPECT(setsid() > 0 && chdir("/") == 0);
	put_soon(f->pool);
	EXPECT(byteblock_get(f->pool, 0) == 7);
	pmemblk_close(f->pool);
}

static void closing_all_descriptors_changes_nothing(void **state)
{
	(void)state;
	run_family(end_on_demand, become_a_daemon);
}

/* It needs some time to end, but less than the child waits for it. */
static void end_slowly_on_demand(struct family *f)
{
	static const struct timespec moment = {.tv_nsec = 5000000};

	end_on_demand(f);
	clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
}

/* The first write of a daemon, which begins before its parent has ended. */
static void write_at_once(struct family *f)
{
	hand_over(f->turns.to_child[1]);
	EXPECT(byteblock_put(f->pool, 0, 7) == 0);
	pmemblk_close(f->pool);
}

static void a_child_waits_for_a_parent_that_is_about_to_end(void **state)
{
	(void)state;
	run_family(end_slowly_on_demand, write_at_once);
}

static bool counts_naps;
static unsigned naps;

SUPPORT_INTERPOSE int clock_nanosleep(clockid_t clock, int flags,
				      const struct timespec *t, struct timespec *left)
{
	if (counts_naps && flags == 0 && t->tv_sec == 0 && t->tv_nsec > 900000 &&
	    t->tv_nsec < 1100000) {
		naps++;
		return 0;
	}
	return syscall(SYS_clock_nanosleep, clock, flags, t, left) == 0 ? 0 : errno;
}

static unsigned naps_of_a_write(PMEMblkpool *p)
{
	naps = 0;
	EXPECT(is_busy(p));
	return naps;
}

/* Otherwise each of its writes would take so long, and those of its own children. */
static void a_child_waits_only_once_and_only_for_its_parent(void **state)
{
	PMEMblkpool *p = create();
	pid_t pid;

	(void)state;
	counts_naps = true;
	pid = fork();
	if (pid == 0) {
		unsigned n = naps_of_a_write(p);

		EXPECT(n >= 90 && n <= 110);
		EXPECT(naps_of_a_write(p) == 0);
		if (fork() == 0) {
			EXPECT(naps_of_a_write(p) == 0);
			_exit(0);
		}
		expect_ends_well(-1);
		_exit(0);
	}
	counts_naps = false;
	assert_ends_well(pid);
	pmemblk_close(p);
}

/* Counts the mappings of System V segments. */
static unsigned count_segments(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[600];
	unsigned n = 0;

	EXPECT(maps != NULL);
	while (fgets(line, sizeof(line), maps))
		n += strstr(line, "/SYSV") != NULL;
	fclose(maps);
	return n;
}

static void forks_leave_no_descriptor_and_closing_leaves_no_memory(void **state)
{
	unsigned before = support_count_descriptors();
	PMEMblkpool *p;
	pid_t pid;

	(void)state;
	if (access("/proc/self/maps", R_OK) != 0)
		skip(); /* the mappings cannot be counted */
	p = create();
	assert_int_equal(count_segments(), 0); /* no segment before the first fork */
	for (int i = 0; i < 10; i++) {
		pid = fork();
		if (pid == 0) {
			EXPECT(support_count_descriptors() == before);
			EXPECT(count_segments() == 1);
			EXPECT(is_busy(p));
			EXPECT(support_count_descriptors() == before);
			pmemblk_close(p);
			EXPECT(count_segments() == 0);
			_exit(0);
		}
		assert_ends_well(pid);
		assert_int_equal(count_segments(), 2);
	}
	pmemblk_close(p);
	assert_int_equal(count_segments(), 0);
	assert_int_equal(support_count_descriptors(), before);
}

/* --- children that the C library does not know of ----------------------------------------- */

/* A child does not inherit the role, neither before the first fork nor after it, nor does its child. */
static void clone_and_fork(void)
{
	PMEMblkpool *p = create();
	pid_t pid;

	assert_int_equal(byteblock_put(p, 0, 9), 0);
	for (int i = 0; i < 2; i++) {
		pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
		if (pid == 0) {
			alarm(30);
			EXPECT(is_busy(p));
			EXPECT(byteblock_get(p, 0) == 9);
			if (fork() == 0) { /* its parent is not the owner */
				EXPECT(is_busy(p));
				EXPECT(byteblock_get(p, 0) == 9);
				_exit(0);
			}
			expect_ends_well(-1);
			pmemblk_close(p);
			_exit(0);
		}
		assert_ends_well(pid);
		assert_int_equal(byteblock_put(p, 0, 9), 0);
		pid = fork();
		if (pid == 0)
			_exit(is_busy(p) ? 0 : 1);
		assert_ends_well(pid);
	}
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(path, 0), 1);
	unlink(path);
}

static void a_child_made_by_clone_does_not_write(void **state)
{
	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* a sanitizer does not know of such a child, either */
	clone_and_fork();
	no_segments = true;
	clone_and_fork();
	no_segments = false;
}

/* The number of the parent that the kernel gives; -1: the real one. */
static pid_t parent = -1;

SUPPORT_INTERPOSE pid_t getppid(void)
{
	return parent >= 0 ? parent : (pid_t)syscall(SYS_getppid);
}

static bool
    init_adopts; /* orphans become children of process 1, as they do without a subreaper */

/* A child can only find out whether its own parent has ended. */
static void take_over_from_parent_only(struct family *f)
{
	EXPECT(is_busy(f->pool));
	parent = 0; /* it is in another namespace */
	EXPECT(is_busy(f->pool));
	parent = -1;
	if (fork() == 0) {
		await_end_of_owner(f);
		EXPECT(is_busy(f->pool));
		_exit(0);
	}
	hand_over(f->turns.to_child[1]);
	await_end_of_owner(f);
	expect_ends_well(-1);
	if (init_adopts)
		parent = 1;
	put_soon(f->pool);
	parent = -1;
	pmemblk_close(f->pool);
}

static void without_segments_a_child_takes_over_from_its_parent(void **state)
{
	(void)state;
	no_segments = true;
	for (int i = 0; i < 2; i++) {
		init_adopts = i == 1;
		run_family(end_on_demand, take_over_from_parent_only);
		unlink(path);
	}
	no_segments = false;
}

static struct turns siblings;

static void bear_a_sibling(struct family *f)
{
	if (fork() == 0) {
		alarm(30);
		close(f->owner_is_there[1]);
		EXPECT(await(siblings.to_child[0]));
		EXPECT(is_busy(f->pool));
		EXPECT(byteblock_get(f->pool, 0) == 7);
		hand_over(siblings.to_parent[1]);
		_exit(0);
	}
	end_on_demand(f);
}

static void take_over_before_the_sibling(struct family *f)
{
	hand_over(f->turns.to_child[1]);
	await_end_of_owner(f);
	put_soon(f->pool);
	/* a fork of the new owner does not make it look like the old one */
	if (fork() == 0)
		_exit(0);
	expect_ends_well(-1);
	hand_over(siblings.to_child[1]);
	EXPECT(await(siblings.to_parent[0]));
	EXPECT(byteblock_put(f->pool, 0, 8) == 0);
	pmemblk_close(f->pool);
}

/* Both have lost their parent. But it is not the owner any more. */
static void without_segments_only_one_sibling_takes_over(void **state)
{
	struct family f;
	pid_t owner;

	(void)state;
	no_segments = true;
	start_turns(&siblings);
	owner = start_family(&f, bear_a_sibling, take_over_before_the_sibling);
	assert_ends_well(owner);
	assert_orphan_ends_well();
	assert_orphan_ends_well();
	no_segments = false;
	assert_int_equal(pmemblk_check(path, 0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(an_owner_that_executes_another_program_is_gone,
				   new_path),
	    cmocka_unit_test_setup(an_owner_that_was_killed_is_gone, new_path),
	    cmocka_unit_test_setup(an_owner_whose_end_nobody_has_taken_note_of_is_gone,
				   new_path),
	    cmocka_unit_test_setup(closing_all_descriptors_changes_nothing, new_path),
	    cmocka_unit_test_setup(a_child_waits_for_a_parent_that_is_about_to_end,
				   new_path),
	    cmocka_unit_test_setup(a_child_waits_only_once_and_only_for_its_parent,
				   new_path),
	    cmocka_unit_test_setup(forks_leave_no_descriptor_and_closing_leaves_no_memory,
				   new_path),
	    cmocka_unit_test_setup(a_child_made_by_clone_does_not_write, new_path),
	    cmocka_unit_test_setup(without_segments_a_child_takes_over_from_its_parent,
				   new_path),
	    cmocka_unit_test_setup(without_segments_only_one_sibling_takes_over,
				   new_path),
	};

	return run_on_both("fork_owner", tests, sizeof(tests) / sizeof(tests[0]));
}
