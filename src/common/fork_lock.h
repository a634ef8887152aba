/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Locks that are free in every child process.
 *
 * A child of fork(2) has a copy of each lock. If another thread held a lock, no thread of the
 * child would ever release it. Fork handlers could take all locks before the fork and release
 * them after it. But handlers of the program run in between (pthread_atfork(3) has the order).
 * Such a handler may wait for a lock of the program, and the thread that holds it may wait for
 * one of ours. So no lock is held across a fork. Instead:
 *
 *   1. The state of these locks is in a page that the kernel clears in each child, whichever way
 *      the child was made.
 *   2. A fork may copy the data that a lock guards in the middle of a change. The copy is as if
 *      the other threads had stopped between two of their stores. The data are changed in such
 *      steps that every copy can be put in order.
 *   3. The first thread of a process that takes the lock puts the data in order first (mend).
 *
 * Kernels before Linux 4.14 do not clear the page. There a handler in the child clears it.
 */
#ifndef FORK_LOCK_H
#define FORK_LOCK_H 1

struct fork_lock {
	/*
	 * Puts a copy in order. Called with the lock held. Leaves data that are in order
	 * unchanged.
	 */
	void (*mend)(void);
	unsigned number; /* index of its state in the page; 0 before fork_lock_setup() */
};

/*
 * To be called when the library is loaded. Before that the lock can be used, but is not free in
 * children.
 */
void fork_lock_setup(struct fork_lock *l);

/* While a thread holds the lock, it must not wait for anything that the program can delay. */
void fork_lock_acquire(struct fork_lock *l);
void fork_lock_release(struct fork_lock *l);

#endif
