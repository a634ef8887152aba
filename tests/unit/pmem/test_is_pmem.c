/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of ranges, compared with a plain array, and used by threads and forked children. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "is_pmem.h"
#include "support.h"

#define PAGE ((uintptr_t)sysconf(_SC_PAGESIZE))
#define BASE ((uintptr_t)1 << 40)

static void *at(uintptr_t addr)
{
	return (void *)addr;
}

static int clear(void **state)
{
	(void)state;
	return is_pmem_remove(at(0), SIZE_MAX);
}

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
static void (*instead_of_unmap)(void); /* then the call fails */

SUPPORT_INTERPOSE int munmap(void *addr, size_t len)
{
	void (*after)(void *, size_t) = after_unmap;
	int ret;

	if (huge_page && ((uintptr_t)addr + len) % huge_page != 0) {
		errno = EINVAL;
		return -1;
	}
	if (instead_of_unmap) {
		instead_of_unmap();
		errno = ENOMEM;
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
	right = right && is_pmem_find(begin - PAGE, &r) && r.end == begin;
	for (uintptr_t page = begin; page <= end; page += PAGE)
		right = right && is_pmem_find(page, &r) && r.begin == end;
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

#ifdef __x86_64__

/*
 * One range is being unmapped, and then another one, while the reader executes instruction number
 * `switch_at`. The page between the two stays. Both calls fail, so that they can be repeated.
 */
static int to_reader[2];
static int to_unmapper[2];
static volatile unsigned ninstruction;
static volatile unsigned switch_at;

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
		switch_range();
}

/* A signal comes after each instruction from here on, or none any more. */
static inline void trap_each_instruction(bool on)
{
	__asm__ volatile("pushfq\n\t"
			 "andq $~0x100, (%%rsp)\n\t"
			 "orq %0, (%%rsp)\n\t"
			 "popfq"
			 :
			 : "r"((uint64_t)on << 8)
			 : "memory", "cc");
}

static bool is_between_known(int by_find)
{
	const uintptr_t page = PAGE;
	struct is_pmem_range r = {0};
	bool right;

	trap_each_instruction(true);
	if (by_find)
		right = is_pmem_find(BASE + page, &r);
	else
		right = is_pmem_covers(at(BASE + page), page);
	trap_each_instruction(false);
	return right && (!by_find || r.begin <= BASE + page);
}

static void what_lies_between_ranges_that_are_unmapped_one_by_one_is_known(void **state)
{
	(void)state;
	if (support_is_emulated() || SUPPORT_SANITIZED)
		skip();
	assert_int_equal(is_pmem_add(at(BASE), 3 * PAGE, 1), 0);
	assert_int_equal(pipe(to_reader), 0);
	assert_int_equal(pipe(to_unmapper), 0);
	signal(SIGTRAP, count_instruction);
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

#endif

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

static atomic_bool stop;

/* Changes everything but the first page, all the time, and lets the tables grow. */
static void *keep_changing(void *arg)
{
	uint64_t random = 1;

	(void)arg;
	while (!atomic_load(&stop)) {
		uintptr_t page = 2 + support_random(&random) % 2000;

		if (support_random(&random) % 2)
			assert_int_equal(is_pmem_add(at(BASE + page * PAGE), PAGE, 1), 0);
		else
			assert_int_equal(is_pmem_remove(at(BASE + page * PAGE), PAGE), 0);
	}
	return NULL;
}

static void readers_see_whole_changes_only(void **state)
{
	pthread_t threads[2];
	struct is_pmem_range r;

	(void)state;
	assert_int_equal(is_pmem_add(at(BASE), PAGE, 4), 0);
	assert_int_equal(is_pmem_add(at(BASE + 5000 * PAGE), PAGE, 5), 0);
	atomic_store(&stop, false);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, keep_changing, NULL),
				 0);
	for (int i = 0; i < 300000; i++) {
		assert_true(is_pmem_covers(at(BASE), PAGE));
		assert_false(is_pmem_covers(at(BASE + PAGE), 1));
		assert_true(is_pmem_find(BASE + 4000 * PAGE, &r));
		assert_int_equal(r.region, 5);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

/* Reads in the middle of changes, when the other copy counts. */
static volatile sig_atomic_t is_lost;

static void read_meanwhile(int sig)
{
	(void)sig;
	if (!is_pmem_covers(at(BASE), PAGE) || is_pmem_covers(at(BASE + PAGE), 1))
		is_lost = 1;
}

static bool changes_go_on(void)
{
	/* instrumented handlers take longer */
	const long ns = SUPPORT_SANITIZED ? 5000000 : 50000;
	const struct itimerspec often = {{0, ns}, {0, ns}};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	timer_t timer;

	signal(SIGUSR1, read_meanwhile);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
	    timer_settime(timer, 0, &often, NULL) != 0)
		return false;
	for (int i = 0; i < 400 && !is_lost; i++) {
		uintptr_t page = 3000 + (uintptr_t)i % 500 * 2;

		if (is_pmem_add(at(BASE + page * PAGE), PAGE, 1) != 0 ||
		    !is_pmem_covers(at(BASE + page * PAGE), PAGE))
			return false;
	}
	timer_delete(timer);
	return !is_lost;
}

static void a_child_forked_in_the_middle_of_a_change_goes_on(void **state)
{
	pthread_t thread;

	(void)state;
	if (support_is_emulated())
		skip();
	assert_int_equal(is_pmem_add(at(BASE), PAGE, 4), 0);
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&thread, NULL, keep_changing, NULL), 0);
	for (int i = 0; i < 30; i++) {
		int status;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			bool ok = is_pmem_covers(at(BASE), PAGE);

			alarm(20);
			ok = ok && is_pmem_add(at(BASE / 2), PAGE, 1) == 0;
			ok = ok && is_pmem_covers(at(BASE / 2), PAGE);
			ok = ok && changes_go_on();
			_exit(ok ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
}

/* The handler interrupts changes; its child goes on with the change, too, and then looks. */
enum { NINTERRUPTED = 2000, MIN_FORKS = 40 };

static volatile sig_atomic_t nforked;
static volatile sig_atomic_t is_forked_child;
static volatile sig_atomic_t is_child_wrong;

static void fork_meanwhile(int sig)
{
	int status;
	pid_t pid;

	(void)sig;
	/* behind the loop that ends then, a child would go on with the next case */
	if (is_forked_child || is_child_wrong || nforked >= MIN_FORKS)
		return;
	pid = fork();
	if (pid == 0) {
		alarm(20);
		is_forked_child = 1;
		return;
	}
	nforked++;
	if (waitpid(pid, &status, 0) != pid || status != 0)
		is_child_wrong = 1;
}

static bool has_all(uintptr_t n)
{
	for (uintptr_t i = 0; i < n; i++)
		if (!is_pmem_covers(at(BASE + 2 * i * PAGE), PAGE) ||
		    is_pmem_covers(at(BASE + (2 * i + 1) * PAGE), 1))
			return false;
	return !is_pmem_covers(at(BASE + 2 * n * PAGE), 1);
}

static void a_child_of_a_handler_that_interrupts_a_change_returns_to_it(void **state)
{
	/* the highest mapping is the first entry: all others move */
	const uintptr_t last = BASE + 2 * NINTERRUPTED * PAGE;
	const struct itimerspec often = {{0, 700000}, {0, 700000}};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	timer_t timer;

	(void)state;
	if (support_is_emulated() || SUPPORT_SANITIZED)
		skip(); /* a sanitizer may hold locks of its own there */
	for (uintptr_t i = 0; i < NINTERRUPTED; i++)
		assert_int_equal(is_pmem_add(at(BASE + 2 * i * PAGE), PAGE, 1), 0);
	signal(SIGUSR1, fork_meanwhile);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	assert_int_equal(timer_settime(timer, 0, &often, NULL), 0);
	while (nforked < MIN_FORKS && !is_forked_child && !is_child_wrong)
		if (is_pmem_add(at(last), PAGE, 1) != 0 || is_forked_child ||
		    is_pmem_remove(at(last), PAGE) != 0)
			break;
	if (is_forked_child) {
		/* twice, so that both copies count */
		bool ok = is_pmem_remove(at(last), PAGE) == 0 && has_all(NINTERRUPTED);

		_exit(ok && is_pmem_add(at(last), PAGE, 1) == 0 &&
			      has_all(NINTERRUPTED + 1)
			  ? 0
			  : 1);
	}
	timer_delete(timer);
	assert_false(is_child_wrong);
	assert_true(nforked >= MIN_FORKS);
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
#ifdef __x86_64__
	    cmocka_unit_test_teardown(
		what_lies_between_ranges_that_are_unmapped_one_by_one_is_known, clear),
#endif
	    cmocka_unit_test_teardown(neighbours_are_covered_together_and_gaps_are_not,
				      clear),
	    cmocka_unit_test_teardown(removing_the_middle_splits_a_range, clear),
	    cmocka_unit_test_teardown(a_new_range_takes_the_place_of_stale_ones, clear),
	    cmocka_unit_test_teardown(it_agrees_with_a_plain_array, clear),
	    cmocka_unit_test_teardown(readers_see_whole_changes_only, clear),
	    cmocka_unit_test_teardown(a_child_forked_in_the_middle_of_a_change_goes_on,
				      clear),
	    cmocka_unit_test_teardown(
		a_child_of_a_handler_that_interrupts_a_change_returns_to_it, clear),
	    cmocka_unit_test_teardown(ten_thousand_mappings_do_not_slow_it_down, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
