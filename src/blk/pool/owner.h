/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which process may modify a pool.
 *
 * The state of an open pool (free blocks, locks) is private memory that fork() copies, so
 * two processes that both wrote would give out the same free blocks. The right to modify
 * therefore belongs to one process. These are the rules:
 *
 * O1 At any time at most one process has the role of the owner. The role stands in a page that
 *    the kernel clears in every child (MADV_WIPEONFORK), so nobody inherits it, not even a
 *    child made by clone(2) behind the C library's back. Comparing it costs no system call.
 * O2 A page that all processes forked since the open share holds a word that names the owner.
 *    A process becomes the owner by replacing that word in one atomic step, and only when the
 *    word says that nobody owns the pool, or when the owner is certainly gone.
 * O3 The owner is gone when the kernel has taken away the mark that it set: it has exited, was
 *    killed, or has executed another program (pool/liveness.h). The word holds the mark's
 *    number.
 * O4 Where there is no mark, or this process cannot see whether it is there, a direct child of
 *    the owner knows one thing: its parent is another process than the one that forked it. Then
 *    the owner has ended.
 * O5 Whatever cannot be judged counts as alive.
 *
 * A process sets its mark when it forks for the first time, and before that only when it takes a
 * pool over. A pool that it opens while another thread forks gets its mark at once. A program that
 * never forks pays for the two pages alone.
 *
 * A child made without the C library's fork() (by _Fork(3) or clone(2)) has run no handlers: O4 does
 * not hold, and O3 only if the owner had forked before. Otherwise it can read, and write when the
 * owner has closed the pool. A child of vfork(2) runs in its parent's memory and may call nothing here.
 * Kernels before Linux 4.14 do not clear the page; there the handler that fork() calls in the
 * child does, and neither of the other two may be used.
 */
#ifndef POOL_OWNER_H
#define POOL_OWNER_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "btt/lock.h"
#include "btt/open.h"
#include "compiler.h"
#include "pool/liveness.h"

/* What this process may do with the pool. It grows. */
enum pool_role {
	POOL_ROLE_NEW,	   /* nothing yet: it was just forked */
	POOL_ROLE_VISITOR, /* read; what the fork left half-done was mended */
	POOL_ROLE_VIEWER,  /* the same, and the table is its own view */
	POOL_ROLE_REDOER, /* the same, and it was opened since a sync of the owner failed */
	POOL_ROLE_OWNER, /* read and modify */
};

/* Shared by all processes that were forked since the open. */
struct pool_shared {
	/*
	 * Turns << 32 | owner. A turn begins when somebody becomes the owner. The owner is 0:
	 * nobody, UINT32_MAX: one without a mark, else the mark's number + 1.
	 */
	_Atomic(uint64_t) word;
	_Atomic(uint32_t) progress;    /* of the first layout: enum btt_progress */
	_Atomic(uint32_t) has_witness; /* the one that all marks are set beside */
	struct btt_version versions[]; /* of the table, see btt_params */
};

/* One page of this process alone; all zero in a child. */
struct pool_local {
	_Atomic(uint32_t) role; /* enum pool_role; release after what it stands for */
	bool is_in_use;	 /* set when it is made; true in a new child: nobody cleared it */
	bool has_waited; /* for a parent that is about to exit */
	struct lock lock; /* see pool_owner_lock() */
	struct liveness_mark mark;
	uint64_t word;	      /* by which this process became the owner; 0: it did not */
	pid_t parent;	      /* that forked this process as the owner, or 0 */
	uint64_t parent_word; /* the word at that time */
};

struct pool_owner {
	struct pool_shared *shared;
	size_t shared_size; /* bytes */
	struct pool_local *local;
	struct liveness_witness witness;
	_Atomic(void *) half_mark; /* one that is being set, see pool/liveness.h */
	/*
	 * For children of this process, if it is the owner: by which word, and who it is. Under the
	 * list's lock, in this order. owner 0: it is not.
	 */
	uint64_t word;
	_Atomic(pid_t) owner;
	_Atomic(struct pool_owner *) next; /* in the list of all, for the fork handlers */
};

/* Registers the fork handlers. Called once, by pool_setup(). */
void pool_owner_setup(void);

/* Makes the calling process the owner of a pool with so many versions. -ENOMEM, message set. */
int pool_owner_init(struct pool_owner *o, size_t nversion) MUST_CHECK;

/* Gives the right up if this process has it. Works on a zeroed struct, too. */
void pool_owner_fini(struct pool_owner *o);

static inline enum pool_role pool_owner_role(const struct pool_owner *o)
{
	return (enum pool_role)atomic_load_explicit(&o->local->role,
						    memory_order_acquire);
}

/* Takes a role that is not the owner's; under pool_owner_lock(). */
static inline void pool_owner_set_role(struct pool_owner *o, enum pool_role role)
{
	atomic_store_explicit(&o->local->role, role, memory_order_release);
}

static inline bool pool_owner_is_self(const struct pool_owner *o)
{
	return likely(pool_owner_role(o) == POOL_ROLE_OWNER);
}

/*
 * Tries to make the calling process the owner, because pool_owner_is_self() is not true.
 * -EBUSY, message set: the owner lives. 0: nobody else can become the owner now; the process
 * has to reload what it knows about the pool before it calls pool_owner_confirm(), which gives
 * it the role. Call both under pool_owner_lock().
 */
int pool_owner_claim(struct pool_owner *o) MUST_CHECK;
void pool_owner_confirm(struct pool_owner *o);

/*
 * For changes of role among the threads of this process. A fork does not wait for it: in a
 * child it is free, and whatever it guards is replaced there by single stores.
 */
static inline void pool_owner_lock(struct pool_owner *o)
{
	lock_acquire(&o->local->lock);
}

static inline void pool_owner_unlock(struct pool_owner *o)
{
	lock_release(&o->local->lock);
}

#endif
