/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that children share, and as much of both kinds as there is: base/fork_memory.h.
 */
#include "fork_memory_fixture.h"

#include <pthread.h>
#include <sched.h>

#include "compiler.h"

#define SMALL ((size_t)16)
#define LARGE ((size_t)16 << 10)
#define ALONE ((size_t)3 << 20)

/* More than the mappings of each kind have room for. */
#define ROUNDS 600

static const size_t sizes[] = {SMALL, LARGE, ALONE};

#define NSIZE ARRAY_SIZE(sizes)

static unsigned char *share(size_t size)
{
	unsigned char *at = fork_memory_share(size);

	assert_non_null(at);
	return at;
}

static void a_shared_piece_is_zero_and_the_same_for_a_child(void **state)
{
	(void)state;
	for (int by_clone = 0; by_clone < (SUPPORT_SANITIZED ? 1 : 2); by_clone++)
		for (size_t i = 0; i < NSIZE; i++) {
			unsigned char *at = share(sizes[i]);
			pid_t pid;

			assert_int_equal((uintptr_t)at % 64, 0);
			for (size_t n = 0; n < sizes[i]; n++)
				assert_int_equal(at[n], 0);
			pid = make_child(by_clone);
			if (pid == 0) {
				memset(at, 7, sizes[i]);
				fork_memory_unshare(at, sizes[i]);
				_exit(0);
			}
			assert_ends_well(pid);
			for (size_t n = 0; n < sizes[i]; n++)
				assert_int_equal(at[n], 7);
			fork_memory_unshare(at, sizes[i]);
		}
}

static void pieces_of_all_sizes_are_aligned_and_apart(void **state)
{
	static unsigned char *many[1200];

	(void)state;
	for (unsigned i = 1; i < ARRAY_SIZE(many); i++) {
		many[i] = share(i);
		assert_int_equal((uintptr_t)many[i] % 64, 0);
		memset(many[i], (int)i, i);
	}
	for (unsigned i = 1; i < ARRAY_SIZE(many); i++) {
		for (unsigned n = 0; n < i; n++)
			if (many[i][n] != (unsigned char)i)
				fail_msg("byte %u of %u", n, i);
		fork_memory_unshare(many[i], i);
	}
}

static void pieces_of_the_sizes_where_the_source_changes_are_apart(void **state)
{
	static const size_t limits[] = {
	    1024, 1025, LARGE + 1, 2 * LARGE, (size_t)1 << 18, ((size_t)1 << 18) + 1};
	unsigned char *piece[8 * ARRAY_SIZE(limits)];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(piece); i++) {
		piece[i] = share(limits[i / 8]);
		memset(piece[i], (int)i, limits[i / 8]);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(piece); i++) {
		for (size_t n = 0; n < limits[i / 8]; n++)
			if (piece[i][n] != i)
				fail_msg("byte %zu of piece %u", n, i);
		fork_memory_unshare(piece[i], limits[i / 8]);
	}
}

/* It has a mapping of its own, which is unmapped when the piece is given back. */
static void a_piece_right_behind_others_is_none_of_them(void **state)
{
	unsigned char *many[200];
	unsigned char *alone;
	char *room = reserve();
	unsigned n = 0;

	(void)state;
	place = room;
	do
		many[n] = share(LARGE);
	while ((char *)many[n++] != room && n < ARRAY_SIZE(many));
	assert_ptr_equal(many[n - 1], room);
	assert_true(place > room + LARGE);
	alone = share(ALONE);
	assert_true((char *)alone > room && (char *)alone + ALONE == place);
	place = NULL;
	fork_memory_unshare(alone, ALONE);
	assert_int_equal(msync(alone, 4096, MS_ASYNC), -1);
	assert_int_equal(errno, ENOMEM);
	for (unsigned i = 0; i < n; i++)
		fork_memory_unshare(many[i], LARGE);
}

static void a_child_keeps_a_piece_that_its_parent_has_given_back(void **state)
{
	(void)state;
	for (int by_clone = 0; by_clone < (SUPPORT_SANITIZED ? 1 : 2); by_clone++)
		for (size_t i = 0; i < NSIZE; i++) {
			unsigned char *at = share(sizes[i]);
			int go[2];
			char c;
			pid_t pid;

			at[0] = 7;
			assert_int_equal(pipe(go), 0);
			pid = make_child(by_clone);
			if (pid == 0) {
				close(go[1]);
				_exit(read(go[0], &c, 1) == 1 && at[0] == 7 ? 0 : 1);
			}
			close(go[0]);
			fork_memory_unshare(at, sizes[i]);
			for (int n = 0; n < ROUNDS; n++) {
				unsigned char *other = share(sizes[i]);

				assert_int_equal(other[0], 0);
				other[0] = 9;
				fork_memory_unshare(other, sizes[i]);
			}
			assert_int_equal(write(go[1], "", 1), 1);
			close(go[1]);
			assert_ends_well(pid);
		}
}

static void a_child_gets_other_pieces_than_its_parent(void **state)
{
	(void)state;
	for (int by_clone = 0; by_clone < (SUPPORT_SANITIZED ? 1 : 2); by_clone++)
		for (size_t i = 0; i < NSIZE; i++) {
			unsigned char *first = share(sizes[i]);
			unsigned char *second;
			pid_t pid = make_child(by_clone);

			if (pid == 0) {
				unsigned char *at = fork_memory_share(sizes[i]);

				if (!at || at[0] != 0)
					_exit(1);
				at[0] = 9;
				fork_memory_unshare(first, sizes[i]);
				_exit(at[0] == 9 ? 0 : 1);
			}
			assert_ends_well(pid);
			second = share(sizes[i]);
			assert_int_equal(second[0], 0);
			fork_memory_unshare(second, sizes[i]);
			fork_memory_unshare(first, sizes[i]);
		}
}

static void what_is_given_back_is_unmapped_in_time(void **state)
{
	static unsigned char *many[ROUNDS];
	unsigned before;

	(void)state;
	for (size_t i = 0; i < NSIZE; i++)
		fork_memory_unshare(share(sizes[i]), sizes[i]);
	before = support_count_mappings("rw-s ");
	for (size_t i = 0; i < NSIZE; i++) {
		size_t size = sizes[i];
		unsigned n = size == ALONE ? 10 : ROUNDS;

		for (unsigned k = 0; k < n; k++) {
			fork_memory_unshare(share(size), size);
			assert_true(support_count_mappings("rw-s ") <= before);
		}
		for (unsigned k = 0; k < n; k++)
			many[k] = share(size);
		assert_true(support_count_mappings("rw-s ") > before);
		for (unsigned k = 0; k < n; k++)
			fork_memory_unshare(many[k], size);
		assert_true(support_count_mappings("rw-s ") <= before);
	}
}

/* Otherwise each generation of processes would leave the next one more of them. */
static void a_child_unmaps_what_its_parent_has_not_given_out(void **state)
{
	unsigned before;
	pid_t pid;

	(void)state;
	for (size_t i = 0; i < NSIZE; i++)
		fork_memory_unshare(share(sizes[i]), sizes[i]);
	before = support_count_mappings("rw-s ");
	pid = make_child(false);
	if (pid == 0) {
		/* one of two is made again */
		_exit(fork_memory_share(SMALL) &&
			      support_count_mappings("rw-s ") == before - 1
			  ? 0
			  : 1);
	}
	assert_ends_well(pid);
}

/* All of these are out at the same time, so the tables of mappings become full. */
static void there_are_as_many_pieces_as_the_kernel_has_memory_for(void **state)
{
	static unsigned char *many[6000];
	static unsigned char *cleared[1200];
	long pages = atomic_load(&nprivate);
	unsigned before;

	(void)state;
	fork_memory_unshare(share(LARGE), LARGE);
	before = support_count_mappings("rw-s ");
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++) {
		many[i] = share(LARGE);
		memcpy(many[i], &i, sizeof(i));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(cleared); i++) {
		cleared[i] = fork_memory_clear();
		assert_non_null(cleared[i]);
		memcpy(cleared[i], &i, sizeof(i));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++) {
		assert_memory_equal(many[i], &i, sizeof(i));
		fork_memory_unshare(many[i], LARGE);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(cleared); i++) {
		assert_memory_equal(cleared[i], &i, sizeof(i));
		fork_memory_unclear(cleared[i]);
	}
	assert_true(support_count_mappings("rw-s ") <= before + 1);
	/* some pages are kept for the next ones */
	assert_true(atomic_load(&nprivate) <= pages + 16);
}

static atomic_bool is_over;

static void *allocate_and_free(void *unused)
{
	(void)unused;
	while (!atomic_load(&is_over)) {
		unsigned char *at = fork_memory_share(LARGE);
		unsigned char *small = fork_memory_share(SMALL);
		unsigned char *cleared = fork_memory_clear();

		if (!at || !small || !cleared || at[0] || small[0] || cleared[0])
			abort();
		at[0] = small[0] = cleared[0] = 1;
		fork_memory_unshare(at, LARGE);
		fork_memory_unshare(small, SMALL);
		fork_memory_unclear(cleared);
		sched_yield();
	}
	return NULL;
}

static void a_child_that_is_forked_in_the_middle_of_a_call_goes_on(void **state)
{
	unsigned char *held = share(LARGE);
	pthread_t thread[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    pthread_create(&thread[i], NULL, allocate_and_free, NULL), 0);
	for (int i = 0; i < 200; i++) {
		pid_t pid = make_child(false);

		if (pid == 0) {
			held[i] = 1;
			for (int n = 0; n < 100; n++) {
				unsigned char *at = fork_memory_share(LARGE);

				if (!at || at[0])
					_exit(1);
				fork_memory_unshare(at, LARGE);
			}
			fork_memory_unshare(held, LARGE);
			_exit(0);
		}
		assert_ends_well(pid);
		assert_int_equal(held[i], 1);
	}
	atomic_store(&is_over, true);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	fork_memory_unshare(held, LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    /* before the tables hold anything else */
	    cmocka_unit_test(a_child_unmaps_what_its_parent_has_not_given_out),
	    cmocka_unit_test(a_shared_piece_is_zero_and_the_same_for_a_child),
	    cmocka_unit_test(pieces_of_all_sizes_are_aligned_and_apart),
	    cmocka_unit_test(pieces_of_the_sizes_where_the_source_changes_are_apart),
	    cmocka_unit_test(a_piece_right_behind_others_is_none_of_them),
	    cmocka_unit_test(a_child_keeps_a_piece_that_its_parent_has_given_back),
	    cmocka_unit_test(a_child_gets_other_pieces_than_its_parent),
	    cmocka_unit_test(what_is_given_back_is_unmapped_in_time),
	    cmocka_unit_test(there_are_as_many_pieces_as_the_kernel_has_memory_for),
	    cmocka_unit_test(a_child_that_is_forked_in_the_middle_of_a_call_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
