/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Locks that are free in every child process.
 *
 * A child of fork(2) has a copy of each lock, and no thread that would release what others held.
 * Handlers could hold all locks across the fork. But handlers of the program run meanwhile
 * (pthread_atfork(3) gives the order). They may wait for a lock of the program, which another
 * thread holds while it waits for ours. So nothing is held across a fork:
 *
 * - The state of these locks stands in a page that the kernel clears in each child, however the
 *   child is made.
 * - What a lock guards may be copied in the middle of a change. It is changed in such steps that
 *   any copy can be put in order. The first who takes the lock in a process does that (mend),
 *   before anything else. The copy is as if the other threads had stopped between two of their
 *   stores.
 *
 * Kernels before Linux 4.14 do not clear the page; there a handler in the child does.
 */
#ifndef FORK_LOCK_H
#define FORK_LOCK_H 1

struct fork_lock {
	/* Puts a copy in order, with the lock held; changes nothing that is in order. */
	void (*mend)(void);
	unsigned number; /* where its state is; 0 before fork_lock_setup() */
};

/* At load. Before it the lock can be used, but is not free in children. */
void fork_lock_setup(struct fork_lock *l);

/* While it is held, nothing that a thread of the program may hold up is waited for. */
void fork_lock_acquire(struct fork_lock *l);
void fork_lock_release(struct fork_lock *l);

#endif
