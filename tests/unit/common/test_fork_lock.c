/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The locks are free in a child where the kernel does not clear a page for it, as before Linux 4.14:
 * here madvise refuses. With a kernel that does, the tests of forks use them everywhere.
 */
#include "support.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler.h"
#include "fork_lock.h"
#include "kernel.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

static unsigned nrefused;

SUPPORT_INTERPOSE int madvise(void *addr, size_t len, int advice)
{
	if (advice == MADV_WIPEONFORK) {
		nrefused++;
		errno = EINVAL;
		return -1;
	}
	return (int)syscall(SYS_madvise, addr, len, advice);
}

static atomic_uint nwaits;	 /* system calls that wait for a lock */
static atomic_uint ncalls;	 /* all system calls for locks */
static atomic_uint ninterrupted; /* so many of them will be interrupted at once */

SUPPORT_INTERPOSE long syscall(long number, ...)
{
	static long (*real)(long, ...);
	long args[6];
	va_list ap;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	va_start(ap, number);
	for (size_t i = 0; i < ARRAY_SIZE(args); i++)
		args[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_futex)
		atomic_fetch_add(&ncalls, 1);
	if (number == SYS_futex && args[1] == FUTEX_WAIT_PRIVATE) {
		atomic_fetch_add(&nwaits, 1);
		if (atomic_load(&ninterrupted) > 0) {
			atomic_fetch_sub(&ninterrupted, 1);
			errno = EINTR;
			return -1;
		}
	}
	return real(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

static unsigned nmended;

static void mend(void)
{
	nmended++;
}

static struct fork_lock lock = {.mend = mend};

/* The number of times that the child has put the lock's data in order; -1: it has not ended by itself. */
static int take_in_child(void)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		alarm(20);
		nmended = 0;
		for (int i = 0; i < 3; i++) {
			fork_lock_acquire(&lock);
			fork_lock_release(&lock);
		}
		_exit((int)nmended);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_child_finds_a_held_lock_free(void **state)
{
	int nmended_there;

	(void)state;
	assert_int_equal(nrefused, 1); /* there is one page for all locks */
	nmended = 0;
	fork_lock_acquire(&lock);
	nmended_there = take_in_child();
	fork_lock_release(&lock);
	assert_int_equal(nmended, 1);
	assert_int_equal(nmended_there, 1);
	assert_int_equal(take_in_child(), 1);
	fork_lock_acquire(&lock);
	assert_int_equal(nmended, 1);
	fork_lock_release(&lock);
}

static void what_nobody_else_wants_needs_no_system_call(void **state)
{
	(void)state;
	atomic_store(&ncalls, 0);
	for (int i = 0; i < 3; i++) {
		fork_lock_acquire(&lock);
		fork_lock_release(&lock);
	}
	assert_int_equal(atomic_load(&ncalls), 0);
}

static atomic_uint nwaiting;
static atomic_uint ngot;
static atomic_uint nchanged; /* threads in which waiting has changed errno */

static void *wait_for_it(void *arg)
{
	(void)arg;
	atomic_fetch_add(&nwaiting, 1);
	errno = ENOENT;
	fork_lock_acquire(&lock);
	if (errno != ENOENT)
		atomic_fetch_add(&nchanged, 1);
	atomic_fetch_add(&ngot, 1);
	fork_lock_release(&lock);
	return NULL;
}

static void others_that_wait_stay_with_the_parent(void **state)
{
	pthread_t threads[4];
	int nmended_there;

	(void)state;
	fork_lock_acquire(&lock);
	atomic_store(&ninterrupted, 1);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, wait_for_it, NULL), 0);
	while (atomic_load(&nwaiting) < ARRAY_SIZE(threads))
		usleep(1000);
	while (atomic_load(&nwaits) < ARRAY_SIZE(threads) && atomic_load(&ngot) == 0)
		usleep(1000);
	usleep(20000);
	assert_int_equal(atomic_load(&ngot), 0);
	/* they sleep until they are woken */
	assert_true(atomic_load(&nwaits) < 100);
	nmended_there = take_in_child();
	fork_lock_release(&lock);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(nmended_there, 1);
	assert_int_equal(atomic_load(&ngot), ARRAY_SIZE(threads));
	assert_int_equal(atomic_load(&ninterrupted), 0);
	assert_int_equal(atomic_load(&nchanged), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_child_finds_a_held_lock_free),
	    cmocka_unit_test(what_nobody_else_wants_needs_no_system_call),
	    cmocka_unit_test(others_that_wait_stay_with_the_parent),
	};

	fork_lock_setup(&lock);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
