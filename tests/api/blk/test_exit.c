/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Programs that end while their threads are in calls of the libraries, which fail, write or map.
 * A program returns from main as soon as its threads have begun. In some programs the threads go
 * on after the libraries' destructors have run.
 */
#include <errno.h>
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

enum { TIMES = 20, THREADS = 4, LATE_KEYS = 16, LATE_CALLS = 200, LOST_BLOCK = 30000 };

static PMEMblkpool *pool;
static atomic_int calls;

/*
 * Made after the destructors have run, as another library may do. The threads' values must stay
 * NULL.
 */
static pthread_key_t late_key[LATE_KEYS];
static atomic_bool is_late;

static void *fail_always(void *arg)
{
	char buf[512];

	(void)arg;
	for (;;) {
		REQUIRE(pmemblk_read(pool, buf, 1LL << 40) == -1, "the read");
		REQUIRE(pmem_msync((void *)(uintptr_t)-4096, SIZE_MAX) == -1, "the sync");
		/* Also in threads that have had no failure before. */
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

static void *write_beside_late_keys(void *arg)
{
	char buf[512] = "text";

	for (;;) {
		REQUIRE(pmemblk_write(pool, buf, arg ? 7 : 8) == 0, "the write");
		for (int i = 0; atomic_load(&is_late) && i < LATE_KEYS; i++)
			REQUIRE(pthread_getspecific(late_key[i]) == NULL,
				"a foreign value");
		atomic_fetch_add(&calls, 1);
	}
	return NULL;
}

static void *read_lost_page(void *arg)
{
	char buf[512];

	(void)arg;
	for (;;) {
		REQUIRE(pmemblk_read(pool, buf, LOST_BLOCK) == -1 && errno == EIO,
			"the read");
		atomic_fetch_add(&calls, 1);
	}
	return NULL;
}

static void make_late_keys(void)
{
	for (int i = 0; i < LATE_KEYS; i++)
		REQUIRE(pthread_key_create(&late_key[i], NULL) == 0, "no key");
	atomic_store(&is_late, true);
}

/* Runs after the libraries' destructors. */
static void go_on(int status, void *late)
{
	int begin = atomic_load(&calls);

	(void)status;
	if (!*(bool *)late)
		return;
	alarm(30);
	make_late_keys();
	while (atomic_load(&calls) < begin + LATE_CALLS)
		sched_yield();
}

static bool goes_on;

/*
 * Runs before the constructors of all libraries. A function that is registered here is called
 * last, unless it belongs to the program, as functions of atexit(3) do.
 */
static void register_early(void)
{
	on_exit(go_on, &goes_on);
}

__attribute__((section(".preinit_array"),
	       used)) static void (*const first)(void) = register_early;

static void lose_page(const char *path)
{
	char buf[512] = "text";

	REQUIRE(pmemblk_write(pool, buf, LOST_BLOCK) == 0, "the write");
	REQUIRE(truncate(path, 1 << 20) == 0, "truncate");
}

typedef void *thread_function(void *);

static thread_function *const functions[] = {fail_always, start_failing_threads,
					     write_always, write_beside_late_keys,
					     read_lost_page};
static const char *const names[] = {"fail", "start", "write", "late keys", "lost page"};

static int run_program(const char *name, const char *path)
{
	bool loses = strcmp(name, "lost page") == 0;
	int catches = 1;

	goes_on = loses || strcmp(name, "late keys") == 0;
	if (loses)
		REQUIRE(pmemblk_ctl_set(NULL, "sigbus.catch", &catches) == 0, "ctl");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		pthread_t thread;

		if (strcmp(name, names[i]) != 0)
			continue;
		pool = pmemblk_create(path, 512, PMEMBLK_MIN_POOL, 0600);
		REQUIRE(pool != NULL, "%s", pmemblk_errormsg());
		if (loses)
			lose_page(path);
		/*
		 * several threads would access each other's replacements, which ThreadSanitizer
		 * reports as a race
		 */
		for (uintptr_t k = 0; k < (loses ? 1 : THREADS); k++) {
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
			/* ThreadSanitizer would report threads that were not joined. */
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

static void threads_that_write_to_the_very_end_leave_other_keys_alone(void **state)
{
	(void)state;
	run_programs("late keys");
}

static void threads_survive_lost_pages_to_the_very_end(void **state)
{
	(void)state;
	run_programs("lost page");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(while_threads_fail_a_program_ends_in_peace),
	    cmocka_unit_test(
		while_threads_fail_for_the_first_time_and_end_a_program_ends),
	    cmocka_unit_test(while_threads_write_a_program_ends_in_peace),
	    cmocka_unit_test(threads_that_write_to_the_very_end_leave_other_keys_alone),
	    cmocka_unit_test(threads_survive_lost_pages_to_the_very_end),
	};

	if (argc > 2)
		return run_program(argv[1], argv[2]);
	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	support_assert_ours((const void *)(uintptr_t)pmemblk_read, "pmemblk_read");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
