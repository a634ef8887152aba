/* SPDX-License-Identifier: BSD-3-Clause */
/* The wait for a pool in one file that is in use (lock.wait). */
#include "wait_fixture.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

enum { NTURN = 3 };

static volatile sig_atomic_t ncaught;

/* A clock of the test's own, which only pauses advance; 0: the machine's. */
static uint64_t fake_ns;

SUPPORT_INTERPOSE int clock_gettime(clockid_t clock, struct timespec *t)
{
	if (fake_ns == 0 || clock != CLOCK_MONOTONIC)
		return (int)syscall(SYS_clock_gettime, clock, t);
	t->tv_sec = (time_t)(fake_ns / 1000000000);
	t->tv_nsec = (long)(fake_ns % 1000000000);
	return 0;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static PMEMblkpool *create_in_it(const char *path)
{
	return pmemblk_create(path, BSIZE, 0, 0600);
}

/* Checks the pool. Returns a pointer that is not NULL if it is consistent. */
static PMEMblkpool *check_it(const char *path)
{
	static char consistent;

	return pmemblk_check(path, 0) == 1 ? (PMEMblkpool *)(void *)&consistent : NULL;
}

static void count_turn(const char *path)
{
	char buf[BSIZE];
	PMEMblkpool *p = pmemblk_open(path, BSIZE);

	REQUIRE(p, "%s", pmemblk_errormsg());
	REQUIRE(pmemblk_read(p, buf, 0) == 0, "%s", pmemblk_errormsg());
	buf[0]++;
	REQUIRE(pmemblk_write(p, buf, 0) == 0, "%s", pmemblk_errormsg());
	pmemblk_close(p);
}

static void ten_processes_that_wait_all_get_their_turns(void **state)
{
	pid_t child[NPROCESS];
	char buf[BSIZE];
	char c = 0;
	int ready[2];
	int go[2];
	int status;
	PMEMblkpool *p;

	(void)state;
	pmemblk_close(fixture_create(BSIZE, SIZE, 0600));
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(go), 0);
	for (int i = 0; i < NPROCESS; i++) {
		child[i] = fork();
		assert_true(child[i] >= 0);
		if (child[i] != 0)
			continue;
		alarm(100);
		set_wait(i % 2 ? -1 : 90000);
		REQUIRE(read(go[0], &c, 1) == 1, "no go");
		REQUIRE(write(ready[1], &c, 1) == 1, "cannot tell");
		for (int k = 0; k < NTURN; k++)
			count_turn(fixture_path);
		_exit(0);
	}
	p = fixture_open();
	for (int i = 0; i < NPROCESS; i++)
		assert_int_equal(write(go[1], &c, 1), 1);
	for (int i = 0; i < NPROCESS; i++)
		assert_int_equal(read(ready[0], &c, 1), 1);
	pmemblk_close(p);
	for (int i = 0; i < NPROCESS; i++) {
		assert_int_equal(waitpid(child[i], &status, 0), child[i]);
		assert_int_equal(status, 0);
	}
	p = fixture_open();
	assert_int_equal(pmemblk_read(p, buf, 0), 0);
	assert_int_equal(buf[0], NPROCESS * NTURN);
	pmemblk_close(p);
	close(ready[0]);
	close(ready[1]);
	close(go[0]);
	close(go[1]);
}

static void without_the_setting_nobody_waits(void **state)
{
	PMEMblkpool *p = fixture_create(BSIZE, SIZE, 0600);

	(void)state;
	assert_null(pmemblk_open(fixture_path, 0));
	assert_int_equal(errno, EAGAIN);
	assert_non_null(strstr(pmemblk_errormsg(), " is locked: the pool is open"));
	assert_int_equal(pmemblk_check(fixture_path, 0), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(atomic_load(&nrefused), 2);
	pmemblk_close(p);
}

/* The upper limit is for machines with other work. A wait without a limit would end by alarm(2). */
static void the_wait_ends_with_the_time_that_was_given(void **state)
{
	PMEMblkpool *p = fixture_create(BSIZE, SIZE, 0600);
	double begin_of_wait;
	unsigned locked;

	(void)state;
	set_wait(300);
	begin_of_wait = seconds();
	locked = atomic_load(&nlocked);
	assert_null(pmemblk_open(fixture_path, 0));
	assert_int_equal(errno, EAGAIN);
	assert_true(seconds() - begin_of_wait >= 0.3);
	assert_true(seconds() - begin_of_wait < 60);
	assert_non_null(strstr(pmemblk_errormsg(), " is still locked after 300 ms: "));
	/* 300 ms in pauses of at least 5 ms: the call does not spin */
	assert_in_range(atomic_load(&nlocked) - locked, 2, 300 / 5 + 2);
	assert_int_equal(pmemblk_check(fixture_path, 0), -1);
	assert_int_equal(errno, EAGAIN);
	assert_null(pmemblk_create(fixture_path, BSIZE, 0, 0600));
	assert_int_equal(errno, EAGAIN);
	set_wait(1);
	assert_null(pmemblk_open(fixture_path, 0));
	assert_non_null(strstr(pmemblk_errormsg(), " is still locked after 1 ms: "));
	pmemblk_close(p);
}

/* Pauses that were asked for; whatever else the machine does, they are not too long. */
static uint64_t npause;
static uint64_t longest_pause; /* ns */
static uint64_t all_pauses;
static uint64_t shortest_pause; /* without the last one */
static uint64_t last_pause;
static unsigned nrepeated; /* pauses that are equal to the one before */

SUPPORT_INTERPOSE int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *t,
			    const sigset_t *mask)
{
	struct timespec copy = *t; /* the kernel changes it */
	uint64_t ns = (uint64_t)t->tv_sec * 1000000000 + (uint64_t)t->tv_nsec;

	npause++;
	all_pauses += ns;
	longest_pause = ns > longest_pause ? ns : longest_pause;
	if (last_pause > 0 && last_pause < shortest_pause)
		shortest_pause = last_pause;
	nrepeated += ns == last_pause;
	last_pause = ns;
	if (fake_ns) {
		fake_ns += ns;
		return 0;
	}
	return (int)syscall(SYS_ppoll, fds, n, &copy, mask, (size_t)8);
}

static void the_last_pause_ends_with_the_time_that_was_given(void **state)
{
	static const int ms[] = {1, 4, 30, 100};
	PMEMblkpool *p = fixture_create(BSIZE, SIZE, 0600);

	(void)state;
	for (size_t i = 0; i < sizeof(ms) / sizeof(ms[0]); i++) {
		set_wait(ms[i]);
		npause = longest_pause = all_pauses = 0;
		assert_null(pmemblk_open(fixture_path, 0));
		assert_int_equal(errno, EAGAIN);
		assert_true(npause <= (uint64_t)ms[i] / 5 + 1);
		assert_true(all_pauses <= (uint64_t)ms[i] * 1000000);
		assert_true(longest_pause < 20000000);
	}
	pmemblk_close(p);
}

static void wait_by_a_fake_clock(uint64_t begin_of_wait, int ms)
{
	set_wait(ms);
	npause = longest_pause = all_pauses = last_pause = 0;
	shortest_pause = UINT64_MAX;
	nrepeated = 0;
	fake_ns = begin_of_wait;
	REQUIRE(!pmemblk_open(fixture_path, 0), "the pool is locked");
	fake_ns = 0;
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(all_pauses, (uint64_t)ms * 1000000);
	assert_true(longest_pause <= 20000000);
	assert_true(nrepeated <= 2);
}

/* So that many who wait do not all try at the same moments. */
static void pauses_differ_and_together_they_last_as_long_as_was_given(void **state)
{
	PMEMblkpool *p = fixture_create(BSIZE, SIZE, 0600);

	(void)state;
	wait_by_a_fake_clock(UINT64_C(10900000000), 5000);
	assert_in_range(shortest_pause, 5000000, 7000000);
	assert_in_range(longest_pause, 18000000, 20000000);
	assert_in_range(npause, 250, 1000);
	/* a second ends */
	wait_by_a_fake_clock(UINT64_C(950000000), 100);
	pmemblk_close(p);
}

static void a_thread_gets_the_pool_that_another_one_closes(void **state)
{
	PMEMblkpool *p = fixture_create(BSIZE, SIZE, 0600);
	struct waiter w;

	(void)state;
	set_wait(-1);
	start(&w, fixture_path, open_it);
	pmemblk_close(p);
	pmemblk_close(result(&w));
}

static void create_and_check_wait_as_well(void **state)
{
	PMEMblkpool *p = fixture_create(BSIZE, SIZE, 0600);
	struct waiter w;
	int fd;

	(void)state;
	set_wait(-1);
	start(&w, fixture_path, check_it);
	pmemblk_close(p);
	assert_non_null(result(&w));
	fd = open(fixture_path, O_RDWR | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	start(&w, fixture_path, create_in_it);
	close(fd);
	pmemblk_close(result(&w));
}

/* Another process that waits for the path may open a new file before its maker has locked it. */
static void a_new_file_that_another_one_has_locked_is_made_again(void **state)
{
	(void)state;
	refuses_next = true;
	assert_null(pmemblk_create(fixture_path, BSIZE, SIZE, 0600));
	assert_int_equal(errno, EAGAIN);
	assert_int_not_equal(access(fixture_path, F_OK), 0);
	set_wait(-1);
	refuses_next = true;
	pmemblk_close(fixture_create(BSIZE, SIZE, 0600));
	assert_false(refuses_next);
	assert_int_equal(pmemblk_check(fixture_path, 0), 1);
}

static void *close_after_refusals(void *pool)
{
	await_refusals(ATTEMPTS);
	pmemblk_close(pool);
	return NULL;
}

/* Refused attempts before the success leave no trace. */
static void errno_and_message_are_those_of_before_the_wait(void **state)
{
	PMEMblkpool *p = fixture_create(BSIZE, SIZE, 0600);
	pthread_t closer;

	(void)state;
	set_wait(-1);
	assert_null(pmemblk_open("/nowhere/at/all", 0));
	atomic_store(&nrefused, 0);
	assert_int_equal(pthread_create(&closer, NULL, close_after_refusals, p), 0);
	errno = 4711;
	p = fixture_open();
	assert_int_equal(errno, 4711);
	assert_non_null(strstr(pmemblk_errormsg(), "/nowhere/at/all"));
	assert_int_equal(pthread_join(closer, NULL), 0);
	pmemblk_close(p);
}

static void catch (int sig)
{
	(void)sig;
	ncaught++;
}

/*
 * The signal comes in the middle of an attempt. A wait that a signal ends only in its pauses would
 * miss it.
 */
static void a_signal_that_is_handled_ends_the_wait(void **state)
{
	PMEMblkpool *p = fixture_create(BSIZE, SIZE, 0600);
	struct sigaction sa = {.sa_handler = catch, .sa_flags = SA_RESTART};
	struct sigaction before;
	sigset_t mask;

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &sa, &before), 0);
	set_wait(-1);
	for (int i = 0; i < 3; i++) {
		ncaught = 0;
		atomic_store(&nrefused, 0);
		signal_after = (unsigned)i + 1;
		if (i == 2)
			assert_int_equal(pmemblk_check(fixture_path, 0), -1);
		else if (i == 1)
			assert_null(pmemblk_create(fixture_path, BSIZE, 0, 0600));
		else
			assert_null(pmemblk_open(fixture_path, 0));
		assert_int_equal(errno, EINTR);
		assert_int_equal(ncaught, 1);
		assert_int_equal(atomic_load(&nrefused), signal_after);
		assert_non_null(strstr(pmemblk_errormsg(), fixture_path));
		assert_non_null(strstr(pmemblk_errormsg(), "the wait for "));
	}
	signal_after = 0;
	assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
	assert_int_equal(sigismember(&mask, SIGUSR1), 0);
	assert_int_equal(sigismember(&mask, SIGTERM), 0);
	pmemblk_close(p);
	assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
}

static void a_signal_that_the_thread_blocks_does_not_end_the_wait(void **state)
{
	PMEMblkpool *p = fixture_create(BSIZE, SIZE, 0600);
	sigset_t block;
	sigset_t before;

	(void)state;
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &block, &before), 0);
	set_wait(100);
	signal_after = 1;
	assert_null(pmemblk_open(fixture_path, 0));
	assert_int_equal(errno, EAGAIN);
	signal_after = 0;
	assert_int_equal(sigwaitinfo(&block, NULL), SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
	pmemblk_close(p);
}

/* The thread completes its call, and ends at the next cancellation point. */
static void a_thread_that_is_cancelled_goes_on_waiting(void **state)
{
	PMEMblkpool *p = fixture_create(BSIZE, SIZE, 0600);
	struct waiter w;
	void *ended;

	(void)state;
	set_wait(-1);
	start(&w, fixture_path, open_it);
	assert_int_equal(pthread_cancel(w.thread), 0);
	await_refusals(atomic_load(&nrefused) + ATTEMPTS);
	assert_int_equal(atomic_load(&w.err), -1);
	pmemblk_close(p);
	assert_int_equal(pthread_join(w.thread, &ended), 0);
	assert_ptr_equal(ended, PTHREAD_CANCELED);
	assert_int_equal(atomic_load(&w.err), 0);
	pmemblk_close(atomic_load(&w.pool));
}

/* A thread that waits holds no lock. */
static void others_go_on_while_a_thread_waits(void **state)
{
	const char *other = support_path(true, "other");
	PMEMblkpool *p = fixture_create(BSIZE, SIZE, 0600);
	PMEMblkpool *q;
	struct waiter w;
	int status;
	pid_t child;

	(void)state;
	set_wait(-1);
	start(&w, fixture_path, open_it);
	for (int i = 0; i < 3; i++) {
		q = pmemblk_create(other, BSIZE, SIZE, 0600);
		assert_non_null(q);
		pmemblk_close(q);
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			alarm(60);
			pmemblk_close(p);
			q = pmemblk_open(other, 0);
			REQUIRE(q, "%s", pmemblk_errormsg());
			pmemblk_close(q);
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		assert_int_equal(pmemblk_check(other, 0), 1);
		unlink(other);
	}
	assert_int_equal(atomic_load(&w.err), -1);
	pmemblk_close(p);
	pmemblk_close(result(&w));
}

static void who_waits_gets_what_the_path_names_in_the_end(void **state)
{
	const char *other = support_path(true, "fresh");
	PMEMblkpool *old = fixture_create(BSIZE, SIZE, 0600);
	PMEMblkpool *fresh = pmemblk_create(other, 2 * BSIZE, SIZE, 0600);
	struct waiter w;

	(void)state;
	assert_non_null(fresh);
	set_wait(-1);
	start(&w, fixture_path, open_it);
	assert_int_equal(rename(other, fixture_path), 0);
	pmemblk_close(old);
	await_refusals(atomic_load(&nrefused) + ATTEMPTS);
	assert_int_equal(atomic_load(&w.err), -1);
	pmemblk_close(fresh);
	fresh = result(&w);
	assert_int_equal(pmemblk_bsize(fresh), 2 * BSIZE);
	pmemblk_close(fresh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(ten_processes_that_wait_all_get_their_turns),
	    CASE(without_the_setting_nobody_waits),
	    CASE(the_wait_ends_with_the_time_that_was_given),
	    CASE(the_last_pause_ends_with_the_time_that_was_given),
	    CASE(pauses_differ_and_together_they_last_as_long_as_was_given),
	    CASE(a_thread_gets_the_pool_that_another_one_closes),
	    CASE(create_and_check_wait_as_well),
	    CASE(a_new_file_that_another_one_has_locked_is_made_again),
	    CASE(errno_and_message_are_those_of_before_the_wait),
	    CASE(a_signal_that_is_handled_ends_the_wait),
	    CASE(a_signal_that_the_thread_blocks_does_not_end_the_wait),
	    CASE(a_thread_that_is_cancelled_goes_on_waiting),
	    CASE(others_go_on_while_a_thread_waits),
	    CASE(who_waits_gets_what_the_path_names_in_the_end),
	};

	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
