/* SPDX-License-Identifier: BSD-3-Clause */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "storage/sync_group.h"

enum { THREADS = 8, ROUNDS = 200 };

/*
 * Each thread stores the number of its round in a "page"; a sync makes the pages that it covers
 * durable.
 */
static struct {
	struct sync_group group;
	_Atomic(int) page[THREADS];
	_Atomic(int) durable[THREADS];
	_Atomic(int) inside;
	_Atomic(int) syncs;
	useconds_t took;
	int fail_at;
} t;

static int sync_pages(void *arg, uint64_t lo, uint64_t hi)
{
	int seen[THREADS];
	int n;

	(void)arg;
	assert_int_equal(t.inside++, 0);
	n = ++t.syncs;
	for (uint64_t i = lo; i < hi; i++)
		seen[i] = t.page[i];
	usleep(t.took); /* stores from here on belong to the next sync */
	if (!t.fail_at || n < t.fail_at)
		for (uint64_t i = lo; i < hi; i++)
			t.durable[i] = seen[i];
	t.inside--;
	return t.fail_at && n == t.fail_at ? -EIO : 0;
}

struct worker {
	uint64_t me;
	const char *failure;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t me = w->me;

	for (int round = 1; round <= ROUNDS; round++) {
		int ret;

		t.page[me] = round;
		ret = sync_group_commit(&t.group, me, me + 1, sync_pages, NULL);
		if (ret) {
			w->failure = ret == -EIO ? NULL : "another error";
			return NULL;
		}
		if (t.durable[me] != round) {
			w->failure = "success without durability";
			return NULL;
		}
	}
	w->failure = t.fail_at ? "the failure was not reported" : NULL;
	return NULL;
}

static void run(int fail_at)
{
	pthread_t thread[THREADS];
	struct worker w[THREADS];

	t.fail_at = fail_at;
	t.syncs = 0;
	t.took = 100;
	sync_group_init(&t.group);
	for (uintptr_t i = 0; i < THREADS; i++) {
		t.page[i] = t.durable[i] = 0;
		w[i].me = i;
		assert_int_equal(pthread_create(&thread[i], NULL, work, &w[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		if (w[i].failure)
			fail_msg("thread %d: %s", i, w[i].failure);
	}
	sync_group_fini(&t.group);
}

static void success_means_that_a_later_sync_covered_the_range(void **state)
{
	(void)state;
	run(0);
	print_message("%d commits in %d syncs\n", THREADS * ROUNDS, t.syncs);
	assert_true(t.syncs <= THREADS * ROUNDS / 2);
}

static void a_failure_reaches_all_it_serves_and_all_who_come_later(void **state)
{
	(void)state;
	run(20);
	assert_int_equal(t.syncs, 20);
}

static void a_single_caller_syncs_each_time(void **state)
{
	(void)state;
	t.fail_at = 0;
	t.syncs = 0;
	t.took = 100;
	sync_group_init(&t.group);
	for (int i = 1; i <= 5; i++) {
		t.page[3] = i;
		assert_int_equal(sync_group_commit(&t.group, 3, 4, sync_pages, NULL), 0);
		assert_int_equal(t.durable[3], i);
		assert_int_equal(t.syncs, i);
	}
	sync_group_fini(&t.group);
}

/* Wrong uses of locks by the code under test. */
static int lock_errors;

int __real_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);
int __real_pthread_mutex_unlock(pthread_mutex_t *m);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *m);

int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
	int err = __real_pthread_mutex_lock(m);

	if (err)
		lock_errors++;
	return err;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *m)
{
	int err = __real_pthread_mutex_unlock(m);

	if (err)
		lock_errors++;
	return err;
}

/* Attributes that are in use. */
static int nattr;
static int nattr_ever;

int __real_pthread_condattr_init(pthread_condattr_t *a);
int __wrap_pthread_condattr_init(pthread_condattr_t *a);
int __real_pthread_condattr_destroy(pthread_condattr_t *a);
int __wrap_pthread_condattr_destroy(pthread_condattr_t *a);

int __wrap_pthread_condattr_init(pthread_condattr_t *a)
{
	nattr++;
	nattr_ever++;
	return __real_pthread_condattr_init(a);
}

int __wrap_pthread_condattr_destroy(pthread_condattr_t *a)
{
	nattr--;
	return __real_pthread_condattr_destroy(a);
}

static void what_is_begun_is_ended(void **state)
{
	(void)state;
	nattr = nattr_ever = 0;
	sync_group_init(&t.group);
	sync_group_fini(&t.group);
	assert_int_equal(nattr, 0);
	assert_true(nattr_ever > 0);
}

static int sync_without_lock(void *arg, uint64_t lo, uint64_t hi)
{
	(void)lo;
	(void)hi;
	/* others can come meanwhile */
	assert_int_equal(pthread_mutex_trylock(arg), 0);
	assert_int_equal(pthread_mutex_unlock(arg), 0);
	return 0;
}

/* With a mutex that knows its owner. */
static void a_commit_locks_what_it_unlocks(void **state)
{
	pthread_mutexattr_t attr;

	(void)state;
	sync_group_init(&t.group);
	pthread_mutex_destroy(&t.group.mutex);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	assert_int_equal(pthread_mutex_init(&t.group.mutex, &attr), 0);
	pthread_mutexattr_destroy(&attr);
	lock_errors = 0;
	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    sync_group_commit(&t.group, 0, 1, sync_without_lock, &t.group.mutex),
		    0);
	assert_int_equal(lock_errors, 0);
	assert_int_equal(pthread_mutex_trylock(&t.group.mutex), 0);
	assert_int_equal(pthread_mutex_unlock(&t.group.mutex), 0);
	sync_group_fini(&t.group);
}

static void *commit_once(void *arg)
{
	uint64_t me = *(const uint64_t *)arg;

	while (t.inside == 0)
		sched_yield();
	return (void *)(intptr_t)sync_group_commit(&t.group, me, me + 1, sync_pages,
						   NULL);
}

/* Returns when one of the other threads has become the leader, with or without a wait. */
static void wait_for_leader(void)
{
	bool led = false;

	while (!led) {
		pthread_mutex_lock(&t.group.mutex);
		led = t.group.led;
		pthread_mutex_unlock(&t.group.mutex);
		sched_yield();
	}
}

/*
 * Two threads come while the sync of a third one runs; the third comes again when it is served.
 */
static void the_next_sync_waits_for_those_just_served(void **state)
{
	uint64_t number[] = {1, 2};
	pthread_t thread[2];
	void *ret;

	(void)state;
	t.fail_at = 0;
	t.syncs = 0;
	t.took = 500000;
	sync_group_init(&t.group);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    pthread_create(&thread[i], NULL, commit_once, &number[i]), 0);
	assert_int_equal(sync_group_commit(&t.group, 0, 1, sync_pages, NULL), 0);
	wait_for_leader();
	assert_int_equal(sync_group_commit(&t.group, 0, 1, sync_pages, NULL), 0);
	for (int i = 0; i < 2; i++) {
		pthread_join(thread[i], &ret);
		assert_null(ret);
	}
	assert_int_equal(t.syncs, 2);
	sync_group_fini(&t.group);
}

/* As if the process had entered a time namespace whose clock is an hour behind. */
static void a_clock_that_goes_back_makes_nobody_wait(void **state)
{
	(void)state;
	t.fail_at = 0;
	t.syncs = 0;
	t.took = 100;
	sync_group_init(&t.group);
	assert_int_equal(sync_group_commit(&t.group, 0, 1, sync_pages, NULL), 0);
	t.group.expected = 4;
	t.group.ended += UINT64_C(3600000000000);
	alarm(20);
	assert_int_equal(sync_group_commit(&t.group, 0, 1, sync_pages, NULL), 0);
	alarm(0);
	assert_int_equal(t.syncs, 2);
	sync_group_fini(&t.group);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(success_means_that_a_later_sync_covered_the_range),
	    cmocka_unit_test(a_failure_reaches_all_it_serves_and_all_who_come_later),
	    cmocka_unit_test(a_single_caller_syncs_each_time),
	    cmocka_unit_test(what_is_begun_is_ended),
	    cmocka_unit_test(a_commit_locks_what_it_unlocks),
	    cmocka_unit_test(the_next_sync_waits_for_those_just_served),
	    cmocka_unit_test(a_clock_that_goes_back_makes_nobody_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
