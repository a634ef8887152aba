/* SPDX-License-Identifier: BSD-3-Clause */
#include "pool/owner.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fork_memory.h"
#include "base/handler_lock.h"
#include "edge.h"
#include "errormsg.h"

#define NOBODY 0u
#define UNMARKED UINT32_MAX

/* So long a child waits for its parent's exit before it fails with EBUSY. */
#define PARENT_TIMEOUT_MS 100

static void mend(void);

/*
 * The list of all pools of this process. Each change of it is one store. The lock is held for a
 * few instructions, or while a mark is set.
 */
static struct handler_lock list_lock = {.lock.mend = mend};
static _Atomic(struct pool_owner *) list;
static unsigned nforks; /* threads that are between the two handlers */

_Static_assert(sizeof(struct pool_local) <= FORK_MEMORY_CLEARED, "it needs more memory");

static uint64_t next_turn(uint64_t word, uint32_t owner)
{
	return ((word >> 32) + 1) << 32 | owner;
}

static bool is_same_turn(uint64_t a, uint64_t b)
{
	return a >> 32 == b >> 32;
}

/* Sets a mark if that is possible. Returns the owner for the word. */
static uint32_t set_mark_locked(struct pool_owner *o)
{
	struct pool_local *l = o->local;

	if (!l->mark.at && !liveness_set_mark(&o->witness, &l->mark, &o->half_mark))
		return UNMARKED;
	return (uint32_t)l->mark.id + 1;
}

/*
 * All processes that share a word have at most one witness. If there were two of them in
 * different namespaces, a process might search for a mark in the wrong one.
 */
static void make_witness(struct pool_owner *o)
{
	uint32_t no = 0;

	if (o->witness.content ||
	    !atomic_compare_exchange_strong(&o->shared->has_witness, &no, 1))
		return;
	if (!liveness_begin(&o->witness))
		atomic_store(&o->shared->has_witness, 0);
}

/* --- around a fork ------------------------------------------------------------------- */

/* Sets a mark, so that children can find out whether this process, the owner, is alive. */
static void mark_locked(struct pool_owner *o)
{
	struct pool_local *l = o->local;

	if (l->mark.at)
		return;
	make_witness(o);
	l->word = l->word >> 32 << 32 | set_mark_locked(o);
	o->word = l->word;
	atomic_store_explicit(&o->shared->word, l->word, memory_order_release);
}

static void note_owner_locked(struct pool_owner *o)
{
	o->word = o->local->word;
	atomic_store_explicit(&o->owner, getpid(), memory_order_release);
}

static void prepare_owner_locked(struct pool_owner *o)
{
	if (pool_owner_is_self(o))
		mark_locked(o);
	else if (o->local->word == 0) /* clone(2) made this process: no handler has run */
		atomic_store_explicit(&o->owner, 0, memory_order_relaxed);
}

static struct pool_owner *next_of(const struct pool_owner *o)
{
	return atomic_load_explicit(&o->next, memory_order_relaxed);
}

static struct pool_owner *first(void)
{
	return atomic_load_explicit(&list, memory_order_relaxed);
}

/*
 * fork(2) is no cancellation point, but calls in its handlers are: the thread would leave the lock
 * behind.
 */
static void prepare(void)
{
	struct edge edge = edge_enter(true);

	handler_lock_acquire(&list_lock);
	nforks++;
	for (struct pool_owner *o = first(); o; o = next_of(o))
		prepare_owner_locked(o);
	handler_lock_release(&list_lock);
	edge_leave(edge, 0);
}

static void in_parent(void)
{
	handler_lock_acquire(&list_lock);
	/* 0: a handler of the program has forked, and this is the child */
	if (nforks > 0)
		nforks--;
	handler_lock_release(&list_lock);
}

/* Runs in a new process, and also when the library is loaded, with an empty list. */
static void mend(void)
{
	int before = errno;

	nforks = 0;
	for (struct pool_owner *o = first(); o; o = next_of(o)) {
		liveness_drop_half(&o->half_mark);
		/*
		 * An old kernel has not cleared the page. If the kernel has cleared it, handlers
		 * of the program may have used the pool since then, and their changes stay.
		 */
		if (o->local->is_in_use)
			memset(o->local, 0, sizeof(*o->local));
		o->local->is_in_use = true;
	}
	errno = before;
}

static void in_child(void)
{
	handler_lock_acquire(&list_lock);
	for (struct pool_owner *o = first(); o; o = next_of(o)) {
		struct pool_local *l = o->local;
		pid_t parent = atomic_load_explicit(&o->owner, memory_order_relaxed);

		if (l->word != 0)
			continue; /* a handler of the program has made this process the owner */
		l->parent = parent;
		l->parent_word = o->word;
		atomic_store_explicit(&o->owner, 0, memory_order_relaxed);
	}
	handler_lock_release(&list_lock);
}

void pool_owner_setup(void)
{
	fork_lock_setup(&list_lock.lock);
	pthread_atfork(prepare, in_parent, in_child);
}

/* ------------------------------------------------------------------------------------- */

static void free_all(struct pool_owner *o)
{
	fork_memory_unshare(o->shared, sizeof(*o->shared));
	fork_memory_unshare(o->versions, o->nversion * sizeof(*o->versions));
	fork_memory_unclear(o->local);
	o->shared = NULL;
	o->versions = NULL;
	o->local = NULL;
}

int pool_owner_init(struct pool_owner *o, size_t nversion)
{
	o->nversion = nversion;
	o->shared = fork_memory_share(sizeof(*o->shared));
	/* not in one piece: nobody touches these until a block is read or written */
	if (o->shared)
		o->versions = fork_memory_share(nversion * sizeof(*o->versions));
	if (o->versions)
		o->local = fork_memory_clear();
	if (!o->local) {
		int err = errno;

		free_all(o);
		return errormsg_fail_sys(err, "cannot map a page to share with children");
	}
	o->local->is_in_use = true;
	o->local->word = next_turn(0, UNMARKED);
	atomic_store_explicit(&o->shared->word, o->local->word, memory_order_release);
	pool_owner_confirm(o);
	handler_lock_acquire(&list_lock);
	note_owner_locked(o);
	if (nforks > 0)
		mark_locked(o);
	atomic_store_explicit(&o->next, first(), memory_order_relaxed);
	atomic_store_explicit(&list, o, memory_order_release);
	handler_lock_release(&list_lock);
	return 0;
}

static void unlink_locked(struct pool_owner *o)
{
	_Atomic(struct pool_owner *) *link = &list;

	for (struct pool_owner *at = first(); at && at != o; at = next_of(at))
		link = &at->next;
	if (atomic_load_explicit(link, memory_order_relaxed) == o)
		atomic_store_explicit(link, next_of(o), memory_order_release);
}

void pool_owner_fini(struct pool_owner *o)
{
	struct pool_local *l = o->local;

	if (!l)
		return;
	handler_lock_acquire(&list_lock);
	unlink_locked(o);
	handler_lock_release(&list_lock);
	if (l->word)
		atomic_store_explicit(&o->shared->word, next_turn(l->word, NOBODY),
				      memory_order_release);
	liveness_drop_mark(&l->mark);
	liveness_end(&o->witness);
	free_all(o);
}

/* O4. getppid() returns 0 for a parent outside of the pid namespace of this process. */
static bool has_lost_parent(const struct pool_local *l)
{
	pid_t parent = getppid();

	return parent != 0 && parent != l->parent;
}

static bool is_child_of(const struct pool_local *l, uint64_t word)
{
	return l->parent != 0 && is_same_turn(l->parent_word, word);
}

static bool is_gone(const struct pool_owner *o, uint64_t word)
{
	uint32_t owner = (uint32_t)word;
	enum liveness judgement = LIVENESS_UNKNOWN;

	if (owner == NOBODY)
		return true;
	if (owner != UNMARKED)
		judgement = liveness_judge(&o->witness, (int)(owner - 1));
	if (judgement == LIVENESS_UNKNOWN && is_child_of(o->local, word) &&
	    has_lost_parent(o->local))
		return true;
	return judgement == LIVENESS_GONE;
}

bool pool_owner_is_gone(const struct pool_owner *o)
{
	return is_gone(o, atomic_load_explicit(&o->shared->word, memory_order_acquire));
}

/*
 * A program may open its pool and then become a daemon. Its child writes while the parent may
 * still be exiting. So a child waits a moment for its parent, once.
 */
static void wait_for_parent(struct pool_owner *o, uint64_t word)
{
	static const struct timespec moment = {.tv_nsec = 1000000};
	struct pool_local *l = o->local;

	if (l->has_waited || !is_child_of(l, word))
		return;
	l->has_waited = true;
	for (int i = 0; i < PARENT_TIMEOUT_MS && !is_gone(o, word); i++)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
}

int pool_owner_claim(struct pool_owner *o)
{
	struct pool_local *l = o->local;
	uint64_t word = atomic_load_explicit(&o->shared->word, memory_order_acquire);

	for (;;) {
		uint64_t mine;

		if (l->word && is_same_turn(word, l->word))
			return 0; /* it was claimed before, and the reload has failed */
		if (!is_gone(o, word)) {
			wait_for_parent(o, word);
			if (!is_gone(o, word))
				return errormsg_fail(
				    EBUSY,
				    "the pool belongs to another process, which is "
				    "still running");
		}
		handler_lock_acquire(&list_lock);
		mine = next_turn(word, set_mark_locked(o));
		handler_lock_release(&list_lock);
		if (atomic_compare_exchange_strong_explicit(&o->shared->word, &word, mine,
							    memory_order_acq_rel,
							    memory_order_acquire)) {
			handler_lock_acquire(&list_lock);
			l->word = mine;
			note_owner_locked(o);
			handler_lock_release(&list_lock);
			return 0;
		}
	}
}

void pool_owner_confirm(struct pool_owner *o)
{
	/* Pairs with pool_owner_role(): who sees the role also sees what was reloaded. */
	pool_owner_set_role(o, POOL_ROLE_OWNER);
}
