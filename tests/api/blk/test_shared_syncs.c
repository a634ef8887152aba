/* SPDX-License-Identifier: BSD-3-Clause */
/* Threads of a pool on an ordinary file share their syncs, and their errors. */
#include <libpmemblk.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "byteblock.h"
#include "support.h"

#define SIZE ((size_t)17 << 20)

static const char *path;

enum { FREE, ARMED, HELD, GONE_ON };

static atomic_int first;   /* what happens to the first sync */
static atomic_bool counts; /* the first sync after it fails */
static atomic_uint later;  /* the number of syncs after the first one */

SUPPORT_INTERPOSE int msync(void *addr, size_t len, int flags)
{
	int armed = ARMED;

	if (atomic_compare_exchange_strong(&first, &armed, HELD)) {
		while (atomic_load(&first) == HELD)
			sched_yield();
	} else if (atomic_load(&counts) && atomic_fetch_add(&later, 1) == 0) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_msync, addr, len, flags);
}

static PMEMblkpool *make_pool(void)
{
	PMEMblkpool *p;

	atomic_store(&first, FREE);
	atomic_store(&counts, false);
	unlink(path);
	p = pmemblk_create(path, 512, SIZE, 0644);
	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	for (int i = 0; i < 10; i++)
		assert_int_equal(byteblock_put(p, i, 1), 0);
	return p;
}

static atomic_bool has_begun;

/* Returns NULL after a success. */
static void *write_high(void *pool)
{
	return byteblock_put(pool, 5000, 2) == 0 ? NULL : pool;
}

static void *write_low(void *pool)
{
	atomic_store(&has_begun, true);
	return byteblock_put(pool, 5, 2) == 0 ? NULL : pool;
}

static void start(pthread_t *thread, void *(*run)(void *), PMEMblkpool *p)
{
	assert_int_equal(pthread_create(thread, NULL, run, p), 0);
}

static void await_held(void)
{
	while (atomic_load(&first) != HELD)
		sched_yield();
}

/* The kernel reports an error once: another sync would succeed, although pages are lost. */
static void after_a_failed_sync_no_thread_syncs_again(void **state)
{
	static const struct timespec moment = {.tv_nsec = 50000000};
	PMEMblkpool *p = make_pool();
	pthread_t high;
	pthread_t low;
	void *failed;

	(void)state;
	alarm(30);
	atomic_store(&first, ARMED);
	start(&high, write_high, p);
	await_held();
	atomic_store(&counts, true);
	start(&low, write_low, p);
	while (!atomic_load(&has_begun))
		sched_yield();
	nanosleep(&moment, NULL);
	atomic_store(&first, GONE_ON);
	assert_int_equal(pthread_join(high, &failed), 0);
	assert_non_null(failed);
	assert_int_equal(pthread_join(low, &failed), 0);
	assert_non_null(failed);
	assert_int_equal(atomic_load(&later), 1);
	assert_int_equal(byteblock_get(p, 5), 1);
	pmemblk_close(p);
	assert_int_equal(atomic_load(&later), 1);
	atomic_store(&counts, false);
	assert_int_equal(pmemblk_check(path, 0), 1);
	alarm(0);
}

/* It does not wait for a thread that exists only in its parent. */
static void a_child_that_is_forked_during_a_sync_takes_the_pool_over(void **state)
{
	int answer[2];
	char byte = 0;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(answer), 0);
	pid = fork();
	if (pid == 0) {
		PMEMblkpool *p = make_pool();
		pthread_t thread;

		atomic_store(&first, ARMED);
		start(&thread, write_high, p);
		await_held();
		if (fork() == 0) {
			alarm(30);
			atomic_store(&first, FREE);
			while (byteblock_put(p, 5, 7) != 0)
				if (errno != EBUSY)
					_exit(1);
			byte = (char)byteblock_get(p, 5);
			pmemblk_close(p);
			_exit(write(answer[1], &byte, 1) == 1 ? 0 : 1);
		}
		_exit(0);
	}
	close(answer[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(read(answer[0], &byte, 1), 1);
	assert_int_equal(byte, 7);
	close(answer[0]);
	assert_int_equal(pmemblk_check(path, 0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(after_a_failed_sync_no_thread_syncs_again),
	    cmocka_unit_test(a_child_that_is_forked_during_a_sync_takes_the_pool_over),
	};

	unsetenv("PMEM_IS_PMEM_FORCE");
	path = support_path(false, "pool");
	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
