/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A kernel before Linux 4.14, which clears no memory in children. There the fork handlers see to it
 * that no child inherits the right to write.
 */
#include "fork_fixture.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

static unsigned refusals;

SUPPORT_INTERPOSE int madvise(void *addr, size_t len, int advice)
{
	if (advice == MADV_WIPEONFORK) {
		refusals++;
		errno = EINVAL;
		return -1;
	}
	return (int)syscall(SYS_madvise, addr, len, advice);
}

/* In a new child, which must not end otherwise. */
static void only_read(PMEMblkpool *p, int byte)
{
	alarm(30);
	EXPECT(byteblock_get(p, 0) == byte);
	EXPECT(is_busy(p));
	EXPECT(byteblock_get(p, 0) == byte);
	_exit(0);
}

static void a_child_and_its_child_only_read(void **state)
{
	PMEMblkpool *p = create();
	pid_t pid;

	(void)state;
	assert_true(refusals > 0);
	assert_int_equal(byteblock_put(p, 0, 1), 0);
	for (int visits = 0; visits < 2; visits++) {
		pid = fork();
		if (pid == 0) {
			alarm(30);
			if (visits)
				EXPECT(is_busy(p));
			pid = fork();
			if (pid == 0)
				only_read(p, 1);
			expect_ends_well(pid);
			only_read(p, 1);
		}
		assert_ends_well(pid);
	}
	assert_int_equal(byteblock_put(p, 0, 3), 0);
	assert_int_equal(byteblock_get(p, 0), 3);
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(path, 0), 1);
}

static void who_has_taken_a_pool_over_passes_nothing_on_either(void **state)
{
	PMEMblkpool *p = create();
	struct turns t;
	pid_t pid;

	(void)state;
	assert_int_equal(byteblock_put(p, 0, 1), 0);
	start_turns(&t);
	pid = fork();
	if (pid == 0) {
		EXPECT(await(t.to_child[0]));
		EXPECT(byteblock_put(p, 0, 2) == 0);
		for (int i = 0; i < 3; i++) {
			pid = fork();
			if (pid == 0)
				only_read(p, 2);
			expect_ends_well(pid);
			EXPECT(byteblock_put(p, 0, 2) == 0);
		}
		pid = fork();
		if (pid == 0) {
			EXPECT(await(t.to_parent[0]));
			EXPECT(byteblock_put(p, 0, 4) == 0);
			pmemblk_close(p);
			_exit(0);
		}
		pmemblk_close(p);
		hand_over(t.to_parent[1]);
		expect_ends_well(pid);
		_exit(0);
	}
	pmemblk_close(p);
	hand_over(t.to_child[1]);
	assert_ends_well(pid);
	p = pmemblk_open(path, 0);
	assert_non_null(p);
	assert_int_equal(byteblock_get(p, 0), 4);
	pmemblk_close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_child_and_its_child_only_read, new_path),
	    cmocka_unit_test_setup(who_has_taken_a_pool_over_passes_nothing_on_either,
				   new_path),
	};

	return run_on_both("fork_old_kernel", tests, sizeof(tests) / sizeof(tests[0]));
}
