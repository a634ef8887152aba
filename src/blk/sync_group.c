/* SPDX-License-Identifier: BSD-3-Clause */
#include "sync_group.h"

void sync_group_init(struct sync_group *group)
{
	*group = (struct sync_group){.lo = UINT64_MAX, .hi = 0};
	pthread_mutex_init(&group->mutex, NULL);
	pthread_cond_init(&group->done, NULL);
}

void sync_group_fini(struct sync_group *group)
{
	pthread_mutex_destroy(&group->mutex);
	pthread_cond_destroy(&group->done);
}

/* Runs the next sync for all who gathered; the mutex is released meanwhile. */
static void lead_locked(struct sync_group *group, int (*sync)(void *, uint64_t, uint64_t),
			void *arg)
{
	uint64_t lo = group->lo;
	uint64_t hi = group->hi;
	int err;

	group->lo = UINT64_MAX;
	group->hi = 0;
	group->next++;
	group->running = true;
	pthread_mutex_unlock(&group->mutex);
	err = sync(arg, lo, hi);
	pthread_mutex_lock(&group->mutex);
	group->running = false;
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
	while (!group->err && group->finished <= mine) {
		if (group->running)
			pthread_cond_wait(&group->done, &group->mutex);
		else
			lead_locked(group, sync, arg);
	}
	err = group->err;
	pthread_mutex_unlock(&group->mutex);
	return err;
}
