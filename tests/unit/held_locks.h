/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checks that a thread holds each lock that it releases. The linker puts these functions in place of
 * the lock's: -Wl,--wrap=fork_lock_acquire,--wrap=fork_lock_release.
 */
#ifndef HELD_LOCKS_H
#define HELD_LOCKS_H 1

#include <stdio.h>
#include <stdlib.h>

#include "fork_lock.h"
#include "support.h"

#define NHELD 8

static _Thread_local struct fork_lock *held[NHELD]; /* locks that the thread has */

void __real_fork_lock_acquire(struct fork_lock *l);
void __real_fork_lock_release(struct fork_lock *l);
void __wrap_fork_lock_acquire(struct fork_lock *l);
void __wrap_fork_lock_release(struct fork_lock *l);

static void replace_held(struct fork_lock *from, struct fork_lock *to,
			 const char *complaint)
{
	for (int i = 0; i < NHELD; i++)
		if (held[i] == from) {
			held[i] = to;
			return;
		}
	fputs(complaint, stderr);
	abort();
}

/* How many locks the calling thread has. */
static inline unsigned held_locks(void)
{
	unsigned n = 0;

	for (int i = 0; i < NHELD; i++)
		n += held[i] != NULL;
	return n;
}

void __wrap_fork_lock_acquire(struct fork_lock *l)
{
	for (int i = 0; i < NHELD; i++)
		if (held[i] == l) {
			fputs("a thread waits for a lock that it holds\n", stderr);
			abort();
		}
	__real_fork_lock_acquire(l);
	replace_held(NULL, l, "a thread holds too many locks\n");
}

void __wrap_fork_lock_release(struct fork_lock *l)
{
	replace_held(l, NULL, "a lock is released that the thread does not hold\n");
	__real_fork_lock_release(l);
}

#endif
