/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which process may modify a pool.
 *
 * The state of an open pool (free blocks, locks) is private memory, which fork() copies. If both
 * processes wrote, they would give out the same free blocks. So only one process has the right to
 * modify the pool. These are the rules:
 *
 * O1 At any time at most one process has the role of the owner. The role is stored in memory that
 *    the kernel clears in every child (base/fork_memory.h). So no child inherits it, not even one
 *    that was made by clone(2) without the C library. A check of the role costs no system call.
 * O2 All processes that were forked since the open share a word that names the owner. A process
 *    becomes the owner when it replaces this word in one atomic step. It may do so only if the word
 *    says that nobody owns the pool, or if the owner is certainly gone.
 * O3 The owner is gone if the kernel has removed the mark that it has set: it has exited, was
 *    killed, or has executed another program (pool/liveness.h). The word holds the mark's number.
 * O4 If there is no mark, or if this process cannot find out whether it is there, a direct child
 *    of the owner can still look at its parent. If that is another process than the one that
 *    forked it, the owner has ended.
 * O5 In all other cases the owner counts as alive.
 *
 * A process sets a mark when it forks for the first time, when it takes a pool over, and when it
 * opens a pool while another thread forks. A program that never forks has almost no cost.
 *
 * A child that was not made by the C library's fork(), but by _Fork(3) or clone(2), has run no
 * handlers. O4 does not hold for it, and O3 only if the owner had forked before. Otherwise it can
 * read, and it can write after the owner has closed the pool. A child of vfork(2) runs in its
 * parent's memory and must not call anything here.
 *
 * Kernels before Linux 4.14 do not clear it. There the handler that fork() calls in the
 * child clears it, and programs must not use _Fork(3) and clone(2).
 */
#ifndef POOL_OWNER_H
#define POOL_OWNER_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "btt/fast.h"
#include "btt/lock.h"
#include "btt/open.h"
#include "compiler.h"
#include "pool/liveness.h"

/* What this process may do with the pool. It only increases. */
enum pool_role {
	POOL_ROLE_NEW,	   /* nothing yet: the process was just forked */
	POOL_ROLE_VISITOR, /* read: what the fork has interrupted was put in order */
	POOL_ROLE_VIEWER,  /* read, through a table of its own, the view */
	POOL_ROLE_REDOER, /* the same, and the view was opened after a sync of the owner failed */
	POOL_ROLE_OWNER, /* read and modify */
};

/* Shared by all processes that were forked since the open. */
struct pool_shared {
	/*
	 * Turns << 32 | owner. A turn begins when a process becomes the owner. owner is 0 for
	 * nobody, UINT32_MAX for a process without a mark, else the mark's number + 1.
	 */
	_Atomic(uint64_t) word;
	_Atomic(uint32_t) progress;    /* of the first layout: enum btt_progress */
	_Atomic(uint32_t) has_witness; /* there is a witness, the same for all marks */
};

/* Private to the process; all zero in a new child. */
struct pool_local {
	/* enum pool_role; release after all that the role needs */
	_Atomic(uint32_t) role;
	/* if it is true in a new child, the kernel has not cleared the page */
	bool is_in_use;
	bool has_waited;  /* for a parent that is about to exit */
	struct lock lock; /* see pool_owner_lock() */
	struct liveness_mark mark;
	uint64_t word;	      /* the word that made this process the owner; 0: none */
	pid_t parent;	      /* the owner that has forked this process, or 0 */
	uint64_t parent_word; /* the word at that time */
	struct btt_fast fast; /* of the owner's table; so only the owner reads this way */
};

struct pool_owner {
	struct pool_shared *shared;
	struct btt_version *versions; /* of the table, see btt_params; shared, too */
	size_t nversion;
	struct pool_local *local;
	struct liveness_witness witness;
	_Atomic(void *) half_mark; /* the mark that is being set, see pool/liveness.h */
	/*
	 * For children of this process, if it is the owner: its word and its process id, stored
	 * in this order under the list's lock. owner 0: it is not the owner.
	 */
	uint64_t word;
	_Atomic(pid_t) owner;
	_Atomic(struct pool_owner *) next; /* in the list of all, for the fork handlers */
};

/* Registers the fork handlers. Called once, by pool_setup(). */
void pool_owner_setup(void);

/* Makes the calling process the owner of a pool with so many versions. -ENOMEM, message set. */
int pool_owner_init(struct pool_owner *o, size_t nversion) MUST_CHECK;

/* Gives up the right to modify, if this process has it. Works on a zeroed struct, too. */
void pool_owner_fini(struct pool_owner *o);

static inline enum pool_role pool_owner_role(const struct pool_owner *o)
{
	return (enum pool_role)atomic_load_explicit(&o->local->role,
						    memory_order_acquire);
}

/* Takes another role than the owner's. The caller holds pool_owner_lock(). */
static inline void pool_owner_set_role(struct pool_owner *o, enum pool_role role)
{
	atomic_store_explicit(&o->local->role, role, memory_order_release);
}

static inline bool pool_owner_is_self(const struct pool_owner *o)
{
	return likely(pool_owner_role(o) == POOL_ROLE_OWNER);
}

/* Whether the owner is certainly gone, so that the calling process could become the owner. */
bool pool_owner_is_gone(const struct pool_owner *o);

/*
 * Tries to make the calling process the owner, if pool_owner_is_self() is not true. -EBUSY,
 * message set: the owner is alive. 0: no other process can become the owner now. The process has
 * to reload what it knows about the pool, and then calls pool_owner_confirm(), which gives it the
 * role. The caller holds pool_owner_lock() during all of this.
 */
int pool_owner_claim(struct pool_owner *o) MUST_CHECK;
void pool_owner_confirm(struct pool_owner *o);

/*
 * The lock for changes of the role among the threads of this process. A fork does not wait for
 * it: it is free in a child, and the child replaces what it guards by single stores.
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
