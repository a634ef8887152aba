/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A table, and threads that stop in the storage's fence, in the middle of a modifying call.
 */
#ifndef STALLED_FIXTURE_H
#define STALLED_FIXTURE_H 1

#include "btt_fixture.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "btt/arena.h"
#include "btt/batch.h"
#include "btt/zero_range.h"

#define PATIENCE 30 /* timeout in seconds for work of milliseconds */

/* Blocks of one map lock. */
#define LOCK_BLOCKS 16u

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards all flags below */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static inline void raise_flag(bool *flag)
{
	pthread_mutex_lock(&mutex);
	*flag = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
}

static inline void wait_for(const bool *flag)
{
	pthread_mutex_lock(&mutex);
	while (!*flag)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
}

/* Returns false if the flag was not raised before the timeout. */
static inline bool is_raised_in_time(const bool *flag)
{
	struct timespec until;
	bool raised;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE;
	pthread_mutex_lock(&mutex);
	while (!*flag && pthread_cond_timedwait(&changed, &mutex, &until) == 0)
		;
	raised = *flag;
	pthread_mutex_unlock(&mutex);
	return raised;
}

/* --- threads that stop -------------------------------------------------------------------- */

enum call { WRITE, SET_ZERO, SET_ERROR, WRITE_RUN, ZERO_RANGE };

/* What is written is full of this byte. */
static inline int make_call(struct btt *btt, enum call call, uint64_t lba,
			    uint64_t nblock, int byte)
{
	static __thread unsigned char buf[64 * 512];
	struct btt_run run = {.buf = buf, .lba = (long long)lba, .nblock = nblock};
	long long failed;

	assert_true(nblock <= sizeof(buf) / 512);
	memset(buf, byte, sizeof(buf));
	switch (call) {
	case WRITE:
		return btt_write(btt, buf, lba);
	case SET_ZERO:
		return btt_set_zero(btt, lba);
	case SET_ERROR:
		return btt_set_error(btt, lba);
	case WRITE_RUN:
		return btt_write_runs(btt, &run, 1, &failed);
	default:
		return btt_zero_range(btt, lba, nblock, &failed);
	}
}

struct stopped {
	struct btt *btt;
	uint64_t lba;
	uint64_t nblock; /* of the last two calls */
	enum call call;
	unsigned fence; /* the fence of the call at which to stop: 1 or 2 */
	bool inside;
	bool go;
	unsigned hint;
	int ret;
	pthread_t thread;
};

static __thread struct stopped *self;

static inline void stop_at_fence(void)
{
	if (!self || self->fence == 0 || --self->fence > 0)
		return;
	raise_flag(&self->inside);
	wait_for(&self->go);
}

static inline void *run_stopped(void *arg)
{
	struct stopped *s = arg;

	self = s;
	s->hint = lane_hint(lane_thread());
	s->ret = make_call(s->btt, s->call, s->lba, s->nblock, 0xee);
	return NULL;
}

static inline void let_go(struct stopped *s)
{
	raise_flag(&s->go);
	pthread_join(s->thread, NULL);
}

static inline void stop(struct stopped *s, struct btt *btt)
{
	s->btt = btt;
	assert_int_equal(pthread_create(&s->thread, NULL, run_stopped, s), 0);
	if (!is_raised_in_time(&s->inside))
		fail_msg("a writer did not get to its fence");
}

/* Opens a table that is laid out; blocks 0 to 127 are written. */
static inline struct btt *open_table(struct fixture *f, unsigned nlane, bool eager)
{
	unsigned char buf[512];
	struct btt *btt;

	fixture_init(f, POOL_SIZE, 512);
	f->params.nlane = nlane;
	/* eager: the map locks are biased to one thread */
	f->ram.s.eager_flush = eager;
	f->ram.s.line_order = eager;
	f->ram.at_fence = stop_at_fence;
	btt = fixture_open(f);
	memset(buf, 0x55, sizeof(buf));
	for (uint64_t lba = 0; lba < 128; lba++)
		assert_int_equal(btt_write(btt, buf, lba), 0);
	return btt;
}

static inline void close_table(struct fixture *f, struct btt *btt)
{
	btt_close(btt);
	assert_int_equal(fixture_check(f), 1);
	fixture_fini(f);
}

#endif
