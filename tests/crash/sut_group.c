/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads of a run are coroutines of one thread, so the group's mutex and conditions are taken by
 * the scheduler. Their first word says what the scheduler needs: whether a mutex is locked, how
 * often a condition was signalled.
 */
#include "sut_group.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "explore_state.h"
#include "sched.h"
#include "storage/sync_group.h"
#include "sut_btt.h"

bool sut_group_joins_late;

struct shared {
	struct sync_group group;
	struct storage_step step[SCHED_MAX]; /* that wait for a sync, by thread */
};

/* --- the group's locks ---------------------------------------------------------------- */

int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __real_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int __real_pthread_cond_signal(pthread_cond_t *cond);
int __real_pthread_cond_broadcast(pthread_cond_t *cond);
int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int __wrap_pthread_cond_signal(pthread_cond_t *cond);
int __wrap_pthread_cond_broadcast(pthread_cond_t *cond);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);

static bool is_program(void)
{
	return sched_current() >= 0;
}

static unsigned word_of(const void *object)
{
	unsigned word;

	memcpy(&word, object, sizeof(word));
	return word;
}

static void set_word(void *object, unsigned word)
{
	memcpy(object, &word, sizeof(word));
}

static bool is_unlocked(const void *mutex)
{
	return word_of(mutex) == 0;
}

static void lock(pthread_mutex_t *mutex)
{
	while (!is_unlocked(mutex))
		sched_block(is_unlocked, mutex);
	set_word(mutex, 1);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	if (!is_program())
		return __real_pthread_mutex_lock(mutex);
	explore_point();
	lock(mutex);
	return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	if (!is_program())
		return __real_pthread_mutex_unlock(mutex);
	set_word(mutex, 0);
	return 0;
}

struct waiter {
	const void *cond;
	unsigned before;
};

static bool is_signalled(const void *arg)
{
	const struct waiter *w = arg;

	return word_of(w->cond) != w->before;
}

int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	struct waiter w = {cond, word_of(cond)};

	if (!is_program())
		return __real_pthread_cond_wait(cond, mutex);
	set_word(mutex, 0);
	sched_block(is_signalled, &w);
	lock(mutex);
	return 0;
}

int __wrap_pthread_cond_signal(pthread_cond_t *cond)
{
	if (!is_program())
		return __real_pthread_cond_signal(cond);
	set_word(cond, word_of(cond) + 1);
	return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *cond)
{
	if (!is_program())
		return __real_pthread_cond_broadcast(cond);
	return __wrap_pthread_cond_signal(cond);
}

int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	if (!is_program())
		return __real_clock_gettime(id, t);
	*t = (struct timespec){0, 0};
	return 0;
}

/* --- the storage ---------------------------------------------------------------------- */

static struct shared *shared_of(const struct storage *s)
{
	return (struct shared *)(void *)s->group; /* its first member */
}

/* Of the threads [lo, hi): what stands for the bytes that they want covered. */
static int sync_steps(void *arg, uint64_t lo, uint64_t hi)
{
	struct storage *s = arg;

	return medium_sync(s, &shared_of(s)->step[lo], (unsigned)(hi - lo));
}

static bool is_over(const void *arg)
{
	const struct sync_group *group = arg;

	return !group->led;
}

/* As sync_range() in storage/pool.c. */
static int fence(struct storage *s, struct storage_step *step)
{
	struct shared *shared = shared_of(s);
	uint64_t t = (uint64_t)sched_current();

	if (!is_program())
		return medium_sync(s, step, 1);
	if (step->lo >= step->hi)
		return 0;
	shared->step[t] = *step;
	*step = (struct storage_step)STORAGE_STEP_INIT;
	if (sut_group_joins_late && shared->group.led) {
		sched_block(is_over, &shared->group);
		return shared->group.err;
	}
	return sync_group_commit(&shared->group, t, t + 1, sync_steps, s);
}

/* --- the table ------------------------------------------------------------------------ */

static int open_grouped(const struct sut *sut, struct storage *s, void **handle)
{
	static struct storage_ops ops;
	struct shared *shared;
	int ret;

	if (s->ops->fence != fence) {
		ops = *s->ops;
		ops.fence = fence;
		s->ops = &ops;
	}
	ret = sut_btt.open(sut, s, handle);
	shared = explore_alloc(sizeof(*shared));
	memset(shared, 0, sizeof(*shared));
	sync_group_init(&shared->group);
	for (unsigned t = 0; t < SCHED_MAX; t++)
		shared->step[t] = (struct storage_step)STORAGE_STEP_INIT;
	s->group = &shared->group;
	return ret;
}

static int apply(void *handle, char kind, uint64_t lba, void *buf)
{
	return sut_btt.apply(handle, kind, lba, buf);
}

static int check(const struct sut *sut, struct storage *s)
{
	return sut_btt.check(sut, s);
}

const struct sut sut_group = {
    .name = "the table with shared syncs",
    .open = open_grouped,
    .apply = apply,
    .check = check,
};
