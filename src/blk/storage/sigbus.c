/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The handler (storage/sigbus_action.c) runs in the thread that made the access, so the state of a
 * call is kept in the thread's own memory. What is here of the handler uses only mmap(2),
 * mremap(2), munmap(2), memset, atomics and pthread_getspecific(3), which only loads here.
 *
 * The original mapping of a lost page cannot be restored, because no descriptor is open. Instead
 * a page behind the end of an empty file is mapped there: each access raises SIGBUS, as before.
 *
 * A "page" is as large as the pages of the mapping (sigbus_watch()). The kernel refuses to replace
 * a part of a huge page.
 */
#include "storage/sigbus.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "errormsg.h"
#include "fork_lock.h"
#include "storage/sigbus_action.h"
#include "thread_memory.h"
#include "unload.h"

#define MAX_WATCHED 256

/* The wait for another thread's replacement: how often to yield, then how long each sleep is. */
#define YIELDS 64
#define NAP_NS 1000000L

/* The handler reads it without a lock: end is 0 while the slot is free or being changed. */
static struct {
	_Atomic(uintptr_t) base;
	_Atomic(uintptr_t) end;
	_Atomic(uint64_t) serial; /* of the watch; 0 in a free slot */
} watched[MAX_WATCHED];

static void mend(void);

/* guards the variables below, and sigbus_action.c */
static struct fork_lock lock = {.mend = mend};
static unsigned nwatched;
static uint64_t last_serial; /* of the watches */

/* The state of one thread between sigbus_enter() and sigbus_leave(). */
struct call {
	/*
	 * NULL outside of a call. A handler of the program may leave the call by siglongjmp();
	 * then this is never cleared. The watch may be gone, and another one may be in its place.
	 */
	struct sigbus_watch *entered;
	unsigned slot;	 /* of entered */
	uint64_t serial; /* likewise */
	uint64_t epoch;	 /* at sigbus_enter() */
	/* the pages that this thread has replaced: one bit for each of entered->replaced */
	uint64_t mine;
};

_Static_assert(sizeof(struct call) <= THREAD_MEMORY_SPARE, "it needs more memory");
_Static_assert(SIGBUS_PAGES <= 64, "mine has no more bits");

static struct thread_memory calls = {.size = THREAD_MEMORY_SPARE};

/* NULL outside of a call. */
static struct call *current(void)
{
	struct call *c = thread_memory_find(&calls);

	return c && c->entered ? c : NULL;
}

/* Whether the watch that the thread has entered still exists. */
static bool is_there(const struct call *c)
{
	return c->slot != 0 && atomic_load_explicit(&watched[c->slot - 1].serial,
						    memory_order_acquire) == c->serial;
}

static bool is_watched(const struct call *c, uintptr_t addr)
{
	unsigned i = c->slot - 1;

	return is_there(c) &&
	       addr < atomic_load_explicit(&watched[i].end, memory_order_acquire) &&
	       addr >= atomic_load_explicit(&watched[i].base, memory_order_relaxed);
}

/*
 * Records a page for sigbus_leave(). False if there is no room. The page may be recorded already,
 * if another thread has removed its replacement.
 */
static bool note_page(struct call *c, uintptr_t page)
{
	struct sigbus_watch *w = c->entered;

	for (unsigned i = 0; i < SIGBUS_PAGES; i++)
		if (c->mine >> i & 1 &&
		    atomic_load_explicit(&w->replaced[i], memory_order_relaxed) == page)
			return true;
	for (unsigned i = 0; i < SIGBUS_PAGES; i++) {
		uintptr_t none = 0;

		if (atomic_compare_exchange_strong_explicit(&w->replaced[i], &none, page,
							    memory_order_acq_rel,
							    memory_order_relaxed)) {
			c->mine |= UINT64_C(1) << i;
			return true;
		}
	}
	return false;
}

/*
 * Fills the replacement before it puts it in place. Otherwise another thread could remove it
 * before it is filled, and the access from here, where SIGBUS is blocked, would end the process.
 */
static bool replace(struct call *c, uintptr_t addr)
{
	struct sigbus_watch *w = c->entered;
	void *page = (void *)(addr & ~(uintptr_t)(w->unit - 1));
	void *fresh = mmap(NULL, w->unit, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool is_first;

	if (fresh == MAP_FAILED)
		return false;
	/* These bytes are no valid map entry, sequence number or checksum of a pool. */
	memset(fresh, 0xff, w->unit);
	is_first = c->mine == 0;
	if (!note_page(c, (uintptr_t)page))
		atomic_store_explicit(&w->all_lost, true, memory_order_seq_cst);
	else if (is_first)
		atomic_fetch_add_explicit(&w->open, 1, memory_order_seq_cst);
	/* Raised before another thread can see the replacement. */
	atomic_fetch_add_explicit(&w->epoch, 1, memory_order_seq_cst);
	if (mremap(fresh, w->unit, w->unit, MREMAP_MAYMOVE | MREMAP_FIXED, page) !=
	    MAP_FAILED)
		return true;
	munmap(fresh, w->unit);
	return false;
}

/* Called by the handler of SIGBUS. */
static bool serve(const siginfo_t *info)
{
	struct call *c = current();
	uintptr_t addr = (uintptr_t)info->si_addr;

	return c && info->si_code > 0 && is_watched(c, addr) && replace(c, addr);
}

static int install_locked(void)
{
	if (!calls.has_key && thread_memory_load(&calls) < 0)
		return errormsg_fail_sys(ENOMEM, "cannot handle SIGBUS");
	return sigbus_action_install();
}

/* In a new process, which another thread may have been watching or unwatching in. */
static void mend(void)
{
	nwatched = 0;
	for (unsigned i = 0; i < MAX_WATCHED; i++)
		if (atomic_load_explicit(&watched[i].end, memory_order_relaxed) != 0)
			nwatched++;
	sigbus_action_mend(nwatched != 0);
}

void sigbus_setup(void)
{
	sigbus_action_setup(serve);
	fork_lock_setup(&lock);
}

int sigbus_watch(struct sigbus_watch *w, void *base, uint64_t size, size_t unit)
{
	int ret;

	w->unit = unit;
	fork_lock_acquire(&lock);
	ret = install_locked();
	if (ret < 0) {
		fork_lock_release(&lock);
		return ret;
	}
	for (unsigned i = 0; i < MAX_WATCHED && w->slot == 0; i++)
		if (atomic_load_explicit(&watched[i].end, memory_order_relaxed) == 0) {
			atomic_store_explicit(&watched[i].base, (uintptr_t)base,
					      memory_order_relaxed);
			w->serial = ++last_serial;
			atomic_store_explicit(&watched[i].serial, w->serial,
					      memory_order_relaxed);
			atomic_store_explicit(&watched[i].end,
					      (uintptr_t)base + (uintptr_t)size,
					      memory_order_release);
			w->slot = i + 1;
			nwatched++;
		}
	fork_lock_release(&lock);
	if (w->slot == 0)
		return errormsg_fail(
		    ENOMEM,
		    "no more than %d pools can survive media errors at a "
		    "time (sigbus.catch)",
		    MAX_WATCHED);
	return 0;
}

void sigbus_unwatch(struct sigbus_watch *w)
{
	if (w->slot == 0)
		return;
	fork_lock_acquire(&lock);
	atomic_store_explicit(&watched[w->slot - 1].serial, 0, memory_order_relaxed);
	atomic_store_explicit(&watched[w->slot - 1].end, 0, memory_order_release);
	w->slot = 0;
	if (--nwatched == 0)
		sigbus_action_remove();
	fork_lock_release(&lock);
}

/* Makes accesses to the replaced pages of the set raise SIGBUS again. */
static void take_away(struct sigbus_watch *w, uint64_t set)
{
	int fd = memfd_create("lost", MFD_CLOEXEC);
	bool good = fd >= 0;

	for (unsigned i = 0; i < SIGBUS_PAGES; i++) {
		uintptr_t page =
		    atomic_load_explicit(&w->replaced[i], memory_order_acquire);

		if (page == 0 || !(set >> i & 1))
			continue;
		good = good && mmap((void *)page, w->unit, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED;
		if (!good)
			atomic_store_explicit(&w->all_lost, true, memory_order_seq_cst);
		atomic_store_explicit(&w->replaced[i], 0, memory_order_release);
	}
	if (fd >= 0)
		close(fd);
}

bool sigbus_leave(struct sigbus_watch *w)
{
	struct call *c = thread_memory_find(&calls);

	atomic_signal_fence(memory_order_seq_cst);
	if (c)
		c->entered = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	if (likely(!c || c->mine == 0))
		return atomic_load_explicit(&w->all_lost, memory_order_acquire);
	take_away(w, c->mine);
	atomic_fetch_sub_explicit(&w->open, 1, memory_order_seq_cst);
	return true;
}

/* Ends a call that the thread has left by a jump: all would wait for its replacements. */
static void end_abandoned(struct call *c)
{
	if (unlikely(c->entered) && is_there(c))
		sigbus_leave(c->entered);
}

void sigbus_enter(struct sigbus_watch *w)
{
	size_t size;
	struct call *c = thread_memory_get(&calls, &size);

	if (!c)
		return;
	end_abandoned(c);
	c->mine = 0;
	c->epoch = sigbus_epoch(w);
	c->slot = w->slot;
	c->serial = w->serial;
	atomic_signal_fence(memory_order_seq_cst);
	c->entered = w;
	atomic_signal_fence(memory_order_seq_cst);
}

/* Each recorded page is a lost one, whether it is replaced now, was, or was about to be. */
void sigbus_forked(struct sigbus_watch *w)
{
	struct call *c = current();

	fork_lock_acquire(&lock); /* mends */
	fork_lock_release(&lock);
	if (c && c->entered == w)
		c->entered = NULL; /* it left the call by a jump before the fork */
	take_away(w, UINT64_MAX);
	atomic_store_explicit(&w->open, 0, memory_order_seq_cst);
}

/* Usually the wait takes microseconds, but the other thread may have been stopped. */
static void wait_a_little(unsigned round)
{
	static const struct timespec nap = {.tv_nsec = NAP_NS};

	if (round < YIELDS)
		sched_yield();
	else
		clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL); /* does not set errno */
}

uint64_t sigbus_epoch(struct sigbus_watch *w)
{
	uint64_t epoch;

	/* The order matters: a replacement in between raises the epoch. */
	for (unsigned round = 0;; round += round < YIELDS) {
		epoch = atomic_load_explicit(&w->epoch, memory_order_seq_cst);
		if (likely(atomic_load_explicit(&w->open, memory_order_seq_cst) == 0))
			return epoch;
		if (round == 0 && current())
			end_abandoned(current());
		wait_a_little(round);
	}
}

bool sigbus_changed(struct sigbus_watch *w, uint64_t since)
{
	/* A read-modify-write, so that earlier loads are ordered before it. */
	return atomic_fetch_add_explicit(&w->epoch, 0, memory_order_acq_rel) != since;
}

bool sigbus_is_hit(struct sigbus_watch *w)
{
	const struct call *c = current();

	if (!c || c->entered != w)
		return false;
	atomic_thread_fence(memory_order_seq_cst);
	return sigbus_changed(w, c->epoch);
}

/*
 * A pool that was not closed must not leave a handler behind whose code is unmapped. The program may
 * also have put it back after the last close.
 */
__attribute__((destructor)) static void unload(void)
{
	if (!unload_is_exit())
		sigbus_action_remove();
	thread_memory_unload(&calls);
}
