/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The locks of a pool's files, and waiting for a file that is locked: by another process, or by
 * another open pool of this process. The setting lock.wait says how long a call waits.
 *
 * A call makes attempts. An attempt opens and locks all files without waiting. If one of them is
 * locked, it closes all files again. The thread then sleeps for 5 to 20 milliseconds, chosen at
 * random, and the next attempt begins with the path. So while a thread sleeps it has no file open
 * and holds no lock. The random time gives all who wait the same chance when the lock is released.
 *
 * flock(2) can block, but it does not serve here:
 *
 *   1. It has no time limit. Only a signal could end it, and the signals belong to the program.
 *   2. After a signal handler with SA_RESTART, which signal(3) sets, the kernel goes on waiting.
 *   3. A set has several files. Two threads that each hold the lock of one file and block on the
 *      other's file would wait for ever.
 *   4. It waits for a file, but a pool is known by its path. Another file may have that name when
 *      the wait is over.
 *
 * Signals are blocked during an attempt and unblocked during the pause, in one step (ppoll(2)). So
 * a handled signal ends the wait, whenever it comes.
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
	bool is_patient; /* another attempt may follow: a locked file sets no message */
	bool is_locked;	 /* the attempt has found a locked file */
	bool is_masked;	 /* signals are blocked; `before` is the mask to restore */
	sigset_t before;
};

/*
 * Locks the open file of a pool exclusively. Some network file systems implement flock(2) by locks
 * of fcntl(2), and refuse an exclusive lock if fd is open for reading only. There the function
 * takes a shared lock, which still excludes writers. -EWOULDBLOCK if the file is locked, or another
 * error of flock(2). Sets no message.
 */
int poolset_lock(int fd) MUST_CHECK;

/* The same with a shared lock, for a file whose first bytes are read. */
int poolset_lock_shared(int fd) MUST_CHECK;

/*
 * Reports that path is locked: returns -EAGAIN and, unless wait is patient, sets the message. wait
 * may be NULL: then the call does not wait.
 */
int poolset_fail_locked(struct poolset_wait *wait, const char *path) MUST_CHECK;

/* Reads the setting. If it is not 0, signals are blocked from now on. */
void poolset_wait_begin(struct poolset_wait *wait);

/*
 * To be called after an attempt that has returned *ret. Returns true, after a pause, if another
 * attempt is to be made. Otherwise signals are unblocked. If a signal has ended the pause, *ret
 * becomes -EINTR and the message is set.
 */
bool poolset_wait_again(struct poolset_wait *wait, const char *path, int *ret) MUST_CHECK;

/* Unblocks signals. The attempt has locked all files and goes on with other work. */
void poolset_wait_over(struct poolset_wait *wait);

#endif
