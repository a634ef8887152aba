/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers of threads, also when the C library has no keys, or no memory for their values: the
 * linker replaces its functions by __wrap_pthread_key_create and __wrap_pthread_setspecific.
 */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler.h"
#include "btt/lanes.h"
#include "btt/map_guard.h"
#include "btt/open.h"

enum { MANY = 200 };

int __real_pthread_key_create(pthread_key_t *key, void (*end)(void *));
int __wrap_pthread_key_create(pthread_key_t *key, void (*end)(void *));
int __real_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);

#define NO_KEYS "TEST_LANES_NO_KEYS"

/* clang links a sanitizer's own code into the program, so that has the functions of here, too. */
#if defined(__clang__) && SUPPORT_SANITIZED
#define HAS_OWN_FUNCTIONS false
#else
#define HAS_OWN_FUNCTIONS true
#endif

static atomic_bool forgetful;

int __wrap_pthread_key_create(pthread_key_t *key, void (*end)(void *))
{
	return getenv(NO_KEYS) ? EAGAIN : __real_pthread_key_create(key, end);
}

int __wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
	return atomic_load(&forgetful) ? ENOMEM : __real_pthread_setspecific(key, value);
}

struct seen {
	pthread_t thread;
	uint64_t first;
	uint64_t second;
	unsigned hint;
	pid_t pid;
	int status;
};

static pthread_barrier_t together;

static void *look(void *arg)
{
	struct seen *s = arg;

	s->first = lane_thread();
	s->second = lane_thread();
	s->hint = lane_hint(s->first);
	pthread_barrier_wait(&together);
	return NULL;
}

/* Runs threads that live at the same time. */
static void look_at(struct seen *s, unsigned n)
{
	assert_int_equal(pthread_barrier_init(&together, NULL, n), 0);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(pthread_create(&s[i].thread, NULL, look, &s[i]), 0);
	for (unsigned i = 0; i < n; i++)
		pthread_join(s[i].thread, NULL);
	pthread_barrier_destroy(&together);
}

static void live_threads_have_numbers_of_their_own(void **state)
{
	static struct seen s[MANY];
	bool taken[LANES_PRIVATE] = {false};
	unsigned numbered = 0;

	(void)state;
	for (int round = 0; round < 3; round++) {
		look_at(s, MANY);
		numbered = 0;
		memset(taken, 0, sizeof(taken));
		for (unsigned i = 0; i < MANY; i++) {
			assert_int_equal(s[i].first, s[i].second);
			if (s[i].hint >= LANES_PRIVATE)
				continue;
			assert_false(taken[s[i].hint]);
			taken[s[i].hint] = true;
			numbered++;
		}
		/* Each time all of them get a number: numbers are freed. */
		assert_int_equal(numbered, LANES_PRIVATE);
	}
}

static void no_two_threads_are_the_same_beyond_4294967296_of_them(void **state)
{
	static struct seen s[MANY];
	struct seen before;

	(void)state;
	atomic_store(&lane_last_serial, 0);
	look_at(&before, 1);
	assert_int_equal(before.first >> LANE_NUMBER_BITS, 1);
	atomic_store(&lane_last_serial, UINT32_MAX - 2);
	look_at(s, MANY);
	for (unsigned i = 0; i < MANY; i++) {
		assert_true(s[i].first >> LANE_NUMBER_BITS >= UINT32_MAX - 1);
		assert_true(s[i].first >> LANE_NUMBER_BITS <= UINT32_MAX - 2ull + MANY);
		assert_true(s[i].first != before.first);
		for (unsigned j = 0; j < i; j++)
			assert_true(s[i].first != s[j].first);
	}
}

/* Threads whose serial numbers differ by 2^32, or equal a value that was reserved once. */
static void a_bias_tells_them_apart(void **state)
{
	static struct map_guard guard;
	static struct lock lock[2];
	const uint64_t serials[] = {1,		UINT32_MAX - 2ull, UINT32_MAX - 1ull,
				    UINT32_MAX, UINT32_MAX + 1ull, UINT32_MAX + 2ull,
				    1ull << 40, (1ull << 57) - 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(serials); i++)
		for (size_t k = 0; k < ARRAY_SIZE(serials); k++) {
			uint64_t owner = LANE_THREAD(serials[i], 0);
			uint64_t other = LANE_THREAD(serials[k], 0);
			bool is_biased;

			map_guard_init(&guard, true, NULL);
			is_biased = !(atomic_load(&guard.state) & MAP_GUARD_OFF);
			lock_release(map_guard_enter(&guard, owner, 0, &lock[0]));
			assert_int_equal(map_guard_is_owner(&guard, guard.state, owner),
					 is_biased);
			assert_int_equal(map_guard_is_owner(&guard, guard.state, other),
					 is_biased && i == k);
		}
}

static void threads_that_cannot_be_remembered_share_lanes(void **state)
{
	static struct seen s[MANY];
	struct seen after;

	(void)state;
	if (!HAS_OWN_FUNCTIONS)
		skip();
	atomic_store(&forgetful, true);
	look_at(s, MANY);
	atomic_store(&forgetful, false);
	for (unsigned i = 0; i < MANY; i++) {
		assert_true(s[i].first != s[i].second);
		assert_true(s[i].hint >= LANES_PRIVATE);
	}
	/* They have not used up numbers. */
	look_at(&after, 1);
	assert_true(after.hint < LANES_PRIVATE);
}

/* Runs in a process of its own. Returns 0 if no thread has a number. */
static int report_without_keys(void)
{
	uint64_t mine = lane_thread();
	uint64_t next = lane_thread();

	return mine != next && lane_hint(mine) >= LANES_PRIVATE &&
		       lane_hint(next) >= LANES_PRIVATE
		   ? 0
		   : 1;
}

static void where_there_are_no_keys_all_share_lanes(void **state)
{
	char exe[4096] = "";
	int status;
	pid_t pid;

	(void)state;
	if (support_is_emulated() || !HAS_OWN_FUNCTIONS)
		skip();
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		setenv(NO_KEYS, "1", 1);
		execl(exe, exe, "report", (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Only the thread that has forked goes on, and it keeps its number. */
static void *fork_here(void *arg)
{
	struct seen *s = arg;

	s->first = lane_thread();
	pthread_barrier_wait(&together); /* all have numbers */
	s->status = -1;
	s->pid = fork();
	if (s->pid == 0) {
		struct seen others[2];
		bool is_alone = true;

		look_at(others, 2);
		for (unsigned i = 0; i < 2; i++)
			is_alone = is_alone && lane_hint(others[i].first) < 3 &&
				   lane_hint(others[i].first) != lane_hint(s->first);
		_exit(lane_thread() == s->first && is_alone ? 0 : 1);
	}
	if (s->pid > 0)
		waitpid(s->pid, &s->status, 0);
	pthread_barrier_wait(&together); /* none has ended */
	return NULL;
}

static void a_child_keeps_the_number_of_one_thread(void **state)
{
	struct seen s[3];

	(void)state;
#ifdef __SANITIZE_THREAD__
	skip(); /* it lets no child start threads */
#endif
	if (support_is_emulated())
		skip(); /* nor does the emulator */
	assert_int_equal(pthread_barrier_init(&together, NULL, ARRAY_SIZE(s)), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(s); i++)
		assert_int_equal(pthread_create(&s[i].thread, NULL, fork_here, &s[i]), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(s); i++) {
		pthread_join(s[i].thread, NULL);
		assert_int_equal(s[i].status, 0);
	}
	pthread_barrier_destroy(&together);
}

/* --- loans ---------------------------------------------------------------------------------- */

static struct lanes lanes;

/* Takes each lane that it gets, so that ThreadSanitizer and the count see two owners of one. */
static unsigned owner_of_lane[BTT_MAX_LANES];

static void *borrow(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;

	for (unsigned round = 0; round < 2000; round++) {
		uint8_t lane[130];
		struct lanes_loan loan;
		unsigned n = lanes_borrow(&lanes, round % 128, &loan, lane);

		if (n > (round % 128 + 1) / 2 * 2)
			return (void *)(uintptr_t) "more than it asked for";
		for (unsigned i = 0; i < n; i++)
			owner_of_lane[lane[i]] = me;
		for (unsigned i = 0; i < n; i++)
			if (owner_of_lane[lane[i]] != me)
				return (void *)(uintptr_t) "two have the same lane";
		lanes_return(&loan);
	}
	return NULL;
}

static void nobody_borrows_what_somebody_has(void **state)
{
	pthread_t thread[4];

	(void)state;
	assert_int_equal(lanes_init(&lanes, BTT_MAX_LANES), 0);
	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&thread[i], NULL, borrow, (void *)(i + 1)), 0);
	for (unsigned i = 0; i < 4; i++) {
		void *why;

		pthread_join(thread[i], &why);
		if (why)
			fail_msg("%s", (char *)why);
	}
	lanes_fini(&lanes);
}

/* Without keys all is the same: a loan is no thread's number. */
static void loans_leave_numbers_to_threads_and_come_back(void **state)
{
	static struct seen s[20];
	uint8_t lane[130];
	uint8_t other[130];
	struct lanes_loan loan;
	struct lanes_loan second;

	(void)state;
	assert_int_equal(lanes_init(&lanes, BTT_MAX_LANES), 0);
	lane_thread();
	for (int round = 0; round < 3; round++) {
		assert_int_equal(lanes_borrow(&lanes, 127, &loan, lane), 128);
		for (unsigned i = 0; i < 128; i++)
			assert_true(lane[i] >= 48 && lane[i] < 2 * lanes.nprivate);
		/* what is left is less than the second one wants, and nobody waits */
		assert_int_equal(lanes_borrow(&lanes, 127, &second, other), 64);
		for (unsigned i = 0; i < 64; i++)
			for (unsigned k = 0; k < 128; k++)
				assert_true(other[i] != lane[k]);
		look_at(s, 20);
		for (unsigned i = 0; i < 20; i++)
			assert_true(s[i].hint < LANES_PRIVATE / LANES_KEPT_SHARE);
		lanes_return(&loan);
		lanes_return(&second);
	}
	assert_int_equal(lanes_borrow(&lanes, 0, &loan, lane), 0);
	lanes_return(&loan);
	lanes_fini(&lanes);
	/* a table of few lanes has few to lend, and this thread has two of them */
	assert_int_equal(lanes_init(&lanes, 9), 0);
	assert_int_equal(lanes_borrow(&lanes, 100, &loan, lane), 6);
	for (unsigned i = 0; i < 6; i++)
		assert_true(lane[i] < 8);
	lanes_return(&loan);
	lanes_fini(&lanes);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(live_threads_have_numbers_of_their_own),
	    cmocka_unit_test(no_two_threads_are_the_same_beyond_4294967296_of_them),
	    cmocka_unit_test(a_bias_tells_them_apart),
	    cmocka_unit_test(threads_that_cannot_be_remembered_share_lanes),
	    cmocka_unit_test(where_there_are_no_keys_all_share_lanes),
	    cmocka_unit_test(a_child_keeps_the_number_of_one_thread),
	    cmocka_unit_test(nobody_borrows_what_somebody_has),
	    cmocka_unit_test(loans_leave_numbers_to_threads_and_come_back),
	};

	(void)argv;
	if (argc > 1)
		return report_without_keys();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
