/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lock of a pool's file, and the wait for one that somebody else has: another process, or
 * another pool of this one.
 *
 * The setting lock.wait says how long. flock(2) can wait by itself, but that would not do:
 *
 *   - It knows no time limit. Only a signal could end it, and signals belong to the program.
 *   - The kernel starts it again behind a handler with SA_RESTART, which signal(3) sets.
 *   - A set has several files. Who has locked one and waits for the next may wait for somebody
 *     who has that one and waits for the first.
 *   - It waits for a file, but the pool is the path: the file may be removed meanwhile, and
 *     another one made in its place.
 *
 * So nobody waits with anything in hand. An attempt opens and locks all files without waiting;
 * if one is locked, all are given up, and the next attempt begins at the path again, between 5
 * and 20 milliseconds later. The time is random, so that nobody is always the second: whenever
 * the lock is free, all who wait for it have the same chance.
 *
 * Signals are held back during an attempt and arrive in the pause, so that none is missed: one
 * that was handled ends the wait.
 *
 *	struct poolset_wait wait;
 *
 *	poolset_wait_begin(&wait);
 *	do
 *		ret = attempt(&wait);
 *	while (poolset_wait_again(&wait, path, &ret));
 */
#ifndef POOLSET_WAIT_H
#define POOLSET_WAIT_H 1

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

struct poolset_wait {
	int limit;	   /* milliseconds; -1: for ever */
	uint64_t deadline; /* CLOCK_MONOTONIC, nanoseconds; UINT64_MAX: none */
	uint64_t random;
	bool is_patient; /* a locked file is no failure yet, and no message */
	bool is_locked;	 /* the attempt has met one */
	bool is_masked;	 /* signals are held back */
	sigset_t before;
};

/*
 * Locks the open file of a pool: nobody else can lock it. Network file systems that turn this into
 * a lock of fcntl(2) want a descriptor for writing. For one for reading it is a shared lock there,
 * which keeps writers away. -EWOULDBLOCK, or others of flock(2); no message.
 */
int poolset_lock(int fd) MUST_CHECK;

/* The same, for a file that is only looked at: others may look at it at the same time. */
int poolset_lock_shared(int fd) MUST_CHECK;

/*
 * -EAGAIN, because path is locked. The message is set unless another attempt may follow. wait
 * may be NULL: nobody waits.
 */
int poolset_fail_locked(struct poolset_wait *wait, const char *path) MUST_CHECK;

/* The setting counts as it is now. */
void poolset_wait_begin(struct poolset_wait *wait);

/*
 * After an attempt that has returned *ret: whether another one is to be made, after a pause.
 * Turns *ret into -EINTR, message set, where a signal has ended the wait.
 */
bool poolset_wait_again(struct poolset_wait *wait, const char *path, int *ret) MUST_CHECK;

/* The attempt has all locks that it wants, and goes on to other work: signals may come. */
void poolset_wait_over(struct poolset_wait *wait);

#endif
