/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool in several processes: who may modify it, and that a program may open its pool and
 * then become a daemon. On persistent memory and, in a second run, on an ordinary file.
 */
#include <libpmemblk.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "byteblock.h"
#include "image.h"
#include "support.h"

#define SIZE ((size_t)17 << 20)

static const char *path;
static bool on_pmem = true;

static int new_path(void **state)
{
	static unsigned n;
	char name[32];

	(void)state;
	snprintf(name, sizeof(name), "fork%u", n++);
	path = support_path(on_pmem, name);
	return 0;
}

static PMEMblkpool *create(void)
{
	PMEMblkpool *p = pmemblk_create(path, 512, SIZE, 0644);

	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	return p;
}

/* Two processes that take turns. */
struct turns {
	int to_child[2];
	int to_parent[2];
};

static void start_turns(struct turns *t)
{
	assert_int_equal(pipe(t->to_child), 0);
	assert_int_equal(pipe(t->to_parent), 0);
}

static void hand_over(int fd)
{
	if (write(fd, "x", 1) != 1)
		abort();
}

/* Returns false when the other side has ended. */
static bool await(int fd)
{
	char c;

	return read(fd, &c, 1) == 1;
}

#define EXPECT(cond)                                                                     \
	do {                                                                             \
		if (!(cond)) {                                                           \
			fprintf(stderr, "line %d: %s: %s (%s)\n", __LINE__, #cond,       \
				pmemblk_errormsg(), strerror(errno));                    \
			_exit(1);                                                        \
		}                                                                        \
	} while (0)

static void assert_ends_well(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void B16_only_one_of_two_processes_may_modify(void **state)
{
	PMEMblkpool *p = create();
	struct turns t;
	pid_t pid;

	(void)state;
	assert_int_equal(byteblock_put(p, 0, 1), 0);
	start_turns(&t);
	pid = fork();
	if (pid == 0) {
		char block[512] = "";

		for (int i = 0; i < 2; i++) {
			EXPECT(byteblock_get(p, 0) == 1);
			errno = 0;
			EXPECT(byteblock_put(p, 0, 2) == -1 && errno == EBUSY);
			errno = 0;
			EXPECT(pmemblk_set_zero(p, 0) == -1 && errno == EBUSY);
			errno = 0;
			EXPECT(pmemblk_set_error(p, 1) == -1 && errno == EBUSY);
			EXPECT(strstr(pmemblk_errormsg(), path));
			EXPECT(pmemblk_read(p, block, 1) == 0);
		}
		hand_over(t.to_parent[1]);
		EXPECT(await(t.to_child[0]));
		EXPECT(byteblock_get(p, 0) == 3);
		pmemblk_close(p); /* must not mark the pool as closed */
		_exit(0);
	}
	assert_true(await(t.to_parent[0]));
	assert_int_equal(byteblock_put(p, 0, 3), 0);
	hand_over(t.to_child[1]);
	assert_ends_well(pid);
	assert_int_equal(image_get32(path, IMAGE_SDS + 16), 1);
	assert_int_equal(byteblock_put(p, 1, 4), 0);
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(path, 0), 1);
}

/* Parent, then child, then the child's child: each owns the pool after the one before. */
static void a_daemon_takes_over_what_its_parent_opened(void **state)
{
	struct turns t;
	pid_t pid;

	(void)state;
	start_turns(&t);
	pid = fork();
	if (pid == 0) {
		PMEMblkpool *p = create();

		EXPECT(byteblock_put(p, 0, 1) == 0);
		EXPECT(pmemblk_set_error(p, 9) == 0);
		for (int generation = 2; generation < 5; generation++) {
			pid = fork();
			if (pid != 0)
				_exit(0); /* without closing */
			for (int i = 0; i < 300; i++)
				EXPECT(byteblock_put(p, i % 5, generation) == 0);
			EXPECT(byteblock_get(p, 0) == generation);
			EXPECT(byteblock_get(p, 9) == -1);
		}
		pmemblk_close(p);
		EXPECT(image_get32(path, IMAGE_SDS + 16) == 0);
		hand_over(t.to_parent[1]);
		_exit(0);
	}
	close(t.to_parent[1]);
	assert_ends_well(pid);
	assert_true(await(t.to_parent[0]));
	assert_int_equal(pmemblk_check(path, 0), 1);
}

static void closing_gives_the_right_away(void **state)
{
	PMEMblkpool *p = create();
	struct turns t;
	pid_t pid;

	(void)state;
	start_turns(&t);
	assert_int_equal(byteblock_put(p, 0, 1), 0);
	pid = fork();
	if (pid == 0) {
		EXPECT(byteblock_put(p, 0, 2) == -1 && errno == EBUSY);
		hand_over(t.to_parent[1]);
		EXPECT(await(t.to_child[0]));
		EXPECT(byteblock_put(p, 0, 2) == 0);
		EXPECT(byteblock_get(p, 0) == 2);
		hand_over(t.to_parent[1]);
		EXPECT(await(t.to_child[0]));
		pmemblk_close(p);
		_exit(0);
	}
	assert_true(await(t.to_parent[0]));
	pmemblk_close(p);
	hand_over(t.to_child[1]);
	assert_true(await(t.to_parent[0]));
	/* The child keeps the file locked. */
	errno = 0;
	assert_null(pmemblk_open(path, 0));
	assert_int_equal(errno, EAGAIN);
	hand_over(t.to_child[1]);
	assert_ends_well(pid);
	p = pmemblk_open(path, 0);
	assert_non_null(p);
	assert_int_equal(byteblock_get(p, 0), 2);
	pmemblk_close(p);
}

/* Of many children whose parent is gone, exactly one gets the pool. */
static void one_of_many_orphans_gets_the_pool(void **state)
{
	enum { CHILDREN = 8 };
	atomic_int *won =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct turns t;
	pid_t pid;

	(void)state;
	assert_true(won != MAP_FAILED);
	/* The children of the child that ends first become this process's. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	start_turns(&t);
	pid = fork();
	if (pid == 0) {
		PMEMblkpool *p = create();

		EXPECT(byteblock_put(p, 0, 99) == 0);
		for (int i = 0; i < CHILDREN; i++) {
			if (fork() != 0)
				continue;
			close(t.to_child[1]);
			close(t.to_parent[0]);
			if (await(t.to_child[0])) /* until the starter has ended */
				_exit(1);
			bool left_alone = true;

			errno = 4711;
			if (byteblock_put(p, i, i) == 0) {
				left_alone =
				    errno == 4711; /* not that the owner is gone */
				atomic_fetch_add(won, 1);
				for (int k = 0; k < 500; k++)
					EXPECT(byteblock_put(p, 50 + k % 10, k & 0xff) ==
					       0);
			} else {
				EXPECT(errno == EBUSY);
				EXPECT(byteblock_get(p, 20) == 0);
			}
			hand_over(t.to_parent[1]);
			/* Stay until all have tried. */
			while (atomic_load(won + 1) == 0)
				sched_yield();
			_exit(left_alone ? 0 : 1);
		}
		_exit(0);
	}
	assert_ends_well(pid);
	close(t.to_parent[1]);
	close(t.to_child[1]);
	for (int i = 0; i < CHILDREN; i++)
		assert_true(await(t.to_parent[0]));
	assert_int_equal(atomic_load(won), 1);
	atomic_store(won + 1, 1);
	for (int i = 0; i < CHILDREN; i++) {
		int status;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(pmemblk_check(path, 0), 1);
	munmap(won, 4096);
}

static void *keep_writing(void *arg)
{
	PMEMblkpool *p = arg;

	for (int i = 0; i < (on_pmem ? 200000 : 1000); i++)
		if (byteblock_put(p, i % 64, i & 0xff) != 0)
			return p;
	return NULL;
}

/* Reading workers of a process whose threads write all the time, forked at any moment. */
static void workers_read_while_the_owner_writes(void **state)
{
	enum { WORKERS = 20 };
	PMEMblkpool *p = create();
	pthread_t thread[2];
	pid_t pid[WORKERS];

	(void)state;
	/* A sanitizer's allocator does not survive a fork while a thread is in it, as malloc does. */
	if (SUPPORT_SANITIZED)
		assert_int_equal(byteblock_put(p, 0, 0), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, keep_writing, p), 0);
	for (int w = 0; w < WORKERS; w++) {
		pid[w] = fork();
		if (pid[w] == 0) {
			alarm(60);
			for (int i = 0; i < 5000; i++)
				EXPECT(byteblock_get(p, i % 64) >= 0);
			_exit(0);
		}
	}
	for (int w = 0; w < WORKERS; w++)
		assert_ends_well(pid[w]);
	for (int i = 0; i < 2; i++) {
		void *failed;

		assert_int_equal(pthread_join(thread[i], &failed), 0);
		assert_null(failed);
	}
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(path, 0), 1);
}

static void a_worker_sees_what_the_owner_writes_first(void **state)
{
	PMEMblkpool *p = create(); /* not laid out yet */
	struct turns t;
	pid_t pid;

	(void)state;
	start_turns(&t);
	pid = fork();
	if (pid == 0) {
		EXPECT(byteblock_get(p, 0) == 0);
		hand_over(t.to_parent[1]);
		EXPECT(await(t.to_child[0]));
		EXPECT(byteblock_get(p, 0) == 7);
		_exit(0);
	}
	assert_true(await(t.to_parent[0]));
	assert_int_equal(byteblock_put(p, 0, 7), 0);
	hand_over(t.to_child[1]);
	assert_ends_well(pid);
	pmemblk_close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(B16_only_one_of_two_processes_may_modify, new_path),
	    cmocka_unit_test_setup(a_daemon_takes_over_what_its_parent_opened, new_path),
	    cmocka_unit_test_setup(closing_gives_the_right_away, new_path),
	    cmocka_unit_test_setup(one_of_many_orphans_gets_the_pool, new_path),
	    cmocka_unit_test_setup(workers_read_while_the_owner_writes, new_path),
	    cmocka_unit_test_setup(a_worker_sees_what_the_owner_writes_first, new_path),
	};

	int status = 0;
	pid_t pid;

	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	/* The library looks at the variable once in each process. */
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	on_pmem = pid == 0;
	if (on_pmem)
		setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	else
		unsetenv("PMEM_IS_PMEM_FORCE");
	if (pid != 0)
		assert_int_equal(waitpid(pid, &status, 0), pid);
	return cmocka_run_group_tests(tests, NULL, NULL) != 0 || status != 0;
}
