/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads that are cancelled during a call. A thread with a pending cancellation ends at the
 * first cancellation point that it reaches. No public function may have one.
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

enum { BSIZE = 512, ROUNDS = 200 };

static const char *path;
static PMEMblkpool *pool;
static void *memory;
static size_t memory_len;

/* --- calls; true if it succeeded ------------------------------------------------------- */

static bool create_pool(void)
{
	pool = pmemblk_create(path, BSIZE, PMEMBLK_MIN_POOL, 0600);
	return pool != NULL;
}

static bool open_pool(void)
{
	pool = pmemblk_open(path, BSIZE);
	return pool != NULL;
}

static bool check_pool(void)
{
	return pmemblk_check(path, BSIZE) == 1;
}

static bool close_pool(void)
{
	pmemblk_close(pool);
	return true;
}

static bool write_block(void)
{
	char buf[BSIZE] = "text";

	return pmemblk_write(pool, buf, 3) == 0;
}

static bool read_block(void)
{
	char buf[BSIZE];

	return pmemblk_read(pool, buf, 3) == 0;
}

static bool zero_block(void)
{
	return pmemblk_set_zero(pool, 3) == 0;
}

static bool spoil_block(void)
{
	return pmemblk_set_error(pool, 4) == 0;
}

static bool write_blocks(void)
{
	char buf[8 * BSIZE] = "text";
	struct pmemblk_iovec iov = {buf, 8, 8};

	return pmemblk_writev(pool, &iov, 1, NULL) == 0;
}

static bool read_blocks(void)
{
	char buf[8 * BSIZE];
	struct pmemblk_iovec iov = {buf, 8, 8};

	return pmemblk_readv(pool, &iov, 1, NULL) == 0;
}

static bool zero_blocks(void)
{
	return pmemblk_set_zero_range(pool, 8, 8, NULL) == 0;
}

static bool fail_read(void)
{
	char buf[BSIZE];

	return pmemblk_read(pool, buf, -1) == -1;
}

static bool map_memory(void)
{
	memory = pmem_map_file(path, 1 << 20, PMEM_FILE_CREATE, 0600, &memory_len, NULL);
	return memory != NULL;
}

static bool sync_memory(void)
{
	return pmem_msync(memory, memory_len) == 0;
}

static bool deep_drain_memory(void)
{
	return pmem_deep_drain(memory, memory_len) == 0;
}

static bool deep_persist_memory(void)
{
	return pmem_deep_persist(memory, memory_len) == 0;
}

static bool unmap_memory(void)
{
	return pmem_unmap(memory, memory_len) == 0;
}

static bool ask_for_auto_flush(void)
{
	return pmem_has_auto_flush() >= 0;
}

static bool log_a_failure(void)
{
	bool failed;

	pmem_log_set_threshold(PMEM_LOG_THRESHOLD, PMEM_LOG_LEVEL_ERROR);
	failed = pmem_msync((void *)(uintptr_t)-4096, SIZE_MAX) == -1;
	pmem_log_set_function(PMEM_LOG_USE_DEFAULT_FUNCTION);
	return failed;
}

struct call {
	const char *name;
	bool (*run)(void);
};

/* --- a pending cancellation ------------------------------------------------------------ */

struct victim {
	bool (*run)(void);
	bool succeeded;
	bool returned;
	int state;
};

static void *call_with_pending_cancellation(void *arg)
{
	struct victim *v = arg;

	pthread_cancel(pthread_self());
	v->succeeded = v->run();
	v->returned = true;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &v->state);
	pthread_setcancelstate(v->state, NULL);
	pthread_testcancel();
	return NULL;
}

static void run_calls(const struct call *call, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct victim v = {.run = call[i].run};
		pthread_t thread;
		void *result;

		REQUIRE(pthread_create(&thread, NULL, call_with_pending_cancellation,
				       &v) == 0,
			"no thread");
		pthread_join(thread, &result);
		/* If the thread ended there, other threads could wait for ever for its locks. */
		REQUIRE(v.returned, "%s is a cancellation point", call[i].name);
		REQUIRE(v.succeeded, "%s: %s", call[i].name, pmemblk_errormsg());
		REQUIRE(v.state == PTHREAD_CANCEL_ENABLE, "%s leaves cancellation off",
			call[i].name);
		REQUIRE(result == PTHREAD_CANCELED, "%s swallows the cancellation",
			call[i].name);
	}
}

static const struct call pool_calls[] = {
    {"pmemblk_create", create_pool},
    {"reading a new pool", read_block},
    {"the first pmemblk_write", write_block},
    {"pmemblk_write", write_block},
    {"pmemblk_read", read_block},
    {"pmemblk_set_zero", zero_block},
    {"pmemblk_set_error", spoil_block},
    {"pmemblk_writev", write_blocks},
    {"pmemblk_readv", read_blocks},
    {"pmemblk_set_zero_range", zero_blocks},
    {"a failing pmemblk_read", fail_read},
    {"pmemblk_close", close_pool},
    {"pmemblk_open", open_pool},
    {"pmemblk_write", write_block},
    {"pmemblk_close", close_pool},
    {"pmemblk_check", check_pool},
};

static const struct call memory_calls[] = {
    {"pmem_map_file", map_memory},
    {"pmem_msync", sync_memory},
    {"pmem_deep_drain", deep_drain_memory},
    {"pmem_deep_persist", deep_persist_memory},
    {"pmem_has_auto_flush", ask_for_auto_flush},
    {"pmem_unmap", unmap_memory},
    {"a message", log_a_failure},
};

/*
 * Each combination of PMEM_IS_PMEM_FORCE, which is read once, and sigbus.catch has its own
 * process.
 */
static void run_child(const char *force, int catch, void (*body)(void))
{
	int status;
	pid_t pid;

	path = support_path(true, "file");
	unlink(path);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(60); /* ends a process that waits for a cancelled thread */
		setenv("PMEM_IS_PMEM_FORCE", force, 1);
		REQUIRE(pmemblk_ctl_set(NULL, "sigbus.catch", &catch) == 0, "ctl");
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0)
		fail_msg("PMEM_IS_PMEM_FORCE=%s, sigbus.catch %d: %#x", force, catch,
			 status);
}

static void call_all_of_a_pool(void)
{
	run_calls(pool_calls, sizeof(pool_calls) / sizeof(pool_calls[0]));
}

static void call_all_of_memory(void)
{
	run_calls(memory_calls, sizeof(memory_calls) / sizeof(memory_calls[0]));
}

static void no_function_of_libpmemblk_is_a_cancellation_point(void **state)
{
	(void)state;
	run_child("0", 0, call_all_of_a_pool);
	run_child("1", 0, call_all_of_a_pool);
	run_child("0", 1, call_all_of_a_pool);
	run_child("1", 1, call_all_of_a_pool);
}

static void no_function_of_libpmem_is_a_cancellation_point(void **state)
{
	(void)state;
	run_child("0", 0, call_all_of_memory);
}

/*
 * The owner of the pool ends, as in a program that opens its pool and becomes a daemon: the child
 * reads while the owner lives, and then takes the pool over.
 */
static void become_a_daemon(void)
{
	static const struct call reading = {"reading another process's pool", read_block};
	static const struct call takeover = {"a takeover", write_block};
	int owner_ends[2];
	int status;
	char byte;
	pid_t owner;
	pid_t daemon;
	pid_t parent;

	REQUIRE(pipe(owner_ends) == 0, "pipe");
	owner = fork();
	REQUIRE(owner >= 0, "fork");
	if (owner > 0) {
		close(owner_ends[1]);
		REQUIRE(waitpid(owner, &status, 0) == owner && status == 0, "owner: %#x",
			status);
		/*
		 * Waits until the daemon has ended, too; the daemon writes one byte if all went
		 * well.
		 */
		REQUIRE(read(owner_ends[0], &byte, 1) == 1, "the daemon failed");
		return;
	}
	REQUIRE(create_pool() && write_block(), "%s", pmemblk_errormsg());
	parent = getpid();
	daemon = fork();
	REQUIRE(daemon >= 0, "fork");
	if (daemon > 0)
		_exit(0);
	run_calls(&reading, 1);
	while (getppid() == parent)
		sched_yield();
	run_calls(&takeover, 1);
	pmemblk_close(pool);
	REQUIRE(write(owner_ends[1], "", 1) == 1, "write");
	_exit(0);
}

static void a_daemons_reads_and_its_takeover_are_none(void **state)
{
	(void)state;
	run_child("0", 0, become_a_daemon);
	run_child("1", 0, become_a_daemon);
}

/* --- any moment ------------------------------------------------------------------------ */

static atomic_int writes;

static void *write_until_cancelled(void *arg)
{
	char buf[BSIZE] = "text";

	for (;;) {
		REQUIRE(pmemblk_write(pool, buf, (long long)(uintptr_t)arg) == 0, "%s",
			pmemblk_errormsg());
		atomic_fetch_add(&writes, 1);
		pthread_testcancel();
	}
	return NULL;
}

static void cancel_writers(void)
{
	char buf[BSIZE] = "mine";

	REQUIRE(create_pool(), "%s", pmemblk_errormsg());
	for (uintptr_t i = 0; i < ROUNDS; i++) {
		int before = atomic_load(&writes);
		pthread_t thread;
		void *result;

		REQUIRE(pthread_create(&thread, NULL, write_until_cancelled,
				       (void *)(i % 2)) == 0,
			"no thread");
		while (atomic_load(&writes) == before)
			sched_yield();
		pthread_cancel(thread);
		/* On the same blocks, during the cancelled call and after it. */
		REQUIRE(pmemblk_write(pool, buf, 0) == 0, "%s", pmemblk_errormsg());
		pthread_join(thread, &result);
		REQUIRE(result == PTHREAD_CANCELED, "not cancelled");
		REQUIRE(pmemblk_set_zero(pool, 1) == 0, "%s", pmemblk_errormsg());
	}
	pmemblk_close(pool);
	REQUIRE(check_pool(), "not consistent");
}

static void everybody_goes_on_when_a_writer_is_cancelled(void **state)
{
	(void)state;
#ifdef __clang__ /* its AddressSanitizer takes the frames that a cancelled thread left for live ones */
	if (SUPPORT_SANITIZED)
		skip();
#endif
	run_child("0", 0, cancel_writers);
	run_child("1", 0, cancel_writers);
}

/* --- in a fork ------------------------------------------------------------------------- */

static void *fork_when_cancelled(void *pid)
{
	pthread_cancel(pthread_self());
	*(pid_t *)pid = fork();
	if (*(pid_t *)pid == 0)
		_exit(7);
	return NULL;
}

static void fork_as_cancelled(void)
{
	pthread_t thread;
	void *result;
	pid_t pid = -1;
	int status;

	REQUIRE(pthread_create(&thread, NULL, fork_when_cancelled, &pid) == 0,
		"no thread");
	pthread_join(thread, &result);
	REQUIRE(result == NULL && pid > 0, "the fork is a cancellation point");
	REQUIRE(waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
		    WEXITSTATUS(status) == 7,
		"the child was cancelled: %#x", status);
}

static void fork_with_an_open_pool(void)
{
	REQUIRE(create_pool() && write_block(), "%s", pmemblk_errormsg());
	fork_as_cancelled();
	REQUIRE(write_block(), "%s", pmemblk_errormsg());
	pmemblk_close(pool);
	REQUIRE(check_pool(), "not consistent");
}

static void a_fork_is_no_cancellation_point_either(void **state)
{
	(void)state;
	run_child("0", 0, fork_with_an_open_pool);
	run_child("1", 0, fork_with_an_open_pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_function_of_libpmemblk_is_a_cancellation_point),
	    cmocka_unit_test(no_function_of_libpmem_is_a_cancellation_point),
	    cmocka_unit_test(a_daemons_reads_and_its_takeover_are_none),
	    cmocka_unit_test(a_fork_is_no_cancellation_point_either),
	    cmocka_unit_test(everybody_goes_on_when_a_writer_is_cancelled),
	};

	support_assert_ours((const void *)(uintptr_t)pmemblk_read, "pmemblk_read");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
