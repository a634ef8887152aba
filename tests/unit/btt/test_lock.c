/* SPDX-License-Identifier: BSD-3-Clause */
/* How threads wait for a lock. syscall() below plays the kernel. */
#include "support.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "btt/lock.h"
#include "kernel.h"

static struct lock lock;
static unsigned sleeps;
static unsigned wakes;
static unsigned timeouts; /* so many sleeps end without a wake */
static long longest;	  /* of the sleeps, in nanoseconds */
static long asleep;	  /* threads; a wake wakes one */

static int sleep_like_the_kernel(const _Atomic(uint32_t) *word, uint32_t expected,
				 const struct timespec *timeout)
{
	sleeps++;
	assert_true(word == &lock.held);
	/* the kernel lets a thread sleep only if the word still has the expected value */
	assert_int_equal(expected, atomic_load(&lock.held));
	/* a thread that releases the lock now must see the waiter */
	assert_int_equal(atomic_load(&lock.wakes), LOCK_WAKES);
	/* if it looked a moment too early, the timeout ends the sleep */
	assert_int_equal(timeout->tv_sec, 0);
	assert_in_range(timeout->tv_nsec, 1, LOCK_MAX_NAP_MS * 1000000L);
	if (timeout->tv_nsec > longest)
		longest = timeout->tv_nsec;
	if (timeouts) {
		timeouts--;
		errno = ETIMEDOUT;
		return -1;
	}
	asleep++;
	lock_release(&lock);
	return 0;
}

SUPPORT_INTERPOSE long syscall(long number, ...)
{
	va_list ap;

	if (number != SYS_futex) { /* what a constructor asks for */
		errno = ENOSYS;
		return -1;
	}
	va_start(ap, number);
	const _Atomic(uint32_t) *word = va_arg(ap, const _Atomic(uint32_t) *);
	int operation = va_arg(ap, int);
	uint32_t value = va_arg(ap, uint32_t);
	const struct timespec *timeout = va_arg(ap, const struct timespec *);
	va_end(ap);

	if (operation == FUTEX_WAIT_PRIVATE) {
		return sleep_like_the_kernel(word, value, timeout);
	}
	assert_int_equal(operation, FUTEX_WAKE_PRIVATE);
	assert_true(word == &lock.held);
	assert_int_equal(value, 1);
	wakes++;
	return asleep > 0 ? asleep-- > 0 : 0;
}

static int begin(void **state)
{
	(void)state;
	lock = (struct lock){.held = 0};
	sleeps = wakes = timeouts = 0;
	longest = asleep = 0;
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
	uint32_t nap_ms = LOCK_NAP_MS;

	(void)state;
	lock_acquire(&lock);
	lock_wait_slow(&lock, &nap_ms);
	assert_int_equal(nap_ms, LOCK_NAP_MS);
	assert_int_equal(longest, LOCK_NAP_MS * 1000000L);
	assert_int_equal(sleeps, 1);
	assert_int_equal(wakes, 1);
	assert_int_equal(atomic_load(&lock.held), 0);
}

/* It may be the one that has just been woken. */
static void when_nobody_sleeps_the_kernel_is_soon_left_alone(void **state)
{
	uint32_t nap_ms = LOCK_NAP_MS;

	(void)state;
	lock_acquire(&lock);
	asleep = 7;
	lock_wait_slow(&lock, &nap_ms);
	/* all who sleep are woken, one by each release */
	for (unsigned n = 1; n < 8 + LOCK_WAKES; n++) {
		assert_int_equal(wakes, n);
		assert_int_equal(asleep, n < 8 ? 8 - n : 0);
		lock_acquire(&lock);
		lock_release(&lock);
	}
	assert_int_equal(wakes, 8 + LOCK_WAKES);
	for (int i = 0; i < 10; i++) {
		lock_acquire(&lock);
		lock_release(&lock);
	}
	assert_int_equal(wakes, 8 + LOCK_WAKES);
	assert_int_equal(sleeps, 1);
}

static void who_acquires_a_held_lock_has_it_after_the_sleep(void **state)
{
	(void)state;
	lock_acquire(&lock);
	lock_acquire(&lock);
	assert_int_equal(sleeps, 1);
	assert_false(lock_try(&lock));
	assert_int_equal(wakes, 1);
	lock_release(&lock);
}

static void who_finds_the_lock_free_does_not_sleep(void **state)
{
	uint32_t nap_ms = LOCK_NAP_MS;

	(void)state;
	lock_wait_slow(&lock, &nap_ms);
	assert_int_equal(sleeps, 0);
}

/* If it is overlooked, it has not slept for longer than it has waited before, plus the first sleep. */
static void who_is_not_woken_sleeps_twice_as_long_each_time(void **state)
{
	(void)state;
	for (unsigned n = 1; n < 12; n++) {
		long expected = LOCK_NAP_MS * 1000000L << (n < 6 ? n : 6);

		begin(NULL);
		timeouts = n;
		lock_acquire(&lock);
		lock_acquire(&lock);
		assert_int_equal(sleeps, n + 1);
		assert_int_equal(longest, expected);
		lock_release(&lock);
	}
}

#define CASE(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_free_lock_is_taken_and_left_without_the_kernel),
	    CASE(who_waits_sleeps_and_who_releases_wakes),
	    CASE(when_nobody_sleeps_the_kernel_is_soon_left_alone),
	    CASE(who_acquires_a_held_lock_has_it_after_the_sleep),
	    CASE(who_finds_the_lock_free_does_not_sleep),
	    CASE(who_is_not_woken_sleeps_twice_as_long_each_time),
	};

	alarm(20); /* a thread that does not sleep would spin for ever */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
