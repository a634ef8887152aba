/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads that lose pages of the same mapping: whose replacement is whose, and the wait for that of
 * another thread.
 */
#include "sigbus_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>

static unsigned count_replaced(struct sigbus_watch *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SIGBUS_PAGES; i++)
		n += atomic_load(&w->replaced[i]) != 0;
	return n;
}

/* Other threads take replacements away; then the page is lost again in the same call. */
static void a_page_that_is_lost_again_takes_no_more_room(void **state)
{
	const size_t len = (SIGBUS_PAGES + 1) * 4096;
	unsigned char *pages =
	    mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct {
		struct sigbus_watch w;
		uintptr_t behind;
	} here = {.behind = 0};
	struct sigbus_watch *w = &here.w;

	(void)state;
	assert_true(pages != MAP_FAILED);
	assert_int_equal(sigbus_watch(w, pages, len, 4096), 0);
	sigbus_enter(w);
	for (unsigned i = 0; i < 3 * SIGBUS_PAGES; i++)
		for (unsigned k = 0; k < 2; k++) {
			lose_at(pages + k * 4096);
			assert_int_equal(((volatile unsigned char *)pages)[k * 4096],
					 0xff);
		}
	assert_int_equal(count_replaced(w), 2);
	/* there is room for exactly so many */
	for (unsigned k = 2; k < SIGBUS_PAGES; k++) {
		lose_at(pages + k * 4096);
		assert_int_equal(((volatile unsigned char *)pages)[k * 4096], 0xff);
		assert_int_equal(count_replaced(w), k + 1);
	}
	assert_false(atomic_load(&w->all_lost));
	lose_at(pages + len - 4096);
	assert_int_equal(((volatile unsigned char *)pages)[len - 4096], 0xff);
	assert_true(atomic_load(&w->all_lost));
	assert_int_equal(here.behind, 0);
	assert_true(sigbus_leave(w));
	assert_int_equal(count_replaced(w), 0);
	assert_int_equal(atomic_load(&w->open), 0);
	sigbus_unwatch(w);
	munmap(pages, len);
}

/* What two threads of a mapping of two pages do in turn. */
static struct sigbus_watch shared_watch;
static unsigned char *shared_pages;
static pthread_barrier_t next_step;

static void *lose_the_first_page(void *arg)
{
	volatile unsigned char *first = shared_pages;
	uint64_t epoch;
	bool is_whole;

	(void)arg;
	sigbus_enter(&shared_watch);
	is_whole = *first == 0xff;
	pthread_barrier_wait(&next_step);
	pthread_barrier_wait(&next_step); /* the other thread has left its call */
	epoch = atomic_load(&shared_watch.epoch);
	is_whole = is_whole && *first == 0xff;
	is_whole = is_whole && atomic_load(&shared_watch.epoch) == epoch;
	return sigbus_leave(&shared_watch) && is_whole ? NULL : (void *)1;
}

/* Otherwise a call that goes on could meet the same page again and again. */
static void a_thread_takes_only_its_own_replacements_away(void **state)
{
	const size_t len = 2 * 4096;
	pthread_t thread;
	void *failed;

	(void)state;
	shared_pages =
	    mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(shared_pages != MAP_FAILED);
	lose_at(shared_pages);
	lose_at(shared_pages + 4096);
	assert_int_equal(sigbus_watch(&shared_watch, shared_pages, len, 4096), 0);
	pthread_barrier_init(&next_step, NULL, 2);
	sigbus_enter(&shared_watch);
	assert_int_equal(pthread_create(&thread, NULL, lose_the_first_page, NULL), 0);
	pthread_barrier_wait(&next_step);
	assert_int_equal(((volatile unsigned char *)shared_pages)[4096], 0xff);
	assert_int_equal(count_replaced(&shared_watch), 2);
	assert_true(sigbus_leave(&shared_watch));
	assert_int_equal(count_replaced(&shared_watch), 1);
	assert_int_equal(atomic_load(&shared_watch.open), 1);
	pthread_barrier_wait(&next_step);
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	assert_int_equal(count_replaced(&shared_watch), 0);
	pthread_barrier_destroy(&next_step);
	sigbus_unwatch(&shared_watch);
	munmap(shared_pages, len);
}

/*
 * While this is set, its replacement is removed after the third sleep, or after far too many
 * yields.
 */
static struct sigbus_watch *waited_for;
static unsigned nyield;
static unsigned nnap;
static long longest_nap; /* nanoseconds */
static int nap_flags;	 /* of all of them */

SUPPORT_INTERPOSE int sched_yield(void)
{
	if (waited_for && ++nyield == 10000)
		waited_for->open = 0;
	return (int)syscall(SYS_sched_yield);
}

SUPPORT_INTERPOSE int clock_nanosleep(clockid_t id, int flags, const struct timespec *t,
				      struct timespec *left)
{
	if (waited_for) {
		long ns = t->tv_sec * 1000000000L + t->tv_nsec;

		nap_flags |= flags;
		longest_nap = ns > longest_nap ? ns : longest_nap;
		if (++nnap == 3)
			waited_for->open = 0;
	}
	return syscall(SYS_clock_nanosleep, id, flags, t, left) ? errno : 0;
}

static void a_long_wait_sleeps_and_a_short_one_does_not(void **state)
{
	struct sigbus_watch w = {.open = 1, .epoch = 7};

	(void)state;
	if (support_is_emulated())
		skip();
	waited_for = &w;
	assert_int_equal(sigbus_epoch(&w), 7);
	waited_for = NULL;
	assert_in_range(nyield, 10, 1000);
	assert_int_equal(nnap, 3);
	assert_in_range(longest_nap, 1, 10000000);
	assert_int_equal(nap_flags, 0); /* that long, not until then */
}

/* It is both threads' own: each of them takes it away, and reports an error. */
static void a_page_that_another_thread_has_recorded_is_recorded_again(void **state)
{
	unsigned char *page =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static struct sigbus_watch w;

	(void)state;
	assert_true(page != MAP_FAILED);
	assert_int_equal(sigbus_watch(&w, page, 4096, 4096), 0);
	sigbus_enter(&w);
	atomic_store(&w.replaced[5], (uintptr_t)page);
	atomic_store(&w.open, 1);
	lose_at(page);
	assert_int_equal(*(volatile unsigned char *)page, 0xff);
	assert_int_equal(count_replaced(&w), 2);
	assert_int_equal(atomic_load(&w.open), 2);
	assert_true(sigbus_leave(&w));
	assert_int_equal(atomic_load(&w.open), 1);
	assert_int_equal(count_replaced(&w), 1);
	assert_true(atomic_load(&w.replaced[5]) == (uintptr_t)page);
	sigbus_unwatch(&w);
	munmap(page, 4096);
}

static volatile sig_atomic_t own_calls;

static void mend_page(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	own_calls++;
	mmap((void *)((uintptr_t)info->si_addr & ~(uintptr_t)4095), 4096,
	     PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void the_page_behind_a_mapping_belongs_to_the_program(void **state)
{
	unsigned char *pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct sigaction own = {.sa_flags = SA_SIGINFO};
	static struct sigbus_watch w;
	struct sigaction old;

	(void)state;
	assert_true(pages != MAP_FAILED);
	own.sa_sigaction = mend_page;
	assert_int_equal(sigaction(SIGBUS, &own, &old), 0);
	assert_int_equal(sigbus_watch(&w, pages + 4096, 4096, 4096), 0);
	for (size_t i = 0; i < 3; i++)
		lose_at(pages + i * 4096);
	sigbus_enter(&w);
	assert_int_equal(*(volatile unsigned char *)(pages + 2 * 4096), 0);
	assert_int_equal(own_calls, 1);
	assert_int_equal(*(volatile unsigned char *)(pages + 4095), 0);
	assert_int_equal(own_calls, 2);
	assert_int_equal(count_replaced(&w), 0);
	assert_int_equal(*(volatile unsigned char *)(pages + 4096), 0xff);
	assert_int_equal(*(volatile unsigned char *)(pages + 2 * 4096 - 1), 0xff);
	assert_true(sigbus_leave(&w));
	assert_int_equal(own_calls, 2);
	sigbus_unwatch(&w);
	assert_int_equal(sigaction(SIGBUS, &old, NULL), 0);
	munmap(pages, 3 * 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_page_that_is_lost_again_takes_no_more_room),
	    cmocka_unit_test(a_thread_takes_only_its_own_replacements_away),
	    cmocka_unit_test(a_page_that_another_thread_has_recorded_is_recorded_again),
	    cmocka_unit_test(the_page_behind_a_mapping_belongs_to_the_program),
	    cmocka_unit_test(a_long_wait_sleeps_and_a_short_one_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
