/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of the wait for a pool that is in use (lock.wait). The fixture's flock() counts the
 * locks that were refused, so a test knows that a call waits.
 */
#ifndef WAIT_FIXTURE_H
#define WAIT_FIXTURE_H 1

#include "pool_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "require.h"

enum { NPROCESS = 10, BSIZE = 512, ATTEMPTS = 3 };

static atomic_uint nrefused;
static atomic_uint nlocked; /* all calls */
static bool is_network;	    /* flock() is a lock of fcntl(2), as on NFS */
static bool refuses_next;   /* the next exclusive lock, as if another process had it */
static unsigned
    signal_after; /* SIGUSR1 comes in the refused call of this number; 0: never */

SUPPORT_INTERPOSE int flock(int fd, int operation)
{
	int mode = fcntl(fd, F_GETFL) & O_ACCMODE;
	int ret;

	atomic_fetch_add(&nlocked, 1);
	if (is_network && ((operation & LOCK_EX && mode == O_RDONLY) ||
			   (operation & LOCK_SH && mode == O_WRONLY))) {
		errno = EBADF;
		return -1;
	}
	if (refuses_next && operation & LOCK_EX) {
		refuses_next = false;
		errno = EWOULDBLOCK;
		return -1;
	}
	ret = (int)syscall(SYS_flock, fd, operation);
	if (ret != 0 && errno == EWOULDBLOCK) {
		unsigned n = atomic_fetch_add(&nrefused, 1) + 1;

		if (n == signal_after)
			raise(SIGUSR1);
		errno = EWOULDBLOCK;
	}
	return ret;
}

static inline void set_wait(int ms)
{
	REQUIRE(pmemblk_ctl_set(NULL, "lock.wait", &ms) == 0, "%s", pmemblk_errormsg());
}

static inline int begin(void **state)
{
	alarm(120); /* ends a test that waits for ever */
	set_wait(0);
	atomic_store(&nrefused, 0);
	return fixture_new_path(state);
}

static inline int end(void **state)
{
	set_wait(0);
	alarm(0);
	return fixture_remove(state);
}

static inline void await_refusals(unsigned n)
{
	while (atomic_load(&nrefused) < n)
		sched_yield();
}

/* --- a thread that waits ------------------------------------------------------------------ */

struct waiter {
	pthread_t thread;
	const char *path;
	PMEMblkpool *(*call)(const char *path);
	_Atomic(PMEMblkpool *) pool;
	atomic_int err;
};

static inline PMEMblkpool *open_it(const char *path)
{
	return pmemblk_open(path, 0);
}

static inline void *run_waiter(void *arg)
{
	struct waiter *w = arg;
	PMEMblkpool *pool = w->call(w->path);

	atomic_store(&w->err, pool ? 0 : errno);
	atomic_store(&w->pool, pool);
	pthread_testcancel();
	return NULL;
}

static inline void start(struct waiter *w, const char *path,
			 PMEMblkpool *(*call)(const char *path))
{
	unsigned before = atomic_load(&nrefused);

	w->path = path;
	w->call = call;
	atomic_init(&w->pool, NULL);
	atomic_init(&w->err, -1);
	assert_int_equal(pthread_create(&w->thread, NULL, run_waiter, w), 0);
	await_refusals(before + ATTEMPTS);
}

static inline PMEMblkpool *result(struct waiter *w)
{
	assert_int_equal(pthread_join(w->thread, NULL), 0);
	assert_int_equal(atomic_load(&w->err), 0);
	return atomic_load(&w->pool);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)

#endif
