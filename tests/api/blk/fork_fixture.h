/* SPDX-License-Identifier: BSD-3-Clause */
/* For tests with a pool in several processes, on persistent memory and on an ordinary file. */
#ifndef FORK_FIXTURE_H
#define FORK_FIXTURE_H 1

#include <libpmemblk.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "byteblock.h"
#include "image.h"
#include "support.h"

#define SIZE ((size_t)17 << 20)

static const char *path;
static bool on_pmem = true;

static inline __attribute__((unused)) int new_path(void **state)
{
	static unsigned n;
	char name[32];

	(void)state;
	alarm(60); /* a child that fails leaves others waiting for its turn */
	snprintf(name, sizeof(name), "fork%u", n++);
	path = support_path(on_pmem, name);
	return 0;
}

static inline PMEMblkpool *create(void)
{
	PMEMblkpool *p = pmemblk_create(path, 512, SIZE, 0644);

	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	return p;
}

/* Whether another process owns the pool. */
static inline bool is_busy(PMEMblkpool *p)
{
	errno = 0;
	return byteblock_put(p, 0, 2) == -1 && errno == EBUSY;
}

/* Lets two processes take turns. */
struct turns {
	int to_child[2];
	int to_parent[2];
};

static inline void start_turns(struct turns *t)
{
	assert_int_equal(pipe(t->to_child), 0);
	assert_int_equal(pipe(t->to_parent), 0);
}

static inline void hand_over(int fd)
{
	if (write(fd, "x", 1) != 1)
		abort();
}

/* Returns false when the other side has ended. */
static inline bool await(int fd)
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

static inline void assert_ends_well(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* As assert_ends_well(), in a child of the test. */
static inline void expect_ends_well(pid_t pid)
{
	int status;

	EXPECT(waitpid(pid, &status, 0) > 0 && status == 0);
}

/* As assert_ends_well(), for the next orphan, of which this process is the subreaper. */
static inline void assert_orphan_ends_well(void)
{
	int status;

	assert_true(wait(&status) > 0);
	assert_int_equal(status, 0);
}

/* Runs the cases on persistent memory and, in a second process, on an ordinary file. */
static inline int run_on_both(const char *group, const struct CMUnitTest *tests, size_t n)
{
	int status = 0;
	pid_t pid;

	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	/* The library reads the variable once in each process. */
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
	return _cmocka_run_group_tests(group, tests, n, NULL, NULL) != 0 || status != 0;
}

#endif
