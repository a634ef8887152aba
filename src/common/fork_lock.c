/* SPDX-License-Identifier: BSD-3-Clause */
#include "fork_lock.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compiler.h"
#include "kernel.h"
#include "unload.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

#define MAX_LOCKS 8u

/* All zero in a new process. */
struct word {
	_Atomic(uint32_t) held; /* 0: free, 1: held, 2: held, and somebody may wait */
	bool is_mended;		/* under the lock: its first holder has called mend() */
};

/* Used instead of the page if there is none, and by locks before fork_lock_setup(). */
static struct word spare[MAX_LOCKS];

static _Atomic(struct word *) words = spare; /* release and acquire */
static unsigned nlocks;			     /* locks that were set up */
static atomic_bool is_watching;		     /* unload_watch_exit() was called; relaxed */

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* Clears the page if the kernel does not. */
static void clear(void)
{
	memset(atomic_load_explicit(&words, memory_order_relaxed), 0, sizeof(spare));
}

static void load(void)
{
	void *page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page != MAP_FAILED)
		atomic_store_explicit(&words, page, memory_order_release);
	if (page == MAP_FAILED || madvise(page, page_size(), MADV_WIPEONFORK) != 0)
		pthread_atfork(NULL, NULL, clear);
}

__attribute__((destructor(101))) static void unload(void)
{
	struct word *page;

	if (unload_is_exit())
		return;
	page = atomic_exchange_explicit(&words, spare, memory_order_acq_rel);
	if (page != spare)
		munmap(page, page_size());
}

void fork_lock_setup(struct fork_lock *l)
{
	if (nlocks == 0)
		load();
	if (l->number == 0 && nlocks + 1 < MAX_LOCKS)
		l->number = ++nlocks;
}

static struct word *word_of(const struct fork_lock *l)
{
	return &atomic_load_explicit(&words, memory_order_acquire)[l->number];
}

/* Keeps errno: handlers take locks, too, and their caller does not restore errno. */
static void wait(struct word *w)
{
	int before = errno;

	/* the caller tries again after any return: woken, changed before, interrupted */
	if (syscall(SYS_futex, &w->held, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0) != 0)
		sched_yield();
	errno = before;
}

static void take(struct word *w)
{
	uint32_t held = 0;

	if (likely(atomic_compare_exchange_strong_explicit(
		&w->held, &held, 1, memory_order_acquire, memory_order_relaxed)))
		return;
	while (atomic_exchange_explicit(&w->held, 2, memory_order_acquire) != 0)
		wait(w);
}

void fork_lock_acquire(struct fork_lock *l)
{
	struct word *w = word_of(l);

	take(w);
	if (likely(w->is_mended))
		return;
	w->is_mended = true;
	/*
	 * a child does not call this: it may have a copy of a lock of the C library that is held
	 */
	if (!atomic_exchange_explicit(&is_watching, true, memory_order_relaxed))
		unload_watch_exit();
	l->mend();
}

void fork_lock_release(struct fork_lock *l)
{
	struct word *w = word_of(l);

	if (atomic_exchange_explicit(&w->held, 0, memory_order_release) == 2)
		syscall(SYS_futex, &w->held, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
