/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takeovers of a pool whose owner is gone: what the new owner finds and marks, and takeovers that
 * fail. test_fork_owner.c tests when an owner counts as gone.
 */
#include "fork_fixture.h"

#include <sys/mman.h>
#include <sys/syscall.h>

static void a_pool_that_was_taken_over_is_marked_as_open(void **state)
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
		EXPECT(image_get32(path, IMAGE_SDS + 16) == 0);
		EXPECT(byteblock_get(p, 0) == 1); /* reading marks nothing */
		EXPECT(image_get32(path, IMAGE_SDS + 16) == 0);
		EXPECT(byteblock_put(p, 0, 2) == 0);
		EXPECT(image_get32(path, IMAGE_SDS + 16) == 1);
		pmemblk_close(p);
		EXPECT(image_get32(path, IMAGE_SDS + 16) == 0);
		_exit(0);
	}
	assert_int_equal(image_get32(path, IMAGE_SDS + 16), 1);
	pmemblk_close(p);
	hand_over(t.to_child[1]);
	assert_ends_well(pid);
	assert_int_equal(pmemblk_check(path, 0), 1);
}

/* Counts down; the owner ends at the msync that makes it 0. */
static int last_msync;

/* Syncs of the first page, which has the mark of an open pool, fail. */
static bool msync_fails;

SUPPORT_INTERPOSE int msync(void *addr, size_t len, int flags)
{
	if (msync_fails && memcmp(addr, "PMEMBLK", 8) == 0) {
		errno = EIO;
		return -1;
	}
	if (last_msync > 0 && --last_msync == 0)
		_exit(0);
	return (int)syscall(SYS_msync, addr, len, flags);
}

/* Takes the pool over from an owner that has ended in the layout of the table. */
static void write_and_read(PMEMblkpool *p)
{
	struct turns t;
	pid_t reader;

	start_turns(&t);
	reader = fork();
	EXPECT(reader >= 0);
	if (reader == 0) { /* sees what its parent writes */
		alarm(30);
		EXPECT(await(t.to_child[0]));
		EXPECT(byteblock_get(p, 0) == 7);
		_exit(0);
	}
	EXPECT(byteblock_get(p, 0) == 0);
	EXPECT(byteblock_put(p, 0, 7) == 0);
	hand_over(t.to_child[1]);
	expect_ends_well(reader);
	EXPECT(byteblock_get(p, 0) == 7);
	EXPECT(byteblock_get(p, 1) == 0);
	EXPECT(byteblock_get(p, 3) == 0 || byteblock_get(p, 3) == 1);
	pmemblk_close(p);
	_exit(0);
}

/* Recovery does not depend on the word that tells how far the layout is. */
static void an_owner_that_ends_in_the_first_layout_leaves_zeros(void **state)
{
	(void)state;
	if (on_pmem)
		return; /* it syncs nothing; the other run is on a file */
	for (int at = 1; at <= 6; at++) {
		struct turns t;
		PMEMblkpool *p;
		pid_t pid;

		new_path(NULL);
		p = create();
		start_turns(&t);
		pid = fork();
		if (pid == 0) { /* becomes the owner when the opener has closed */
			EXPECT(await(t.to_child[0]));
			last_msync = at + 1; /* the first one marks the pool as open */
			EXPECT(byteblock_put(p, 3, 1) == 0);
			_exit(0);
		}
		if (fork() == 0) {
			alarm(30);
			EXPECT(await(t.to_parent[0]));
			write_and_read(p);
		}
		pmemblk_close(p);
		hand_over(t.to_child[1]);
		assert_ends_well(pid);
		hand_over(t.to_parent[1]);
		assert_orphan_ends_well();
		assert_int_equal(pmemblk_check(path, 0), 1);
	}
}

static long nused;

static void *counting_malloc(size_t size)
{
	nused++;
	return malloc(size);
}

static void *counting_realloc(void *ptr, size_t size)
{
	nused += ptr == NULL;
	return realloc(ptr, size);
}

static void counting_free(void *ptr)
{
	nused -= ptr != NULL;
	free(ptr);
}

/* A failed takeover keeps the right to the pool, and leaks no memory. */
static void a_takeover_that_fails_can_be_repeated(void **state)
{
	PMEMblkpool *p = create();
	pid_t pid[2];
	struct turns t;
	struct turns brother;

	(void)state;
	if (on_pmem)
		return; /* it syncs nothing; the other run is on a file */
	assert_int_equal(byteblock_put(p, 0, 1), 0);
	start_turns(&t);
	start_turns(&brother);
	pid[0] = fork();
	if (pid[0] == 0) {
		pmemblk_set_funcs(counting_malloc, counting_free, counting_realloc,
				  strdup);
		EXPECT(await(t.to_child[0]));
		msync_fails = true;
		for (int i = 0; i < 5; i++) {
			errno = 0;
			EXPECT(byteblock_put(p, 0, 2) == -1 && errno == EIO);
			EXPECT(nused == 0);
			EXPECT(byteblock_get(p, 0) == 1);
			nused = 0; /* the view, once */
		}
		hand_over(t.to_parent[1]);
		EXPECT(await(t.to_child[0]));
		msync_fails = false;
		EXPECT(byteblock_put(p, 0, 2) == 0);
		pmemblk_close(p);
		_exit(0);
	}
	pid[1] = fork();
	if (pid[1] == 0) {
		EXPECT(await(brother.to_child[0]));
		EXPECT(is_busy(p));
		_exit(0);
	}
	pmemblk_close(p);
	hand_over(t.to_child[1]);
	assert_true(await(t.to_parent[0]));
	hand_over(brother.to_child[1]);
	assert_ends_well(pid[1]);
	hand_over(t.to_child[1]);
	assert_ends_well(pid[0]);
	assert_int_equal(pmemblk_check(path, 0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_pool_that_was_taken_over_is_marked_as_open,
				   new_path),
	    cmocka_unit_test_setup(an_owner_that_ends_in_the_first_layout_leaves_zeros,
				   new_path),
	    cmocka_unit_test_setup(a_takeover_that_fails_can_be_repeated, new_path),
	};

	return run_on_both("fork_takeover", tests, sizeof(tests) / sizeof(tests[0]));
}
