/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory that children find cleared: base/fork_memory.h. */
#include "fork_memory_fixture.h"

#include "compiler.h"

/* A pool costs no page of its own. */
static void cleared_pieces_share_a_page(void **state)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	void *at[2] = {fork_memory_clear(), fork_memory_clear()};

	(void)state;
	assert_true(at[0] && at[1] && at[0] != at[1]);
	assert_int_equal((uintptr_t)at[0] / page, (uintptr_t)at[1] / page);
	for (int i = 0; i < 2; i++)
		fork_memory_unclear(at[i]);
}

/* No earlier piece is free, so the next one is the one that was given back. */
static void what_is_given_back_is_taken_next(void **state)
{
	unsigned char *piece[100]; /* of several pages */

	(void)state;
	place = reserve(); /* each page is right behind the one before */
	for (unsigned i = 0; i < ARRAY_SIZE(piece); i++)
		piece[i] = fork_memory_clear();
	place = NULL;
	for (unsigned i = 0; i < ARRAY_SIZE(piece); i++) {
		fork_memory_unclear(piece[i]);
		assert_ptr_equal(fork_memory_clear(), piece[i]);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(piece); i++)
		fork_memory_unclear(piece[i]);
}

static bool is_clear(const unsigned char *at)
{
	static const unsigned char zero[FORK_MEMORY_CLEARED];

	return memcmp(at, zero, sizeof(zero)) == 0;
}

static void a_child_finds_cleared_memory_zero_however_it_was_made(void **state)
{
	(void)state;
	for (int by_clone = 0; by_clone < (SUPPORT_SANITIZED ? 1 : 2); by_clone++) {
		unsigned char *at = fork_memory_clear();
		pid_t pid;

		assert_non_null(at);
		assert_true(is_clear(at));
		memset(at, 7, FORK_MEMORY_CLEARED);
		pid = make_child(by_clone);
		if (pid == 0) {
			unsigned char *other = fork_memory_clear();

			if (!is_clear(at) || !other || other == at || !is_clear(other))
				_exit(1);
			memset(at, 8, FORK_MEMORY_CLEARED);
			memset(other, 9, FORK_MEMORY_CLEARED);
			pid = make_child(by_clone);
			if (pid == 0)
				_exit(is_clear(at) && is_clear(other) ? 0 : 1);
			assert_ends_well(pid);
			_exit(at[0] == 8 && other[0] == 9 ? 0 : 1);
		}
		assert_ends_well(pid);
		assert_int_equal(at[0], 7);
		fork_memory_unclear(at);
		at = fork_memory_clear(); /* the same piece again */
		assert_true(is_clear(at));
		fork_memory_unclear(at);
	}
}

/* Has to run before any other test has cleared memory. */
static void without_memory_to_mark_a_page_nothing_is_given_out(void **state)
{
	long pages = atomic_load(&nprivate);
	unsigned char *at;
	pid_t pid;

	(void)state;
	wipe_error = ENOMEM;
	errno = 0;
	assert_null(fork_memory_clear());
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(atomic_load(&nprivate), pages);
	wipe_error = 0;
	at = fork_memory_clear();
	assert_non_null(at);
	memset(at, 7, FORK_MEMORY_CLEARED);
	pid = make_child(!SUPPORT_SANITIZED);
	if (pid == 0)
		_exit(is_clear(at) ? 0 : 1);
	assert_ends_well(pid);
	fork_memory_unclear(at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_memory_to_mark_a_page_nothing_is_given_out),
	    cmocka_unit_test(what_is_given_back_is_taken_next),
	    cmocka_unit_test(cleared_pieces_share_a_page),
	    cmocka_unit_test(a_child_finds_cleared_memory_zero_however_it_was_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
