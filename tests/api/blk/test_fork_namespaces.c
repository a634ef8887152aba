/* SPDX-License-Identifier: BSD-3-Clause */
/* When the owner of a pool counts as gone, for processes in other pid, IPC and time namespaces. */
#include "fork_family.h"

#include <sched.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* Enters new namespaces, and first a user namespace if it is needed. */
static bool enter_new(int kinds)
{
	return unshare(kinds) == 0 || unshare(kinds | CLONE_NEWUSER) == 0;
}

static bool may_enter(int kinds)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(enter_new(kinds) ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status == 0;
}

/* As init of a new pid namespace the process does not see the owner, and it has other clocks. */
static void a_living_owner_in_another_namespace_is_alive(void **state)
{
	static const int kinds[] = {CLONE_NEWPID, CLONE_NEWIPC,
				    CLONE_NEWPID | CLONE_NEWIPC,
				    CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWTIME};
	PMEMblkpool *p = create();

	(void)state;
	if (!may_enter(CLONE_NEWPID | CLONE_NEWIPC))
		skip(); /* not allowed here */
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		pid_t pid = fork();

		if (pid == 0) {
			EXPECT(enter_new(kinds[i]) || kinds[i] & CLONE_NEWTIME);
			EXPECT(is_busy(p));
			pid = fork();
			if (pid == 0) {
				EXPECT(is_busy(p));
				EXPECT(byteblock_get(p, 0) == 0);
				_exit(0);
			}
			expect_ends_well(pid);
			_exit(0);
		}
		assert_ends_well(pid);
		assert_int_equal(byteblock_put(p, 0, 0), 0);
	}
	pmemblk_close(p);
}

/* To such a child its parent has the number 0. This must not count as an ended parent. */
static void a_living_parent_in_another_namespace_is_alive(void **state)
{
	pid_t pid;

	(void)state;
	if (!may_enter(CLONE_NEWPID))
		skip(); /* not allowed here */
	pid = fork();
	if (pid == 0) {
		PMEMblkpool *p;

		no_segments = true;
		p = create();
		EXPECT(enter_new(CLONE_NEWPID));
		pid = fork();
		if (pid == 0) {
			EXPECT(getppid() == 0 && is_busy(p));
			_exit(0);
		}
		expect_ends_well(pid);
		_exit(0);
	}
	assert_ends_well(pid);
}

static void move_into_new_pid_namespace(struct family *f)
{
	pid_t pid;

	EXPECT(enter_new(CLONE_NEWPID));
	pid = fork();
	if (pid == 0) {
		alarm(30);
		EXPECT(getpid() == 1 && is_busy(f->pool));
		hand_over(f->turns.to_child[1]);
		await_end_of_owner(f);
		put_soon(f->pool);
		pmemblk_close(f->pool);
		_exit(0);
	}
	expect_ends_well(pid);
}

static void an_owner_that_ended_in_another_pid_namespace_is_gone(void **state)
{
	struct family f;
	pid_t owner;

	(void)state;
	if (!may_enter(CLONE_NEWPID))
		skip(); /* not allowed here */
	owner = start_family(&f, end_on_demand, move_into_new_pid_namespace);
	assert_ends_well(owner);
	assert_orphan_ends_well();
	assert_int_equal(pmemblk_check(path, 0), 1);
}

/*
 * After the opener has closed the pool, a process in another IPC namespace may become the owner.
 * Its sibling must not search for the owner's mark in the wrong namespace.
 */
static void nobody_looks_for_an_owner_in_the_wrong_namespace(void **state)
{
	PMEMblkpool *p = create();
	struct turns a;
	struct turns b;
	pid_t pid[2];

	(void)state;
	if (!may_enter(CLONE_NEWIPC))
		skip(); /* not allowed here */
	start_turns(&a);
	start_turns(&b);
	pid[0] = fork();
	if (pid[0] == 0) {
		EXPECT(enter_new(CLONE_NEWIPC));
		EXPECT(await(a.to_child[0]));
		EXPECT(byteblock_put(p, 0, 1) == 0);
		if (fork() == 0) { /* at this fork it would set a mark, if it could */
			EXPECT(is_busy(p));
			_exit(0);
		}
		expect_ends_well(-1);
		hand_over(a.to_parent[1]);
		EXPECT(await(a.to_child[0]));
		EXPECT(byteblock_put(p, 0, 3) == 0);
		_exit(0);
	}
	pid[1] = fork();
	if (pid[1] == 0) {
		EXPECT(await(b.to_child[0]));
		EXPECT(is_busy(p));
		hand_over(b.to_parent[1]);
		_exit(0);
	}
	pmemblk_close(p);
	hand_over(a.to_child[1]);
	assert_true(await(a.to_parent[0]));
	hand_over(b.to_child[1]);
	assert_true(await(b.to_parent[0]));
	hand_over(a.to_child[1]);
	for (int i = 0; i < 2; i++)
		assert_ends_well(pid[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_living_owner_in_another_namespace_is_alive,
				   new_path),
	    cmocka_unit_test_setup(a_living_parent_in_another_namespace_is_alive,
				   new_path),
	    cmocka_unit_test_setup(an_owner_that_ended_in_another_pid_namespace_is_gone,
				   new_path),
	    cmocka_unit_test_setup(nobody_looks_for_an_owner_in_the_wrong_namespace,
				   new_path),
	};

	return run_on_both("fork_namespaces", tests, sizeof(tests) / sizeof(tests[0]));
}
