/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of ranges, compared with a plain array, and used by threads. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "is_pmem_fixture.h"

static void nothing_is_known_at_first(void **state)
{
	struct is_pmem_range r;

	(void)state;
	assert_false(is_pmem_covers(at(BASE), 1));
	assert_false(is_pmem_covers(NULL, 1));
	assert_false(is_pmem_find(0, &r));
	assert_int_equal(is_pmem_remove(at(BASE), PAGE), 0);
}

static void a_range_is_known_to_the_byte(void **state)
{
	(void)state;
	assert_int_equal(is_pmem_add(at(BASE), 5, IS_PMEM_FILE), 0);
	assert_true(is_pmem_covers(at(BASE), 5));
	assert_true(is_pmem_covers(at(BASE + 4), 1));
	assert_false(is_pmem_covers(at(BASE), 6));
	assert_false(is_pmem_covers(at(BASE - 1), 1));
	assert_false(is_pmem_covers(at(BASE), 0));
	assert_false(is_pmem_covers(at(BASE), SIZE_MAX));
	assert_false(is_pmem_covers(at(BASE), PAGE));
}

static uintptr_t huge_page; /* of everything that is mapped; 0: as it is */
static void (*after_unmap)(void *addr, size_t len);

SUPPORT_INTERPOSE int munmap(void *addr, size_t len)
{
	void (*after)(void *, size_t) = after_unmap;
	int ret;

	if (huge_page && ((uintptr_t)addr + len) % huge_page != 0) {
		errno = EINVAL;
		return -1;
	}
	ret = (int)syscall(SYS_munmap, addr, len);
	after_unmap = NULL;
	if (after && ret == 0)
		after(addr, len);
	return ret;
}

/* The kernel unmaps huge pages as a whole, so all of the last one is forgotten. */
static void what_is_unmapped_with_a_huge_page_is_forgotten_with_it(void **state)
{
	const uintptr_t huge = 8 * PAGE;
	char *got = mmap(NULL, 5 * huge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *a = at(((uintptr_t)got + huge - 1) & ~(huge - 1));

	(void)state;
	assert_ptr_not_equal(got, MAP_FAILED);
	for (int apart = 0; apart < 2; apart++) {
		/* the second time in ranges of a page, of which the call names only one */
		for (uintptr_t i = 0; i < (apart ? 32 : 1); i++)
			assert_int_equal(
			    is_pmem_add(a + i * PAGE, apart ? PAGE : 4 * huge, 0), 0);
		huge_page = huge;
		assert_int_equal(is_pmem_unmap(a + huge, huge + 1), 0);
		huge_page = 0;
		assert_true(is_pmem_covers(a, huge));
		for (uintptr_t i = 8; i < 24; i++)
			assert_false(is_pmem_covers(a + i * PAGE, 1));
		assert_true(is_pmem_covers(a + 3 * huge, huge));
		assert_int_equal(clear(NULL), 0);
	}
	munmap(got, 5 * huge);
}

/*
 * Another thread, or a signal handler, maps something else at the addresses that were unmapped a
 * moment ago, and asks about it. The pages in front of it and behind it are mapped still.
 */
static uintptr_t unmapped_pages;
static bool is_told_right;

/* The calling thread is in the library and must not leave it by a failed assertion. */
static void ask_about_what_is_mapped_there_next(void *addr, size_t len)
{
	const uintptr_t begin = (uintptr_t)addr;
	const uintptr_t end = begin + len;
	struct is_pmem_range r;
	bool right = is_pmem_covers(at(begin - PAGE), PAGE) &&
		     is_pmem_covers(at(end), PAGE) &&
		     !is_pmem_covers(at(begin - PAGE), 2 * PAGE) &&
		     !is_pmem_covers(at(end - PAGE), 2 * PAGE);

	unmapped_pages = len / PAGE;
	for (uintptr_t page = begin; page < end; page += PAGE)
		right = right && !is_pmem_covers(at(page), 1);
	right =
	    right && is_pmem_find(begin - PAGE, &r) && r.begin < begin && r.end == begin;
	for (uintptr_t page = begin; page <= end; page += PAGE)
		right = right && is_pmem_find(page, &r) && r.begin == end && r.end > end;
	is_told_right = right;
}

static void what_is_mapped_where_a_range_was_a_moment_ago_is_unknown(void **state)
{
	const uintptr_t huge = 8 * PAGE;
	char *got = mmap(NULL, 5 * huge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *a = at(((uintptr_t)got + huge - 1) & ~(huge - 1));

	(void)state;
	assert_ptr_not_equal(got, MAP_FAILED);
	for (int is_huge = 0; is_huge < 2; is_huge++)
		for (int apart = 0; apart < 2; apart++) {
			for (uintptr_t i = 0; i < (apart ? 32 : 1); i++)
				assert_int_equal(
				    is_pmem_add(a + i * PAGE, apart ? PAGE : 4 * huge, 0),
				    0);
			huge_page = is_huge ? huge : 0;
			after_unmap = ask_about_what_is_mapped_there_next;
			is_told_right = false;
			assert_int_equal(is_pmem_unmap(a + huge, PAGE + 1), 0);
			huge_page = 0;
			assert_true(is_told_right);
			assert_int_equal(unmapped_pages, is_huge ? 8 : 2);
			assert_int_equal(clear(NULL), 0);
		}
	munmap(got, 5 * huge);
}

static void ask_with_nothing_known_below(void *addr, size_t len)
{
	const uintptr_t begin = (uintptr_t)addr;
	struct is_pmem_range r;

	is_told_right = !is_pmem_covers(addr, 1) && is_pmem_find(begin - PAGE, &r) &&
			r.begin == begin + len && r.end > r.begin;
}

static void the_beginning_of_a_range_that_is_unmapped_is_not_found(void **state)
{
	char *a = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(a, MAP_FAILED);
	assert_int_equal(is_pmem_add(a, 3 * PAGE, 0), 0);
	after_unmap = ask_with_nothing_known_below;
	is_told_right = false;
	assert_int_equal(is_pmem_unmap(a, PAGE), 0);
	assert_true(is_told_right);
	munmap(a + PAGE, 2 * PAGE);
}

static void ranges_at_low_addresses_are_longer_than_these(void **state)
{
	struct is_pmem_range r;

	(void)state;
	assert_int_equal(is_pmem_add(at(BASE), PAGE, 1), 0);
	assert_int_equal(is_pmem_add(at(PAGE), 4 * PAGE, 2), 0);
	assert_true(is_pmem_covers(at(BASE), PAGE));
	assert_int_equal(is_pmem_remove(at(PAGE), 3 * PAGE), 0);
	assert_true(is_pmem_find(PAGE, &r));
	assert_int_equal(r.begin, 4 * PAGE);
	assert_int_equal(r.end, 5 * PAGE);
	assert_true(is_pmem_covers(at(BASE), PAGE));
}

static void neighbours_are_covered_together_and_gaps_are_not(void **state)
{
	(void)state;
	for (uintptr_t i = 0; i < 4; i++)
		if (i != 2)
			assert_int_equal(is_pmem_add(at(BASE + i * PAGE), PAGE, (int)i),
					 0);
	assert_true(is_pmem_covers(at(BASE), 2 * PAGE));
	assert_true(is_pmem_covers(at(BASE + PAGE - 1), 2));
	assert_false(is_pmem_covers(at(BASE), 3 * PAGE));
	assert_false(is_pmem_covers(at(BASE), 4 * PAGE));
	assert_true(is_pmem_covers(at(BASE + 3 * PAGE), PAGE));
}

static void removing_the_middle_splits_a_range(void **state)
{
	struct is_pmem_range r;

	(void)state;
	assert_int_equal(is_pmem_add(at(BASE), 5 * PAGE, 7), 0);
	assert_int_equal(is_pmem_remove(at(BASE + 2 * PAGE), 1), 0);
	assert_true(is_pmem_covers(at(BASE), 2 * PAGE));
	assert_false(is_pmem_covers(at(BASE + 2 * PAGE), 1));
	assert_false(is_pmem_covers(at(BASE + 3 * PAGE - 1), 1));
	assert_true(is_pmem_covers(at(BASE + 3 * PAGE), 2 * PAGE));
	assert_true(is_pmem_find(BASE + 2 * PAGE, &r));
	assert_int_equal(r.begin, BASE + 3 * PAGE);
	assert_int_equal(r.end, BASE + 5 * PAGE);
	assert_int_equal(r.region, 7);
}

static void a_new_range_takes_the_place_of_stale_ones(void **state)
{
	struct is_pmem_range r;

	(void)state;
	assert_int_equal(is_pmem_add(at(BASE), 2 * PAGE, 1), 0);
	assert_int_equal(is_pmem_add(at(BASE + 2 * PAGE), 2 * PAGE, 2), 0);
	assert_int_equal(is_pmem_add(at(BASE + PAGE), PAGE + 10, 3), 0);
	assert_true(is_pmem_find(BASE, &r));
	assert_int_equal(r.end, BASE + PAGE);
	assert_int_equal(r.region, 1);
	assert_true(is_pmem_find(BASE + PAGE, &r));
	assert_int_equal(r.end, BASE + 2 * PAGE + 10);
	assert_int_equal(r.region, 3);
	/* The rest of the page that the new range shares is not known. */
	assert_false(is_pmem_covers(at(BASE + 2 * PAGE + 10), 1));
	assert_true(is_pmem_covers(at(BASE + 3 * PAGE), PAGE));
}

/* Random adds and removes of pages, compared with an array of page owners. */
static void it_agrees_with_a_plain_array(void **state)
{
	enum { NPAGES = 300 };
	int owner[NPAGES + 1];
	uint64_t random = 20240611;

	(void)state;
	for (int i = 0; i <= NPAGES; i++)
		owner[i] = -9;
	for (int step = 0; step < 6000; step++) {
		uintptr_t first = support_random(&random) % NPAGES;
		uintptr_t n = 1 + support_random(&random) % (NPAGES - first) %
				      (step % 100 ? 8 : NPAGES);
		bool add = support_random(&random) % 5 < 3;
		struct is_pmem_range r;
		uintptr_t page;

		if (add)
			assert_int_equal(
			    is_pmem_add(at(BASE + first * PAGE), n * PAGE, step), 0);
		else
			assert_int_equal(
			    is_pmem_remove(at(BASE + first * PAGE), n * PAGE), 0);
		for (page = first; page < first + n; page++)
			owner[page] = add ? step : -9;

		first = support_random(&random) % NPAGES;
		n = 1 + support_random(&random) % (NPAGES - first);
		for (page = first; page < first + n && owner[page] != -9; page++)
			;
		assert_int_equal(is_pmem_covers(at(BASE + first * PAGE), n * PAGE),
				 page == first + n);
		for (page = first; page < NPAGES && owner[page] == -9; page++)
			;
		assert_int_equal(is_pmem_find(BASE + first * PAGE, &r), page < NPAGES);
		if (page < NPAGES) {
			assert_int_equal(r.region, owner[page]);
			assert_true(r.begin <= BASE + page * PAGE);
			assert_int_equal(owner[(r.end - BASE) / PAGE - 1], owner[page]);
			assert_true(owner[(r.end - BASE) / PAGE] != owner[page]);
		}
	}
}

static void readers_see_whole_changes_only(void **state)
{
	void *gap = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t threads[2];
	struct is_pmem_range r;

	(void)state;
	assert_ptr_not_equal(gap, MAP_FAILED);
	assert_int_equal(is_pmem_add(gap, PAGE, 6), 0);
	assert_int_equal(is_pmem_add(at(BASE), PAGE, 4), 0);
	assert_int_equal(is_pmem_add(at(BASE + 5000 * PAGE), PAGE, 5), 0);
	atomic_store(&stop_changing, false);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, keep_changing, NULL),
				 0);
	for (int i = 0; i < 300000; i++) {
		if (i == 150000) /* also after an odd number of unmappings */
			assert_int_equal(is_pmem_unmap(gap, PAGE), 0);
		assert_true(is_pmem_covers(at(BASE), PAGE));
		assert_false(is_pmem_covers(at(BASE + PAGE), 1));
		assert_true(is_pmem_find(BASE + 4000 * PAGE, &r));
		assert_int_equal(r.region, 5);
	}
	atomic_store(&stop_changing, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

/* The mappings have gaps between them. */
static void add_until(uintptr_t *n, uintptr_t wanted)
{
	for (; *n < wanted; ++*n)
		assert_int_equal(is_pmem_add(at(BASE + (*n + 1) * 2 * PAGE), PAGE, 1), 0);
}

/* There are many short runs, so at least one is not interrupted. */
static double time_of_a_question(uintptr_t nmapping)
{
	enum { RUNS = 100, LOOPS = 20000 };
	uint64_t random = 3;
	double best = 1e18;
	struct timespec a;
	struct timespec b;

	for (int run = 0; run < RUNS; run++) {
		int found = 0;
		double ns;

		clock_gettime(CLOCK_MONOTONIC, &a);
		for (int i = 0; i < LOOPS; i++) {
			uintptr_t page = 1 + support_random(&random) % nmapping;

			found += is_pmem_covers(at(BASE + page * 2 * PAGE), PAGE);
		}
		clock_gettime(CLOCK_MONOTONIC, &b);
		assert_int_equal(found, LOOPS);
		ns = ((double)(b.tv_sec - a.tv_sec) * 1e9 +
		      (double)(b.tv_nsec - a.tv_nsec)) /
		     LOOPS;
		best = ns < best ? ns : best;
	}
	print_message("%.1f ns per question with %u mappings\n", best,
		      (unsigned)nmapping);
	return best;
}

/*
 * The search takes about 14 steps instead of 4, and misses some caches. If it looked at each mapping
 * in turn, it would take 600 times as long.
 */
static void ten_thousand_mappings_do_not_slow_it_down(void **state)
{
	uintptr_t n = 0;
	double few;

	(void)state;
	add_until(&n, 16);
	few = time_of_a_question(n);
	add_until(&n, 10000);
	assert_true(time_of_a_question(n) < 30 * few);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(nothing_is_known_at_first, clear),
	    cmocka_unit_test_teardown(a_range_is_known_to_the_byte, clear),
	    cmocka_unit_test_teardown(
		what_is_unmapped_with_a_huge_page_is_forgotten_with_it, clear),
	    cmocka_unit_test_teardown(
		what_is_mapped_where_a_range_was_a_moment_ago_is_unknown, clear),
	    cmocka_unit_test_teardown(
		the_beginning_of_a_range_that_is_unmapped_is_not_found, clear),
	    cmocka_unit_test_teardown(ranges_at_low_addresses_are_longer_than_these,
				      clear),
	    cmocka_unit_test_teardown(neighbours_are_covered_together_and_gaps_are_not,
				      clear),
	    cmocka_unit_test_teardown(removing_the_middle_splits_a_range, clear),
	    cmocka_unit_test_teardown(a_new_range_takes_the_place_of_stale_ones, clear),
	    cmocka_unit_test_teardown(it_agrees_with_a_plain_array, clear),
	    cmocka_unit_test_teardown(readers_see_whole_changes_only, clear),
	    cmocka_unit_test_teardown(ten_thousand_mappings_do_not_slow_it_down, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
