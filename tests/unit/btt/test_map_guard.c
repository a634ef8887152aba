/* SPDX-License-Identifier: BSD-3-Clause */
#include "support.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "btt/map_guard.h"
#include "kernel.h"

enum { LOCKS = 3, ROUNDS = 20000, MAX_THREADS = 5 };

/*
 * Plain counters. They are right, and without a ThreadSanitizer report, only if the locks
 * exclude.
 */
static struct {
	struct map_guard guard;
	struct lock lock[LOCKS];
	unsigned long count[LOCKS];
	unsigned long more;
	unsigned rounds;
	_Atomic(int) inside;
	_Atomic(bool) leave;
} t;

static void start(bool biased)
{
	map_guard_init(&t.guard, biased, NULL);
	for (int i = 0; i < LOCKS; i++)
		t.count[i] = 0;
	t.more = 0;
}

/* 0: no owner yet, or none any more. */
static uint64_t owner(void)
{
	uint32_t state = atomic_load(&t.guard.state);

	return state < MAP_GUARD_TERMS ? atomic_load(&t.guard.cell[state].owner) : 0;
}

static bool is_off(void)
{
	return atomic_load(&t.guard.state) & MAP_GUARD_OFF;
}

static void *add(void *arg)
{
	uint64_t thread = (uintptr_t)arg;
	uint64_t seed = thread;

	for (unsigned i = 0; i < t.rounds; i++) {
		uint32_t number = (uint32_t)(support_random(&seed) % LOCKS);
		struct lock *held =
		    map_guard_enter(&t.guard, thread, number, &t.lock[number]);

		t.count[number]++;
		lock_release(held);
	}
	return NULL;
}

/* As a batch: under all locks from some one on, or in their place. */
static void *add_many(void *arg)
{
	uint64_t thread = (uintptr_t)arg;
	uint64_t seed = thread;

	for (unsigned i = 0; i < t.rounds; i++) {
		uint32_t first = (uint32_t)(support_random(&seed) % LOCKS);
		struct lock *all = map_guard_enter_all(&t.guard, thread);

		for (uint32_t k = first; !all && k < LOCKS; k++)
			map_guard_take(&t.guard, k, &t.lock[k]);
		for (uint32_t k = first; k < LOCKS; k++)
			t.count[k]++;
		t.more += LOCKS - 1 - first; /* under the last lock at least */
		for (uint32_t k = first; !all && k < LOCKS; k++)
			lock_release(&t.lock[k]);
		if (all)
			lock_release(all);
	}
	return NULL;
}

static unsigned long total(void)
{
	return t.count[0] + t.count[1] + t.count[2];
}

static void run_threads(uintptr_t n, unsigned rounds)
{
	pthread_t thread[MAX_THREADS];

	t.rounds = rounds;
	for (uintptr_t i = 0; i < n; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, add, (void *)(i + 1)),
				 0);
	for (uintptr_t i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
}

static void threads_exclude_each_other(void **state)
{
	(void)state;
	for (int biased = 0; biased < 2; biased++)
		for (uintptr_t n = 1; n <= MAX_THREADS; n++) {
			start(biased);
			run_threads(n, ROUNDS);
			assert_int_equal(total(), n * ROUNDS);
		}
}

/* The critical moment is the change of the owner, so there are many guards and few rounds. */
static void the_change_of_the_owner_excludes(void **state)
{
	(void)state;
	for (int i = 0; i < 500; i++) {
		start(true);
		run_threads(3, 20);
		assert_int_equal(total(), 60);
	}
}

/* Beside those that take one lock; all of them may be the owner, or change it. */
static void those_who_take_many_exclude_all(void **state)
{
	pthread_t thread[MAX_THREADS];

	(void)state;
	for (unsigned i = 0; i < 400; i++) {
		start(i % 4 != 0);
		t.rounds = i < 10 ? ROUNDS / 10 : 20;
		for (uintptr_t k = 0; k < MAX_THREADS; k++)
			assert_int_equal(pthread_create(&thread[k], NULL,
							k % 2 ? add : add_many,
							(void *)(k + 1)),
					 0);
		for (uintptr_t k = 0; k < MAX_THREADS; k++)
			pthread_join(thread[k], NULL);
		assert_int_equal(total() - t.more, MAX_THREADS * t.rounds);
	}
}

static void a_bias_goes_over_to_the_next_thread_and_ends_after_some_changes(void **state)
{
	(void)state;
	start(true);
	if (is_off()) {
		print_message("skipped: no membarrier here, or no bias on this CPU\n");
		skip();
	}
	t.rounds = 5;
	for (uintptr_t thread = 1; thread <= 4; thread++) {
		add((void *)thread);
		assert_int_equal(owner(), thread);
	}
	for (uintptr_t thread = 5; thread <= 30; thread++)
		add((void *)thread);
	assert_true(is_off());
	assert_int_equal(total(), 150);
}

/* What happens while a thread that takes over runs its barrier; NULL: nothing. */
static void (*at_barrier)(void);
static bool has_entered;

SUPPORT_INTERPOSE long syscall(long number, ...)
{
	static long (*real)(long, ...);
	long args[6];
	va_list ap;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	va_start(ap, number);
	for (size_t i = 0; i < ARRAY_SIZE(args); i++)
		args[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_membarrier && args[0] == MEMBARRIER_CMD_PRIVATE_EXPEDITED &&
	    at_barrier)
		at_barrier();
	return real(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

/* As the owner does in map_guard_enter(), after it has read the state now or before. */
static void enter_as_owner_1(void)
{
	uint32_t state = atomic_load(&t.guard.state);
	struct lock *held;

	at_barrier = NULL;
	has_entered = map_guard_is_owner(&t.guard, state, 1) ||
		      map_guard_enter_biased(&t.guard, 0, 0, &held);
}

static void an_owner_that_comes_while_another_takes_over_does_not_enter(void **state)
{
	(void)state;
	start(true);
	if (is_off()) {
		print_message("skipped: no membarrier here, or no bias on this CPU\n");
		skip();
	}
	t.rounds = 1;
	add((void *)1);
	at_barrier = enter_as_owner_1;
	has_entered = true;
	add((void *)2);
	assert_null(at_barrier);
	assert_false(has_entered);
	assert_int_equal(owner(), 2);
}

static void *stop_inside(void *arg)
{
	uint32_t number = (uint32_t)(uintptr_t)arg;
	struct lock *held = map_guard_enter(&t.guard, 99, number, &t.lock[number]);

	t.inside = 1;
	while (!t.leave)
		sched_yield();
	t.count[number] = 1000;
	lock_release(held);
	return NULL;
}

static void an_owner_stopped_inside_holds_up_its_own_lock_only(void **state)
{
	pthread_t stopped;
	struct lock *held;

	(void)state;
	start(true);
	t.inside = 0;
	t.leave = false;
	assert_int_equal(pthread_create(&stopped, NULL, stop_inside, (void *)1), 0);
	while (!t.inside)
		sched_yield();
	for (int i = 0; i < 100; i++) {
		held = map_guard_enter(&t.guard, 1, 0, &t.lock[0]);
		lock_release(held);
		held = map_guard_enter(&t.guard, 1, 2, &t.lock[2]);
		lock_release(held);
	}
	t.leave = true;
	held = map_guard_enter(&t.guard, 1, 1, &t.lock[1]);
	assert_int_equal(t.count[1], 1000);
	lock_release(held);
	pthread_join(stopped, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(threads_exclude_each_other),
	    cmocka_unit_test(the_change_of_the_owner_excludes),
	    cmocka_unit_test(those_who_take_many_exclude_all),
	    cmocka_unit_test(
		a_bias_goes_over_to_the_next_thread_and_ends_after_some_changes),
	    cmocka_unit_test(an_owner_that_comes_while_another_takes_over_does_not_enter),
	    cmocka_unit_test(an_owner_stopped_inside_holds_up_its_own_lock_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
