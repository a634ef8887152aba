/* SPDX-License-Identifier: BSD-3-Clause */
#include "storage/sync_group.h"

#include <time.h>

#define NSEC 1000000000u

/* A leader waits at most for the time that the last sync took, divided by this. */
#define WAIT_DIVISOR 4

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NSEC + (uint64_t)t.tv_nsec;
}

void sync_group_init(struct sync_group *group)
{
	pthread_condattr_t attr;

	*group = (struct sync_group){.lo = UINT64_MAX, .hi = 0};
	pthread_mutex_init(&group->mutex, NULL);
	pthread_cond_init(&group->done, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&group->complete, &attr);
	pthread_condattr_destroy(&attr);
}

void sync_group_fini(struct sync_group *group)
{
	pthread_mutex_destroy(&group->mutex);
	pthread_cond_destroy(&group->done);
	pthread_cond_destroy(&group->complete);
}

/*
 * The mutex is released meanwhile. The clock goes back if the process enters another time
 * namespace. Then the time since the last sync is negative, which counts as very long.
 */
static void wait_for_followers_locked(struct sync_group *group)
{
	uint64_t t = now();
	uint64_t since = t - group->ended;
	struct timespec deadline;

	if (since >= group->patience)
		return;
	t += group->patience - since;
	deadline =
	    (struct timespec){.tv_sec = (time_t)(t / NSEC), .tv_nsec = (long)(t % NSEC)};
	while (group->gathered < group->expected)
		if (pthread_cond_timedwait(&group->complete, &group->mutex, &deadline))
			return;
}

/* Runs the next sync for all callers that have gathered. The mutex is released meanwhile. */
static void lead_locked(struct sync_group *group, int (*sync)(void *, uint64_t, uint64_t),
			void *arg)
{
	unsigned served;
	uint64_t start;
	uint64_t lo;
	uint64_t hi;
	int err;

	group->led = true;
	if (group->gathered < group->expected)
		wait_for_followers_locked(group);
	lo = group->lo;
	hi = group->hi;
	served = group->gathered;
	group->lo = UINT64_MAX;
	group->hi = 0;
	group->gathered = 0;
	group->next++;
	pthread_mutex_unlock(&group->mutex);
	start = now();
	err = sync(arg, lo, hi);
	pthread_mutex_lock(&group->mutex);
	group->ended = now();
	group->patience = (group->ended - start) / WAIT_DIVISOR;
	group->expected = served + group->gathered;
	group->led = false;
	group->finished = group->next;
	if (err)
		group->err = err;
	pthread_cond_broadcast(&group->done);
}

int sync_group_commit(struct sync_group *group, uint64_t lo, uint64_t hi,
		      int (*sync)(void *arg, uint64_t lo, uint64_t hi), void *arg)
{
	uint64_t mine;
	int err;

	pthread_mutex_lock(&group->mutex);
	mine = group->next;
	if (lo < group->lo)
		group->lo = lo;
	if (hi > group->hi)
		group->hi = hi;
	if (++group->gathered == group->expected)
		pthread_cond_signal(&group->complete);
	while (!group->err && group->finished <= mine) {
		if (group->led)
			pthread_cond_wait(&group->done, &group->mutex);
		else
			lead_locked(group, sync, arg);
	}
	err = group->err;
	pthread_mutex_unlock(&group->mutex);
	return err;
}
