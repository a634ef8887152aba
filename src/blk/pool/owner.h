/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which process may modify a pool.
 *
 * The state of an open pool (free blocks, locks) is private memory that fork() copies, so
 * two processes that both wrote would give out the same free blocks. The right to modify
 * therefore belongs to one process, named by a word in a page that all processes forked
 * since the open share. A process finds out that it may not be the owner by comparing its
 * fork generation, which a pthread_atfork() handler raises in every child, with the one in
 * which it last owned the pool: no system call as long as nobody forks.
 *
 * The owner's name is its process id and start time, so that a process that got the same
 * id later is not taken for it. A process in another pid namespace than the owner's cannot
 * tell whether it lives, and never takes over.
 */
#ifndef POOL_OWNER_H
#define POOL_OWNER_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

extern _Atomic(unsigned) pool_owner_generation;

struct pool_owner {
	void *page;		 /* shared by all processes; holds *word */
	_Atomic(uint64_t) *word; /* the owner's name; 0: nobody owns the pool */
	uint64_t self;		 /* this process's name when it opened or took over */
	uint64_t namespace_id;	 /* pid namespace of the opener */
	unsigned waited_in;	 /* generation whose patience is used up */
	_Atomic(unsigned) generation; /* in which this process became the owner */
};

/* Registers the fork handlers. Called once, by the library's constructor. */
void pool_owner_setup(void);

/* Makes the calling process the owner. -ENOMEM, message set. */
int pool_owner_init(struct pool_owner *o) MUST_CHECK;

/* Gives the right up if this process has it. Works on a zeroed struct, too. */
void pool_owner_fini(struct pool_owner *o);

/* True: the calling process certainly owns the pool. */
static inline bool pool_owner_is_self(const struct pool_owner *o)
{
	return likely(atomic_load_explicit(&o->generation, memory_order_acquire) ==
		      atomic_load_explicit(&pool_owner_generation, memory_order_relaxed));
}

/*
 * Tries to make the calling process the owner, because pool_owner_is_self() is not true.
 * -EBUSY, message set: the owner lives. 0: it is now, and has to reload what it knows
 * about the pool before it calls pool_owner_confirm(). Call both under
 * pool_owner_lock(), which is never left locked by a fork in another thread.
 */
int pool_owner_claim(struct pool_owner *o) MUST_CHECK;
void pool_owner_confirm(struct pool_owner *o);

void pool_owner_lock(void);
void pool_owner_unlock(void);

#endif
