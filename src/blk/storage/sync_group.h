/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Group commit: concurrent callers share syncs.
 *
 * - A sync serves a caller if it covers the caller's range and started after the caller's stores.
 * - While a sync runs, callers gather. The first of them that finds it finished becomes the leader:
 *   it runs the next sync for all who have gathered. The others are its followers.
 * - The callers that a sync has served are likely to come back at once, with their next step. If
 *   the leader did not wait for them, the callers would split into two halves that take turns. So it
 *   waits, for a fraction of the time that the last sync took, until as many have gathered as the
 *   last sync served and found waiting at its end. A single caller never waits.
 * - The first sync that fails ends the group: the kernel reports a failed write-back only once, so a
 *   later success would prove nothing. All whom it served, and all who come later, get its error.
 */
#ifndef SYNC_GROUP_H
#define SYNC_GROUP_H 1

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

struct sync_group {
	pthread_mutex_t mutex; /* guards the rest; not held during a sync */
	pthread_cond_t done;
	pthread_cond_t complete; /* as many have gathered as the leader waits for */
	uint64_t lo;		 /* what the callers of the next sync want covered */
	uint64_t hi;
	unsigned gathered;   /* callers of the next sync */
	unsigned expected;   /* how many there are likely to be soon after the last one */
	uint64_t wait_until; /* when the leader stops waiting for them, nanoseconds */
	uint64_t next;	     /* number of the next sync */
	uint64_t finished;   /* syncs with a lower number are over */
	bool led;	     /* somebody runs a sync or is about to */
	int err;	     /* 0, or the -errno that ended the group */
};

void sync_group_init(struct sync_group *group);
void sync_group_fini(struct sync_group *group);

/*
 * Returns when [lo, hi) was synced by a call of sync(arg, ...) that started after this one and
 * returned 0, or with the -errno of the sync that ended the group. The caller must not hold a
 * lock that other callers may need to get here.
 */
int sync_group_commit(struct sync_group *group, uint64_t lo, uint64_t hi,
		      int (*sync)(void *arg, uint64_t lo, uint64_t hi),
		      void *arg) MUST_CHECK;

#endif
