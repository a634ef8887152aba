/* SPDX-License-Identifier: BSD-3-Clause */
#include "pool/owner.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "errormsg.h"
#include "fork_lock.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

#define NOBODY 0u
#define UNMARKED UINT32_MAX

/* A parent that is about to exit after its fork gets this long before EBUSY. */
#define PARENT_TIMEOUT_MS 100

/*
 * All pools of this process that have an owner. Held for a few instructions, and by the
 * handlers across a fork.
 */
static struct fork_lock list_lock = FORK_LOCK_INIT;
static struct pool_owner *list;

static uint64_t next_turn(uint64_t word, uint32_t owner)
{
	return ((word >> 32) + 1) << 32 | owner;
}

static bool is_same_turn(uint64_t a, uint64_t b)
{
	return a >> 32 == b >> 32;
}

/*
 * Sets a mark if that is possible; what stands for it in the word. A child that another thread
 * forks meanwhile would inherit the mark, and keep it: the list's lock holds that up.
 */
static uint32_t set_mark_locked(struct pool_owner *o)
{
	struct pool_local *l = o->local;

	if (!l->mark.at && !liveness_set_mark(&o->witness, &l->mark))
		return UNMARKED;
	return (uint32_t)l->mark.id + 1;
}

/*
 * There is at most one witness for all processes that share a word: with two, in different
 * namespaces, a mark beside the one would be looked for beside the other.
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

/* Children will want to know whether this process, the owner, is alive. */
static void prepare_owner(struct pool_owner *o)
{
	struct pool_local *l = o->local;

	o->forker = 0;
	l->is_copied = true;
	if (!pool_owner_is_self(o))
		return;
	if (!l->mark.at) {
		make_witness(o);
		l->word = l->word >> 32 << 32 | set_mark_locked(o);
		atomic_store_explicit(&o->shared->word, l->word, memory_order_release);
	}
	o->forker = getpid();
	o->forker_word = l->word;
}

static void prepare(void)
{
	int before = errno;

	fork_lock_before(&list_lock);
	for (struct pool_owner *o = list; o; o = o->next)
		prepare_owner(o);
	errno = before;
}

static void in_parent(void)
{
	fork_lock_after(&list_lock);
}

static void in_child(void)
{
	for (struct pool_owner *o = list; o; o = o->next) {
		/*
		 * A kernel that is too old has not done it. Where it has, handlers of the
		 * program may have used the pool by now, and what they did stays.
		 */
		if (o->local->is_copied)
			memset(o->local, 0, sizeof(*o->local));
		o->local->parent = o->forker;
		o->local->parent_word = o->forker_word;
	}
	fork_lock_after(&list_lock);
}

void pool_owner_setup(void)
{
	pthread_atfork(prepare, in_parent, in_child);
}

/* ------------------------------------------------------------------------------------- */

static void *map_page(int flags)
{
	void *page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
			  flags | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? NULL : page;
}

static void unmap_page(void *page)
{
	if (page)
		munmap(page, (size_t)sysconf(_SC_PAGESIZE));
}

static void unmap_pages(struct pool_owner *o)
{
	unmap_page(o->shared);
	unmap_page(o->local);
	o->shared = NULL;
	o->local = NULL;
}

int pool_owner_init(struct pool_owner *o)
{
	o->shared = map_page(MAP_SHARED);
	o->local = map_page(MAP_PRIVATE);
	if (!o->shared || !o->local) {
		int err = errno;

		unmap_pages(o);
		return errormsg_fail_sys(err, "cannot map a page to share with children");
	}
	madvise(o->local, (size_t)sysconf(_SC_PAGESIZE), MADV_WIPEONFORK);
	o->local->word = next_turn(0, UNMARKED);
	atomic_store_explicit(&o->shared->word, o->local->word, memory_order_release);
	pool_owner_confirm(o);
	fork_lock_acquire(&list_lock);
	o->next = list;
	o->link = &list;
	if (list)
		list->link = &o->next;
	list = o;
	fork_lock_release(&list_lock);
	return 0;
}

void pool_owner_fini(struct pool_owner *o)
{
	struct pool_local *l = o->local;

	if (!l)
		return;
	fork_lock_acquire(&list_lock);
	*o->link = o->next;
	if (o->next)
		o->next->link = o->link;
	fork_lock_release(&list_lock);
	if (l->word)
		atomic_store_explicit(&o->shared->word, next_turn(l->word, NOBODY),
				      memory_order_release);
	liveness_drop_mark(&l->mark);
	liveness_end(&o->witness);
	unmap_pages(o);
}

/* O4. A parent that this process's pid namespace does not contain is 0. */
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

/*
 * A program that opens its pool and then becomes a daemon writes from the child while the
 * parent may still be exiting; it gets a moment for that, once in each process.
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
			return 0; /* claimed before, and reloading failed */
		if (!is_gone(o, word)) {
			wait_for_parent(o, word);
			if (!is_gone(o, word))
				return errormsg_fail(
				    EBUSY,
				    "the pool belongs to another process, which is "
				    "still running");
		}
		fork_lock_acquire(&list_lock);
		mine = next_turn(word, set_mark_locked(o));
		fork_lock_release(&list_lock);
		if (atomic_compare_exchange_strong_explicit(&o->shared->word, &word, mine,
							    memory_order_acq_rel,
							    memory_order_acquire)) {
			l->word = mine;
			return 0;
		}
	}
}

void pool_owner_confirm(struct pool_owner *o)
{
	/* Pairs with pool_owner_role(): what was reloaded is seen with it. */
	pool_owner_set_role(o, POOL_ROLE_OWNER);
}
