/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Executes readers of the table of ranges one instruction at a time. In the middle of each of their
 * instructions in turn, the table changes.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "is_pmem.h"
#include "support.h"

#ifndef __x86_64__
int main(void)
{
	puts("skipped: needs the trap flag of x86-64");
	return 77;
}
#else

#include "is_pmem_fixture.h"
#include "trap_flag.h"

static void (*instead_of_unmap)(void); /* then the call fails */

SUPPORT_INTERPOSE int munmap(void *addr, size_t len)
{
	if (!instead_of_unmap)
		return (int)syscall(SYS_munmap, addr, len);
	instead_of_unmap();
	errno = ENOMEM;
	return -1;
}

/*
 * One range is being unmapped, and then another one, while the reader executes instruction number
 * `switch_at`. The page between the two stays. Both calls fail, so that they can be repeated.
 */
static int to_reader[2];
static int to_unmapper[2];
static volatile unsigned ninstruction;
static volatile unsigned switch_at;
static void (*switch_now)(void);

static void tell(const int *pipe)
{
	assert_int_equal(write(pipe[1], "", 1), 1);
}

static void wait_for(const int *pipe)
{
	char byte;

	assert_int_equal(read(pipe[0], &byte, 1), 1);
}

static void stop_in_unmap(void)
{
	tell(to_reader);
	wait_for(to_unmapper);
}

static void *unmap_two(void *arg)
{
	int *failed = arg;

	*failed = is_pmem_unmap(at(BASE + 2 * PAGE), PAGE) == -ENOMEM &&
		  is_pmem_unmap(at(BASE), PAGE) == -ENOMEM;
	return NULL;
}

/* The first call returns, and the second one begins. */
static void switch_range(void)
{
	tell(to_unmapper);
	wait_for(to_reader);
}

static void count_instruction(int sig)
{
	(void)sig;
	if (++ninstruction == switch_at)
		switch_now();
}

static bool is_between_known(int by_find)
{
	const uintptr_t page = PAGE;
	struct is_pmem_range r = {0};
	bool right;

	trap_flag(true);
	if (by_find)
		right = is_pmem_find(BASE + page, &r);
	else
		right = is_pmem_covers(at(BASE + page), page);
	trap_flag(false);
	return right && (!by_find || r.begin <= BASE + page);
}

static void what_lies_between_ranges_that_are_unmapped_one_by_one_is_known(void **state)
{
	(void)state;
	assert_int_equal(is_pmem_add(at(BASE), 3 * PAGE, 1), 0);
	assert_int_equal(pipe(to_reader), 0);
	assert_int_equal(pipe(to_unmapper), 0);
	signal(SIGTRAP, count_instruction);
	switch_now = switch_range;
	instead_of_unmap = stop_in_unmap;
	for (int by_find = 0; by_find < 2; by_find++) {
		switch_at = 0;
		do {
			pthread_t thread;
			int failed = 0;
			bool right;

			switch_at++;
			ninstruction = 0;
			assert_int_equal(
			    pthread_create(&thread, NULL, unmap_two, &failed), 0);
			wait_for(to_reader);
			right = is_between_known(by_find);
			if (ninstruction < switch_at)
				switch_range();
			tell(to_unmapper);
			pthread_join(thread, NULL);
			assert_true(failed);
			if (!right)
				fail_msg("not known at instruction %u", switch_at);
		} while (ninstruction >= switch_at);
		assert_true(ninstruction > 20);
	}
	instead_of_unmap = NULL;
	for (int i = 0; i < 2; i++) {
		close(to_reader[i]);
		close(to_unmapper[i]);
	}
}

static void fail_only(void)
{
}

/*
 * Many changes come between two instructions of the reader: a range goes, and its neighbour comes in
 * the place of another entry. At no time both are known.
 */
static void replace_by_neighbour(void)
{
	bool failed = true;

	for (int i = 0; i < 2; i++)
		failed = failed && is_pmem_unmap(at(4 * BASE), PAGE) == -ENOMEM;
	if (!failed || is_pmem_remove(at(BASE), 10 * PAGE) != 0 ||
	    is_pmem_add(at(BASE + PAGE), PAGE, 1) != 0)
		abort();
}

static void ranges_that_are_known_one_after_the_other_are_not_joined(void **state)
{
	(void)state;
	signal(SIGTRAP, count_instruction);
	instead_of_unmap = fail_only;
	switch_now = replace_by_neighbour;
	switch_at = 0;
	do {
		bool both;

		clear(NULL);
		assert_int_equal(is_pmem_add(at(4 * BASE), PAGE, 1), 0);
		assert_int_equal(is_pmem_add(at(BASE + 4 * PAGE), PAGE, 1), 0);
		assert_int_equal(is_pmem_add(at(BASE), PAGE, 1), 0);
		switch_at++;
		ninstruction = 0;
		trap_flag(true);
		both = is_pmem_covers(at(BASE), 2 * PAGE);
		trap_flag(false);
		if (both)
			fail_msg("both are known at instruction %u", switch_at);
	} while (ninstruction >= switch_at);
	assert_true(ninstruction > 20);
	instead_of_unmap = NULL;
}

static void replace_by_larger(void)
{
	if (is_pmem_add(at(BASE - PAGE), 2 * PAGE, 2) != 0)
		abort();
}

static void a_range_that_is_found_is_one_of_those_that_were_there(void **state)
{
	(void)state;
	signal(SIGTRAP, count_instruction);
	switch_now = replace_by_larger;
	switch_at = 0;
	do {
		struct is_pmem_range r = {0};
		bool found;

		clear(NULL);
		assert_int_equal(is_pmem_add(at(BASE), PAGE, 1), 0);
		switch_at++;
		ninstruction = 0;
		trap_flag(true);
		found = is_pmem_find(BASE, &r);
		trap_flag(false);
		if (!found || r.end != BASE + PAGE ||
		    r.begin != (r.region == 1 ? BASE : BASE - PAGE) ||
		    (r.region != 1 && r.region != 2))
			fail_msg("a mixture at instruction %u", switch_at);
	} while (ninstruction >= switch_at);
	assert_true(ninstruction > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(
		what_lies_between_ranges_that_are_unmapped_one_by_one_is_known, clear),
	    cmocka_unit_test_teardown(
		ranges_that_are_known_one_after_the_other_are_not_joined, clear),
	    cmocka_unit_test_teardown(
		a_range_that_is_found_is_one_of_those_that_were_there, clear),
	};

	if (support_is_emulated() || SUPPORT_SANITIZED) {
		puts("skipped: needs code that may be stopped anywhere");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
