/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * errno after calls that had to wait and then succeeded. The library waits and requests barriers
 * with syscall(2). This program has a syscall(2) of its own, which changes errno each time.
 */
#include <errno.h>
#include <libpmemblk.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pool_fixture.h"
#include "support.h"

enum { THREADS = 4, BSIZE = 4096, WAITS = 20, MOST = 1000000, BEFORE = 1234 };

static atomic_int nwait;
static atomic_int ncall;
static atomic_int nchanged;
static PMEMblkpool *pool;

long syscall(long number, ...);

/*
 * With the instruction itself, because this function replaces libc's. It takes six values, whether or
 * not the caller has passed them, which AddressSanitizer would report.
 */
__attribute__((visibility("default"), no_sanitize("address"))) long syscall(long number,
									    ...)
{
	va_list ap;
	long a[6];
	long ret = -1;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_futex)
		atomic_fetch_add(&nwait, 1);
#ifdef __x86_64__
	register long a4 __asm__("r10") = a[3];
	register long a5 __asm__("r8") = a[4];
	register long a6 __asm__("r9") = a[5];

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(a4), "r"(a5),
			   "r"(a6)
			 : "rcx", "r11", "memory");
#else /* a waiter may wake up at any time */
	(void)a;
#endif
	errno = ret < 0 && ret > -4096 ? (int)-ret : EAGAIN;
	return ret < 0 && ret > -4096 ? -1 : ret;
}

static void note(int ret)
{
	if (ret != 0 || errno != BEFORE)
		atomic_fetch_add(&nchanged, 1);
	atomic_fetch_add(&ncall, 1);
	errno = BEFORE;
}

static void *contend(void *arg)
{
	char buf[BSIZE] = "text";

	errno = BEFORE;
	while (atomic_load(&nwait) < WAITS && atomic_load(&ncall) < MOST) {
		note(pmemblk_write(pool, buf, 0));
		note(pmemblk_set_zero(pool, 0));
		note(pmemblk_read(pool, buf, 0));
		note(pmemblk_write(pool, buf, 0));
		note(pmemblk_read(pool, buf, 0));
		note(pmemblk_set_error(pool, 1));
	}
	return arg;
}

static void errno_stays_where_calls_had_to_wait(void **state)
{
	pthread_t thread[THREADS];

	(void)state;
	pool = fixture_create(BSIZE, PMEMBLK_MIN_POOL, 0600);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, contend, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	pmemblk_close(pool);
	if (atomic_load(&nwait) < WAITS) {
		print_message("skipped: the threads had to wait %d times only\n",
			      atomic_load(&nwait));
		skip();
	}
	assert_int_equal(atomic_load(&nchanged), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    FIXTURE_CASE(errno_stays_where_calls_had_to_wait),
	};

#ifndef __x86_64__
	printf("skipped: needs a system call of its own\n");
	return 77;
#endif
	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	support_assert_ours((const void *)(uintptr_t)pmemblk_read, "pmemblk_read");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
