/* SPDX-License-Identifier: BSD-3-Clause */
#include "btt/lock.h"

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kernel.h"

#define SPINS 64

static void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

void lock_wait_slow(struct lock *lock, uint32_t *nap_ms)
{
	struct timespec nap = {.tv_nsec = *nap_ms * 1000000L};
	uint32_t held = 0;

	for (int i = 0; i < SPINS; i++) {
		held = atomic_load_explicit(&lock->held, memory_order_relaxed);
		if (!held)
			return;
		relax();
	}
	atomic_store_explicit(&lock->wakes, LOCK_WAKES, memory_order_seq_cst);
	/* every return is fine: woken, changed before, interrupted, timed out */
	if (syscall(SYS_futex, &lock->held, FUTEX_WAIT_PRIVATE, held, &nap, NULL, 0) !=
		0 &&
	    errno == ETIMEDOUT && *nap_ms < LOCK_MAX_NAP_MS)
		*nap_ms *= 2;
}

void lock_wake_slow(struct lock *lock)
{
	uint32_t left = atomic_load_explicit(&lock->wakes, memory_order_relaxed);

	if (syscall(SYS_futex, &lock->held, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0 &&
	    left > 0)
		atomic_compare_exchange_strong_explicit(&lock->wakes, &left, left - 1,
							memory_order_relaxed,
							memory_order_relaxed);
}
