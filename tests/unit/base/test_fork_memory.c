/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that children share, and memory that they find cleared: base/fork_memory.h. The linker puts
 * functions that check their order in place of those of the lock.
 */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fork_memory.h"
#include "compiler.h"
#include "fork_lock.h"

#define SMALL ((size_t)16)
#define LARGE ((size_t)16 << 10)
#define ALONE ((size_t)3 << 20)

/* More than the mappings of each kind have room for. */
#define ROUNDS 600

static const size_t sizes[] = {SMALL, LARGE, ALONE};

#define NSIZE ARRAY_SIZE(sizes)

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

static int wipe_error; /* with which the kernel refuses to clear pages; 0: it does not */

SUPPORT_INTERPOSE int madvise(void *addr, size_t len, int advice)
{
	if (wipe_error && advice == MADV_WIPEONFORK) {
		errno = wipe_error;
		return -1;
	}
	return (int)syscall(SYS_madvise, addr, len, advice);
}

static _Thread_local int nheld; /* locks that the thread has */

void __real_fork_lock_acquire(struct fork_lock *l);
void __real_fork_lock_release(struct fork_lock *l);
void __wrap_fork_lock_acquire(struct fork_lock *l);
void __wrap_fork_lock_release(struct fork_lock *l);

void __wrap_fork_lock_acquire(struct fork_lock *l)
{
	__real_fork_lock_acquire(l);
	nheld++;
}

void __wrap_fork_lock_release(struct fork_lock *l)
{
	if (nheld-- != 1) {
		puts("a lock is released that the thread does not hold");
		abort();
	}
	__real_fork_lock_release(l);
}

/* A child that the C library knows of, or not. */
static pid_t make_child(bool by_clone)
{
	pid_t pid = by_clone ? (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL)
			     : fork();

	assert_true(pid >= 0);
	if (pid == 0)
		alarm(30);
	return pid;
}

static void assert_ends_well(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

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
}

/* No earlier piece is free, so the next one is the one that was given back. */
static void what_is_given_back_is_taken_next(void **state)
{
	unsigned char *piece[100]; /* of several pages */

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(piece); i++)
		piece[i] = fork_memory_clear();
	for (unsigned i = 0; i < ARRAY_SIZE(piece); i += 9) {
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
	unsigned char *at;
	pid_t pid;

	(void)state;
	wipe_error = ENOMEM;
	errno = 0;
	assert_null(fork_memory_clear());
	assert_int_equal(errno, ENOMEM);
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
	    cmocka_unit_test(without_memory_to_mark_a_page_nothing_is_given_out),
	    /* before all pages are full, and pieces have mappings of their own */
	    cmocka_unit_test(what_is_given_back_is_taken_next),
	    cmocka_unit_test(a_shared_piece_is_zero_and_the_same_for_a_child),
	    cmocka_unit_test(pieces_of_all_sizes_are_aligned_and_apart),
	    cmocka_unit_test(cleared_pieces_share_a_page),
	    cmocka_unit_test(a_child_keeps_a_piece_that_its_parent_has_given_back),
	    cmocka_unit_test(a_child_gets_other_pieces_than_its_parent),
	    cmocka_unit_test(what_is_given_back_is_unmapped_in_time),
	    cmocka_unit_test(a_child_unmaps_what_its_parent_has_not_given_out),
	    cmocka_unit_test(there_are_as_many_pieces_as_the_kernel_has_memory_for),
	    cmocka_unit_test(a_child_finds_cleared_memory_zero_however_it_was_made),
	    cmocka_unit_test(a_child_that_is_forked_in_the_middle_of_a_call_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
