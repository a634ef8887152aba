/* SPDX-License-Identifier: BSD-3-Clause */
/* How threads wait for a lock. syscall() below plays the kernel. */
#include "support.h"

#include <stdarg.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "btt/lock.h"
#include "kernel.h"

static struct lock lock;
static unsigned sleeps;
static unsigned wakes;

static void sleep_like_the_kernel(const _Atomic(uint32_t) *word, uint32_t expected,
				  const struct timespec *timeout)
{
	sleeps++;
	assert_true(word == &lock.held);
	/* the kernel lets a thread sleep only if the word still has the expected value */
	assert_int_equal(expected, atomic_load(&lock.held));
	/* a thread that releases the lock now must see the waiter */
	assert_int_equal(atomic_load(&lock.waiters), 1);
	/* if it looked a moment too early, the timeout ends the sleep */
	assert_int_equal(timeout->tv_sec, 0);
	assert_in_range(timeout->tv_nsec, 1, 1000000);
	lock_release(&lock);
}

SUPPORT_INTERPOSE long syscall(long number, ...)
{
	va_list ap;

	assert_int_equal(number, SYS_futex);
	va_start(ap, number);
	const _Atomic(uint32_t) *word = va_arg(ap, const _Atomic(uint32_t) *);
	int operation = va_arg(ap, int);
	uint32_t value = va_arg(ap, uint32_t);
	const struct timespec *timeout = va_arg(ap, const struct timespec *);
	va_end(ap);

	if (operation == FUTEX_WAIT_PRIVATE) {
		sleep_like_the_kernel(word, value, timeout);
		return 0;
	}
	assert_int_equal(operation, FUTEX_WAKE_PRIVATE);
	assert_true(word == &lock.held);
	assert_int_equal(value, 1);
	wakes++;
	return 1;
}

static int begin(void **state)
{
	(void)state;
	lock = (struct lock){.held = 0};
	sleeps = wakes = 0;
	return 0;
}

static void a_free_lock_is_taken_and_left_without_the_kernel(void **state)
{
	(void)state;
	assert_true(lock_try(&lock));
	assert_false(lock_try(&lock));
	lock_release(&lock);
	lock_acquire(&lock);
	lock_release(&lock);
	assert_int_equal(sleeps + wakes, 0);
}

static void who_waits_sleeps_and_who_releases_wakes(void **state)
{
	(void)state;
	lock_acquire(&lock);
	lock_wait_slow(&lock);
	assert_int_equal(sleeps, 1);
	assert_int_equal(wakes, 1);
	assert_int_equal(atomic_load(&lock.waiters), 0);
	assert_int_equal(atomic_load(&lock.held), 0);
}

static void who_acquires_a_held_lock_has_it_after_the_sleep(void **state)
{
	(void)state;
	lock_acquire(&lock);
	lock_acquire(&lock);
	assert_int_equal(sleeps, 1);
	assert_false(lock_try(&lock));
	lock_release(&lock);
	assert_int_equal(wakes, 1);
}

static void who_finds_the_lock_free_does_not_sleep(void **state)
{
	(void)state;
	lock_wait_slow(&lock);
	assert_int_equal(sleeps, 0);
}

#define CASE(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_free_lock_is_taken_and_left_without_the_kernel),
	    CASE(who_waits_sleeps_and_who_releases_wakes),
	    CASE(who_acquires_a_held_lock_has_it_after_the_sleep),
	    CASE(who_finds_the_lock_free_does_not_sleep),
	};

	alarm(20); /* a thread that does not sleep would spin for ever */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
