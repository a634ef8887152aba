/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A process that takes a pool over while another thread of it forks: the child must not inherit
 * what tells that the owner is alive.
 */
#include "fork_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef MADV_DONTFORK
#define MADV_DONTFORK 10
#endif

/* How long a fork gets that has begun; one that is held up needs it all. */
#define YIELDS 20000

static atomic_bool is_watching;
static atomic_bool is_marking; /* the mark is there, and would be inherited */
static atomic_bool has_begun;  /* to fork */
static atomic_bool has_forked;

SUPPORT_INTERPOSE int madvise(void *addr, size_t len, int advice)
{
	if (advice == MADV_DONTFORK && atomic_exchange(&is_watching, false)) {
		atomic_store(&is_marking, true);
		while (!atomic_load(&has_begun))
			sched_yield();
		for (int i = 0; i < YIELDS && !atomic_load(&has_forked); i++)
			sched_yield();
	}
	return (int)syscall(SYS_madvise, addr, len, advice);
}

static void note_begin(void)
{
	atomic_store(&has_begun, true);
}

struct family {
	PMEMblkpool *pool;
	int owner_is_there[2];
};

/* The child waits until the owner has ended, and takes the pool over in its turn. */
static void *fork_while_marking(void *arg)
{
	struct family *f = arg;

	while (!atomic_load(&is_marking))
		sched_yield();
	if (fork() == 0) {
		alarm(30);
		close(f->owner_is_there[1]);
		EXPECT(!await(f->owner_is_there[0]));
		EXPECT(byteblock_get(f->pool, 0) == 2);
		EXPECT(byteblock_put(f->pool, 0, 3) == 0);
		pmemblk_close(f->pool);
		_exit(0);
	}
	atomic_store(&has_forked, true);
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

		atomic_store(&has_begun, false);
		atomic_store(&is_watching, true);
		EXPECT(pthread_create(&forker, NULL, fork_while_marking, &f) == 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_child_forked_while_a_pool_is_taken_over_gets_it_next,
				   new_path),
	};

	pthread_atfork(note_begin, NULL, NULL);
	return run_on_both("fork_mark", tests, sizeof(tests) / sizeof(tests[0]));
}
