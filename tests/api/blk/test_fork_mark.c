/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A process forks while another of its threads sets the mark that shows that the process is
 * alive. The child must not inherit the mark, and must not wait for the thread.
 */
#include "fork_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#ifndef MADV_DONTFORK
#define MADV_DONTFORK 10
#endif

static atomic_bool is_watching;
static atomic_bool is_marking; /* the mark is attached, and a child would inherit it */
static atomic_bool has_begun;  /* a fork has begun: the library's handlers have run */
static int child_is_there[2];

static atomic_bool waits_in_mark; /* the next thread that begins a mark has to wait */
static atomic_bool goes_on;

/* Called while the thread holds a lock of the library. */
SUPPORT_INTERPOSE int shmget(key_t key, size_t size, int flags)
{
	if (atomic_load(&waits_in_mark)) {
		atomic_store(&waits_in_mark, false);
		while (!atomic_load(&goes_on))
			sched_yield();
	}
	return (int)syscall(SYS_shmget, key, size, flags);
}

SUPPORT_INTERPOSE int madvise(void *addr, size_t len, int advice)
{
	if (advice == MADV_DONTFORK && atomic_exchange(&is_watching, false)) {
		atomic_store(&is_marking, true);
		if (!await(child_is_there[0]))
			abort();
	}
	return (int)syscall(SYS_madvise, addr, len, advice);
}

static void wait_for_mark(void)
{
	if (!atomic_load(&is_watching))
		return;
	atomic_store(&has_begun, true);
	while (!atomic_load(&is_marking))
		sched_yield();
}

static void register_handler(void)
{
	pthread_atfork(wait_for_mark, NULL, NULL);
}

/* Runs before the constructors of all libraries, so the handler runs after theirs. */
__attribute__((section(".preinit_array"),
	       used)) static void (*const first)(void) = register_handler;

struct family {
	PMEMblkpool *pool;
	int owner_is_there[2];
};

/* The child waits until the owner has ended, and then takes the pool over. */
static void *fork_while_marking(void *arg)
{
	struct family *f = arg;

	if (fork() == 0) {
		alarm(30);
		hand_over(child_is_there[1]);
		close(f->owner_is_there[1]);
		EXPECT(!await(f->owner_is_there[0]));
		EXPECT(byteblock_get(f->pool, 0) == 2);
		EXPECT(byteblock_put(f->pool, 0, 3) == 0);
		pmemblk_close(f->pool);
		_exit(0);
	}
	return NULL;
}

static void a_child_forked_while_a_pool_is_taken_over_gets_it_next(void **state)
{
	struct family f;
	pid_t pid;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	assert_int_equal(pipe2(f.owner_is_there, O_CLOEXEC), 0);
	f.pool = create();
	assert_int_equal(byteblock_put(f.pool, 0, 1), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		pthread_t forker;

		EXPECT(pipe(child_is_there) == 0);
		atomic_store(&is_watching, true);
		EXPECT(pthread_create(&forker, NULL, fork_while_marking, &f) == 0);
		while (!atomic_load(&has_begun))
			sched_yield();
		while (byteblock_put(f.pool, 0, 1) != 0)
			EXPECT(errno == EBUSY);
		EXPECT(byteblock_put(f.pool, 0, 2) == 0);
		pthread_join(forker, NULL);
		_exit(0);
	}
	close(f.owner_is_there[1]);
	pmemblk_close(f.pool);
	assert_ends_well(pid);
	assert_orphan_ends_well();
	close(f.owner_is_there[0]);
}

/* --- without handlers ----------------------------------------------------------------------- */

static void *fork_once(void *unused)
{
	pid_t pid = fork();

	(void)unused;
	if (pid == 0)
		_exit(0);
	expect_ends_well(pid);
	return NULL;
}

static void locks_are_free_in_a_child_that_ran_no_handlers(void **state)
{
	pthread_t forker;
	PMEMblkpool *p;
	pid_t pid;

	(void)state;
	if (SUPPORT_SANITIZED)
		skip(); /* a sanitizer does not know of this child */
	p = create();
	assert_int_equal(byteblock_put(p, 0, 1), 0);
	atomic_store(&goes_on, false);
	atomic_store(&waits_in_mark, true);
	assert_int_equal(pthread_create(&forker, NULL, fork_once, NULL), 0);
	while (atomic_load(&waits_in_mark))
		sched_yield();
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(15);
		EXPECT(byteblock_get(p, 0) == 1);
		EXPECT(byteblock_put(p, 0, 2) == -1 && errno == EBUSY);
		pmemblk_close(p);
		_exit(0);
	}
	assert_ends_well(pid);
	atomic_store(&goes_on, true);
	assert_int_equal(pthread_join(forker, NULL), 0);
	pmemblk_close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_child_forked_while_a_pool_is_taken_over_gets_it_next,
				   new_path),
	    cmocka_unit_test_setup(locks_are_free_in_a_child_that_ran_no_handlers,
				   new_path),
	};

	return run_on_both("fork_mark", tests, sizeof(tests) / sizeof(tests[0]));
}
