/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Group commit: concurrent callers share syncs.
 *
 * 1. A sync serves a caller if it covers the caller's range and started after the caller's
 *    stores.
 * 2. While a sync runs, callers gather. The first of them that finds it finished becomes the
 *    leader: it runs the next sync for all callers that have gathered. The others are its
 *    followers.
 * 3. The leader waits for followers, for at most a fraction of the time that the last sync took.
 *    It expects as many as the last sync served, plus those that were waiting when it ended.
 *    Reason: callers that a sync has served are likely to come back at once, with their next
 *    step. Without the wait they would split into two halves that take turns. A single caller
 *    never waits.
 * 4. The first sync that fails ends the group. All callers that it served, and all later ones,
 *    get its error. Reason: the kernel reports a failed write-back only once, so that a later
 *    success proves nothing.
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
	/* signalled when as many have gathered as the leader waits for */
	pthread_cond_t complete;
	uint64_t lo; /* the range that the next sync has to cover, up to hi */
	uint64_t hi;
	unsigned gathered; /* callers of the next sync */
	unsigned expected; /* how many the leader of the next sync waits for */
	uint64_t ended;	   /* when the last sync ended, nanoseconds */
	uint64_t patience; /* so long the leader waits for them after that */
	uint64_t next;	   /* number of the next sync */
	uint64_t finished; /* syncs with a lower number are over */
	bool led;	   /* a caller runs a sync or is about to */
	int err;	   /* 0, or the -errno that ended the group */
};

void sync_group_init(struct sync_group *group);
void sync_group_fini(struct sync_group *group);

/*
 * Returns 0 when a call of sync(arg, ...) that started after this call has synced [lo, hi).
 * Otherwise returns the -errno of the sync that ended the group. The caller must not hold a lock
 * that another caller may need before its own call.
 */
int sync_group_commit(struct sync_group *group, uint64_t lo, uint64_t hi,
		      int (*sync)(void *arg, uint64_t lo, uint64_t hi),
		      void *arg) MUST_CHECK;

#endif
