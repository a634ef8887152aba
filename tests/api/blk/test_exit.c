/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Programs that end while their threads are inside the libraries: fail, write, map. A program
 * ends by return from main as soon as the threads have begun.
 */
#include <libpmem.h>
#include <libpmemblk.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "require.h"
#include "support.h"

enum { TIMES = 20, THREADS = 4 };

static PMEMblkpool *pool;
static atomic_int calls;

static void *fail_always(void *arg)
{
	char buf[512];

	(void)arg;
	for (;;) {
		REQUIRE(pmemblk_read(pool, buf, 1LL << 40) == -1, "the read");
		REQUIRE(pmem_msync((void *)(uintptr_t)-4096, SIZE_MAX) == -1, "the sync");
		/* Also by threads that have not failed before. */
		atomic_fetch_add(&calls, 1);
	}
	return NULL;
}

static void *fail_once(void *arg)
{
	char buf[512];

	(void)arg;
	REQUIRE(pmemblk_read(pool, buf, 1LL << 40) == -1, "the read");
	REQUIRE(pmemblk_errormsg() != NULL, "the message");
	return NULL;
}

static void *start_failing_threads(void *arg)
{
	pthread_t thread;

	(void)arg;
	for (;;) {
		if (pthread_create(&thread, NULL, fail_once, NULL) != 0)
			continue;
		pthread_join(thread, NULL);
		atomic_fetch_add(&calls, 1);
	}
	return NULL;
}

static void *write_always(void *arg)
{
	char buf[512] = "text";

	for (;;) {
		REQUIRE(pmemblk_write(pool, buf, arg ? 7 : 8) == 0, "the write");
		REQUIRE(pmem_is_pmem(buf, sizeof(buf)) >= 0, "is_pmem");
		atomic_fetch_add(&calls, 1);
	}
	return NULL;
}

typedef void *thread_function(void *);

static thread_function *const functions[] = {fail_always, start_failing_threads,
					     write_always};
static const char *const names[] = {"fail", "start", "write"};

static int run_program(const char *name, const char *path)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		pthread_t thread;

		if (strcmp(name, names[i]) != 0)
			continue;
		pool = pmemblk_create(path, 512, PMEMBLK_MIN_POOL, 0600);
		REQUIRE(pool != NULL, "%s", pmemblk_errormsg());
		for (uintptr_t k = 0; k < THREADS; k++) {
			REQUIRE(pthread_create(&thread, NULL, functions[i],
					       (void *)(k & 1)) == 0,
				"no thread");
			pthread_detach(thread);
		}
		while (atomic_load(&calls) < 2 * THREADS)
			sched_yield();
		return 0;
	}
	return 2;
}

static void run_programs(const char *name)
{
	char exe[4096] = "";
	int status;

	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	for (int i = 0; i < TIMES; i++) {
		const char *path = support_path(true, "pool");
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			/* It complains about threads that nobody has joined. */
			setenv("TSAN_OPTIONS", "report_thread_leaks=0 atexit_sleep_ms=0",
			       1);
			execl(exe, exe, name, path, (char *)NULL);
			_exit(127);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		unlink(path);
		if (status != 0)
			fail_msg("program %d of %d ended with %#x", i, TIMES, status);
	}
}

static void while_threads_fail_a_program_ends_in_peace(void **state)
{
	(void)state;
	run_programs("fail");
}

static void while_threads_fail_for_the_first_time_and_end_a_program_ends(void **state)
{
	(void)state;
	run_programs("start");
}

static void while_threads_write_a_program_ends_in_peace(void **state)
{
	(void)state;
	run_programs("write");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(while_threads_fail_a_program_ends_in_peace),
	    cmocka_unit_test(
		while_threads_fail_for_the_first_time_and_end_a_program_ends),
	    cmocka_unit_test(while_threads_write_a_program_ends_in_peace),
	};

	if (argc > 2)
		return run_program(argv[1], argv[2]);
	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	support_assert_ours((const void *)(uintptr_t)pmemblk_read, "pmemblk_read");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
