/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of ranges in children that are forked in the middle of a change. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "is_pmem_fixture.h"

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

/*
 * More room than all changes need: a sanitizer's allocator does not survive a fork while another thread
 * is in it, as malloc does.
 */
static void make_room(void)
{
	enum { ROOM = 3000 };

	for (uintptr_t i = 0; i < ROOM; i++)
		assert_int_equal(is_pmem_add(at(BASE + (5000 + 2 * i) * PAGE), PAGE, 1),
				 0);
	assert_int_equal(is_pmem_remove(at(BASE + 5000 * PAGE), 2 * ROOM * PAGE), 0);
}

static void a_child_forked_in_the_middle_of_a_change_goes_on(void **state)
{
	pthread_t thread;

	(void)state;
	if (support_is_emulated())
		skip();
	if (SUPPORT_SANITIZED)
		make_room();
	assert_int_equal(is_pmem_add(at(BASE), PAGE, 4), 0);
	atomic_store(&stop_changing, false);
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
	atomic_store(&stop_changing, true);
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

/*
 * The table below the highest page stays, but each change moves all its entries. What the child finds
 * of that page is one or the other, and stays so, whichever copy it reads.
 */
enum { NBELOW = 2000 };

#define HIGHEST (BASE + 2 * NBELOW * PAGE)

static void *keep_changing_the_highest(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop_changing)) {
		assert_int_equal(is_pmem_add(at(HIGHEST), PAGE, 1), 0);
		assert_int_equal(is_pmem_remove(at(HIGHEST), PAGE), 0);
	}
	return NULL;
}

static bool has_highest;

static void compare_meanwhile(int sig)
{
	(void)sig;
	if (is_pmem_covers(at(HIGHEST), PAGE) != has_highest ||
	    !is_pmem_covers(at(HIGHEST - 2 * PAGE), PAGE) ||
	    is_pmem_covers(at(HIGHEST - PAGE), 1) || !is_pmem_covers(at(BASE), PAGE))
		is_lost = 1;
}

static int look_at_both_copies(void)
{
	const struct itimerspec often = {{0, 50000}, {0, 50000}};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	timer_t timer;

	alarm(20);
	has_highest = is_pmem_covers(at(HIGHEST), PAGE);
	if (!has_all(has_highest ? NBELOW + 1 : NBELOW))
		return 1;
	signal(SIGUSR1, compare_meanwhile);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
	    timer_settime(timer, 0, &often, NULL) != 0)
		return 2;
	/* signals come in the middle of these, when the other copy counts */
	for (int i = 0; i < 300 && !is_lost; i++)
		if (is_pmem_add(at(2 * HIGHEST), PAGE, 1) != 0 ||
		    is_pmem_remove(at(2 * HIGHEST), PAGE) != 0)
			return 3;
	timer_delete(timer);
	if (is_lost)
		return 4;
	return has_all(has_highest ? NBELOW + 1 : NBELOW) ? 0 : 5;
}

static void a_child_forked_in_the_middle_of_a_change_has_two_equal_copies(void **state)
{
	pthread_t thread;

	(void)state;
	if (support_is_emulated() || SUPPORT_SANITIZED)
		skip(); /* instrumented changes and handlers take too long */
	for (uintptr_t i = 0; i < NBELOW; i++)
		assert_int_equal(is_pmem_add(at(BASE + 2 * i * PAGE), PAGE, 1), 0);
	atomic_store(&stop_changing, false);
	assert_int_equal(pthread_create(&thread, NULL, keep_changing_the_highest, NULL),
			 0);
	for (int i = 0; i < 60; i++) {
		int status;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			_exit(look_at_both_copies());
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	atomic_store(&stop_changing, true);
	pthread_join(thread, NULL);
}

/* The other thread has unmapped the range, and not forgotten it yet. */
static int is_unmapped[2];
static int may_go_on[2];
static atomic_bool stops_in_unmap;

SUPPORT_INTERPOSE int munmap(void *addr, size_t len)
{
	int ret = (int)syscall(SYS_munmap, addr, len);
	char byte = 0;

	if (atomic_exchange(&stops_in_unmap, false) &&
	    (write(is_unmapped[1], &byte, 1) != 1 || read(may_go_on[0], &byte, 1) != 1))
		abort();
	return ret;
}

static void *unmap_page(void *addr)
{
	atomic_store(&stops_in_unmap, true);
	return is_pmem_unmap(addr, PAGE) == 0 ? addr : NULL;
}

static int look_where_it_was(void *addr)
{
	struct is_pmem_range r;

	alarm(20);
	for (int i = 0; i < 2; i++) {
		if (is_pmem_covers(addr, 1))
			return 1;
		if (is_pmem_find((uintptr_t)addr, &r) && r.begin <= (uintptr_t)addr)
			return 2;
		if (is_pmem_add(at(BASE), PAGE, 1) != 0 ||
		    !is_pmem_covers(at(BASE), PAGE))
			return 3;
	}
	return 0;
}

static void a_child_forked_in_the_middle_of_an_unmapping_has_forgotten_it(void **state)
{
	char *addr = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t thread;
	void *unmapped;
	char byte = 0;
	int status;
	pid_t pid;

	(void)state;
	if (support_is_emulated())
		skip();
	assert_ptr_not_equal(addr, MAP_FAILED);
	assert_int_equal(pipe(is_unmapped), 0);
	assert_int_equal(pipe(may_go_on), 0);
	assert_int_equal(is_pmem_add(addr, PAGE, 1), 0);
	assert_int_equal(pthread_create(&thread, NULL, unmap_page, addr), 0);
	assert_int_equal(read(is_unmapped[0], &byte, 1), 1);
	pid = fork();
	if (pid == 0)
		_exit(look_where_it_was(addr));
	assert_int_equal(write(may_go_on[1], &byte, 1), 1);
	pthread_join(thread, &unmapped);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_ptr_equal(unmapped, addr);
	assert_false(is_pmem_covers(addr, 1));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(a_child_forked_in_the_middle_of_a_change_goes_on,
				      clear),
	    cmocka_unit_test_teardown(
		a_child_forked_in_the_middle_of_a_change_has_two_equal_copies, clear),
	    cmocka_unit_test_teardown(
		a_child_forked_in_the_middle_of_an_unmapping_has_forgotten_it, clear),
	    cmocka_unit_test_teardown(
		a_child_of_a_handler_that_interrupts_a_change_returns_to_it, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
