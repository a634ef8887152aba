/* SPDX-License-Identifier: BSD-3-Clause */
#include "poolset/wait.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/ctl.h"
#include "base/signals.h"
#include "errormsg.h"

#define MS UINT64_C(1000000) /* nanoseconds */
#define SHORTEST (5 * MS)
#define LONGEST (20 * MS)

int poolset_lock(int fd)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return errno == EBADF ? poolset_lock_shared(fd) : -errno;
}

int poolset_lock_shared(int fd)
{
	return flock(fd, LOCK_SH | LOCK_NB) == 0 ? 0 : -errno;
}

int poolset_fail_locked(struct poolset_wait *wait, const char *path)
{
	static const char why[] = "the pool is open in this or another process";

	if (wait && wait->is_patient) {
		wait->is_locked = true;
		return -EAGAIN;
	}
	if (wait && wait->limit > 0)
		return errormsg_fail(EAGAIN, "%s is still locked after %d ms: %s", path,
				     wait->limit, why);
	return errormsg_fail(EAGAIN, "%s is locked: %s", path, why);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 * MS + (uint64_t)t.tv_nsec;
}

static void hold_signals(struct poolset_wait *wait)
{
	signals_block(&wait->before);
	wait->is_masked = true;
}

void poolset_wait_over(struct poolset_wait *wait)
{
	if (wait->is_masked)
		pthread_sigmask(SIG_SETMASK, &wait->before, NULL);
	wait->is_masked = false;
}

void poolset_wait_begin(struct poolset_wait *wait)
{
	uint64_t begin;

	*wait = (struct poolset_wait){.limit = ctl_value(CTL_LOCK_WAIT)};
	if (wait->limit == 0)
		return;
	begin = now();
	wait->is_patient = true;
	wait->deadline =
	    wait->limit < 0 ? UINT64_MAX : begin + (uint64_t)wait->limit * MS;
	wait->random = begin ^ (uint64_t)getpid() << 40 ^ (uintptr_t)wait;
	hold_signals(wait);
}

/* xorshift64*; its state must not be 0. */
static uint64_t next_pause(struct poolset_wait *wait)
{
	uint64_t x = wait->random | 1;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	wait->random = x;
	return SHORTEST + (x * UINT64_C(0x2545f4914f6cdd1d) >> 32) % (LONGEST - SHORTEST);
}

/* -EINTR if a signal was handled meanwhile. */
static int pause_for(const struct poolset_wait *wait, uint64_t ns)
{
	const struct timespec t = {.tv_sec = (time_t)(ns / (1000 * MS)),
				   .tv_nsec = (long)(ns % (1000 * MS))};

	return ppoll(NULL, 0, &t, &wait->before) == 0 ? 0 : -errno;
}

bool poolset_wait_again(struct poolset_wait *wait, const char *path, int *ret)
{
	uint64_t left;
	uint64_t pause;
	int err;

	if (*ret != -EAGAIN || !wait->is_locked) {
		poolset_wait_over(wait);
		return false;
	}
	wait->is_locked = false;
	if (!wait->is_masked)
		hold_signals(wait);
	left = now();
	left = left < wait->deadline ? wait->deadline - left : 0;
	if (left == 0) {
		wait->is_patient = false; /* the last attempt */
		return true;
	}
	pause = next_pause(wait);
	err = pause_for(wait, pause < left ? pause : left);
	if (err == 0)
		return true;
	poolset_wait_over(wait);
	*ret =
	    errormsg_fail_sys(-err, "the wait for %s, which is locked, has ended", path);
	return false;
}
