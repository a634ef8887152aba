/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool in several processes: which of them may modify it. A program may also open its pool and
 * then become a daemon.
 */
#include "fork_fixture.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>

static void B16_only_one_of_two_processes_may_modify(void **state)
{
	PMEMblkpool *p = create();
	struct turns t;
	pid_t pid;

	(void)state;
	assert_int_equal(byteblock_put(p, 0, 1), 0);
	start_turns(&t);
	pid = fork();
	if (pid == 0) {
		char block[512] = "";

		for (int i = 0; i < 2; i++) {
			EXPECT(byteblock_get(p, 0) == 1);
			errno = 0;
			EXPECT(byteblock_put(p, 0, 2) == -1 && errno == EBUSY);
			errno = 0;
			EXPECT(pmemblk_set_zero(p, 0) == -1 && errno == EBUSY);
			errno = 0;
			EXPECT(pmemblk_set_error(p, 1) == -1 && errno == EBUSY);
			EXPECT(strstr(pmemblk_errormsg(), path));
			EXPECT(pmemblk_read(p, block, 1) == 0);
		}
		hand_over(t.to_parent[1]);
		EXPECT(await(t.to_child[0]));
		EXPECT(byteblock_get(p, 0) == 3);
		pmemblk_close(p); /* must not mark the pool as closed */
		_exit(0);
	}
	assert_true(await(t.to_parent[0]));
	assert_int_equal(byteblock_put(p, 0, 3), 0);
	hand_over(t.to_child[1]);
	assert_ends_well(pid);
	assert_int_equal(image_get32(path, IMAGE_SDS + 16), 1);
	assert_int_equal(byteblock_put(p, 1, 4), 0);
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(path, 0), 1);
}

/* The parent, its child and the child's child own the pool one after the other. */
static void a_daemon_takes_over_what_its_parent_opened(void **state)
{
	struct turns t;
	pid_t pid;

	(void)state;
	/* there a zombie cannot be told from a process that is alive */
	if (access("/proc/self", F_OK) != 0) {
		print_message("without /proc an exited owner is not known as such\n");
		skip();
	}
	start_turns(&t);
	pid = fork();
	if (pid == 0) {
		PMEMblkpool *p = create();

		EXPECT(byteblock_put(p, 0, 1) == 0);
		EXPECT(pmemblk_set_error(p, 9) == 0);
		for (int generation = 2; generation < 5; generation++) {
			pid = fork();
			if (pid != 0)
				_exit(0); /* without closing */
			for (int i = 0; i < 300; i++)
				EXPECT(byteblock_put(p, i % 5, generation) == 0);
			EXPECT(byteblock_get(p, 0) == generation);
			EXPECT(byteblock_get(p, 9) == -1);
		}
		pmemblk_close(p);
		EXPECT(image_get32(path, IMAGE_SDS + 16) == 0);
		hand_over(t.to_parent[1]);
		_exit(0);
	}
	close(t.to_parent[1]);
	assert_ends_well(pid);
	assert_true(await(t.to_parent[0]));
	assert_int_equal(pmemblk_check(path, 0), 1);
}

static void closing_gives_the_right_away(void **state)
{
	PMEMblkpool *p = create();
	struct turns t;
	pid_t pid;

	(void)state;
	start_turns(&t);
	assert_int_equal(byteblock_put(p, 0, 1), 0);
	pid = fork();
	if (pid == 0) {
		EXPECT(byteblock_put(p, 0, 2) == -1 && errno == EBUSY);
		hand_over(t.to_parent[1]);
		EXPECT(await(t.to_child[0]));
		EXPECT(byteblock_put(p, 0, 2) == 0);
		EXPECT(byteblock_get(p, 0) == 2);
		hand_over(t.to_parent[1]);
		EXPECT(await(t.to_child[0]));
		pmemblk_close(p);
		_exit(0);
	}
	assert_true(await(t.to_parent[0]));
	pmemblk_close(p);
	hand_over(t.to_child[1]);
	assert_true(await(t.to_parent[0]));
	/* The child keeps the file locked. */
	errno = 0;
	assert_null(pmemblk_open(path, 0));
	assert_int_equal(errno, EAGAIN);
	hand_over(t.to_child[1]);
	assert_ends_well(pid);
	p = pmemblk_open(path, 0);
	assert_non_null(p);
	assert_int_equal(byteblock_get(p, 0), 2);
	pmemblk_close(p);
}

/* When the parent of many children is gone, exactly one of these gets the pool. */
static void one_of_many_orphans_gets_the_pool(void **state)
{
	enum { CHILDREN = 8 };
	atomic_int *won =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct turns t;
	pid_t pid;

	(void)state;
	assert_true(won != MAP_FAILED);
	/* The children of the child that ends first become this process's. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	start_turns(&t);
	pid = fork();
	if (pid == 0) {
		PMEMblkpool *p = create();

		EXPECT(byteblock_put(p, 0, 99) == 0);
		for (int i = 0; i < CHILDREN; i++) {
			if (fork() != 0)
				continue;
			close(t.to_child[1]);
			close(t.to_parent[0]);
			if (await(t.to_child[0])) /* until the starter has ended */
				_exit(1);
			bool left_alone = true;

			errno = 4711;
			if (byteblock_put(p, i, i) == 0) {
				left_alone = errno == 4711; /* the takeover keeps errno */
				atomic_fetch_add(won, 1);
				for (int k = 0; k < 500; k++)
					EXPECT(byteblock_put(p, 50 + k % 10, k & 0xff) ==
					       0);
			} else {
				EXPECT(errno == EBUSY);
				EXPECT(byteblock_get(p, 20) == 0);
			}
			hand_over(t.to_parent[1]);
			/* Does not end before all have tried. */
			while (atomic_load(won + 1) == 0)
				sched_yield();
			_exit(left_alone ? 0 : 1);
		}
		_exit(0);
	}
	assert_ends_well(pid);
	close(t.to_parent[1]);
	close(t.to_child[1]);
	for (int i = 0; i < CHILDREN; i++)
		assert_true(await(t.to_parent[0]));
	assert_int_equal(atomic_load(won), 1);
	atomic_store(won + 1, 1);
	for (int i = 0; i < CHILDREN; i++) {
		int status;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(pmemblk_check(path, 0), 1);
	munmap(won, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(B16_only_one_of_two_processes_may_modify, new_path),
	    cmocka_unit_test_setup(a_daemon_takes_over_what_its_parent_opened, new_path),
	    cmocka_unit_test_setup(closing_gives_the_right_away, new_path),
	    cmocka_unit_test_setup(one_of_many_orphans_gets_the_pool, new_path),
	};

	return run_on_both("fork", tests, sizeof(tests) / sizeof(tests[0]));
}
