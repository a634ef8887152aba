/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The locks of the library around forks. The linker puts functions that check their order in place of
 * those of the lock: a thread that releases what it does not hold would free another thread's lock,
 * and take over its signal mask.
 */
#include "support.h"

#include <errno.h>
#include <libpmemblk.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "byteblock.h"
#include "held_locks.h"

#define SIZE ((size_t)17 << 20)

static void expect(bool is_so, int line)
{
	if (is_so)
		return;
	fprintf(stderr, "line %d\n", line);
	_exit(1);
}

#define EXPECT(condition) expect(condition, __LINE__)

/* Only SIGUSR1 is blocked. */
static bool mask_is_as_before(void)
{
	sigset_t now;

	pthread_sigmask(SIG_BLOCK, NULL, &now);
	for (int sig = 1; sig < 32; sig++)
		if ((sigismember(&now, sig) != 0) != (sig == SIGUSR1))
			return false;
	return true;
}

static void use_another(const char *path)
{
	PMEMblkpool *p = pmemblk_create(path, 512, SIZE, 0600);

	EXPECT(p && byteblock_put(p, 1, 2) == 0);
	pmemblk_close(p);
	p = pmemblk_open(path, 0);
	EXPECT(p && byteblock_get(p, 1) == 2);
	pmemblk_close(p);
	EXPECT(pmemblk_check(path, 0) == 1);
	EXPECT(unlink(path) == 0);
}

/* Takes the pool over when its owner has closed it. */
static void live_as_a_child(PMEMblkpool *p, const char *other)
{
	int status;
	pid_t pid;

	alarm(60);
	EXPECT(mask_is_as_before());
	EXPECT(byteblock_get(p, 3) == 7);
	pid = fork();
	if (pid == 0) {
		EXPECT(mask_is_as_before());
		EXPECT(byteblock_get(p, 3) == 7);
		pmemblk_close(p);
		_exit(0);
	}
	EXPECT(waitpid(pid, &status, 0) == pid && status == 0);
	use_another(other);
	while (byteblock_put(p, 3, 8) != 0)
		EXPECT(errno == EBUSY);
	EXPECT(mask_is_as_before());
	pmemblk_close(p);
	_exit(0);
}

static void whoever_releases_a_lock_holds_it(void **state)
{
	const char *path = support_path(true, "pool");
	const char *other = support_path(true, "other");
	PMEMblkpool *p;
	sigset_t usr1;
	sigset_t before;
	int status;

	(void)state;
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &usr1, &before), 0);
	for (int catches = 0; catches < 2; catches++) {
		pid_t pid;

		assert_int_equal(pmemblk_ctl_set(NULL, "sigbus.catch", &catches), 0);
		p = pmemblk_create(path, 512, SIZE, 0600);
		if (!p)
			fail_msg("%s", pmemblk_errormsg());
		assert_int_equal(byteblock_put(p, 3, 7), 0);
		fflush(NULL);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			live_as_a_child(p, other);
		assert_true(mask_is_as_before());
		assert_int_equal(byteblock_put(p, 4, 1), 0);
		pmemblk_close(p);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_int_equal(pmemblk_check(path, 0), 1);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(pmemblk_ctl_set(NULL, "sigbus.catch", &(int){0}), 0);
	assert_int_equal(held_locks(), 0);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whoever_releases_a_lock_holds_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
