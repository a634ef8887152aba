/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool in a process that was forked after it had been opened.
 *
 * Such a process has a copy of the table as it was at the fork: locks may have been copied
 * in the locked state, a first layout since then is unknown, and changes by the owner do
 * not raise the versions by which readers notice them. So it reads through a view: a table
 * of its own, opened on a storage that drops all stores. A copy of a block counts only when
 * its map entry is the same as before and a second copy, made after the first was complete, is
 * equal: the owner must have finished with the block before it shows up in the map again, so
 * a first copy taken in the middle of that differs from the second.
 *
 * Once the owner is gone, the first process that wants to modify the pool takes it over: it
 * opens the table anew, with recovery, and goes on as the owner.
 */
#include "pool/foreign.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "blame.h"
#include "errormsg.h"
#include "pool/watched.h"

/* Pairs of copies before a reader gives up on a block that never stands still. */
#define MAX_COPIES 100000
/* Views, a millisecond apart, before what is found counts as damage. */
#define MAX_VIEWS 1000

/* The present table lives on until the pool is closed. */
static int replace_btt_locked(struct pmemblk *pool, struct btt *fresh)
{
	struct retired_btt *retired = alloc_zeroed(sizeof(*retired));

	if (!retired)
		return errormsg_fail(ENOMEM, "%s: out of memory", pool->path);
	retired->btt = atomic_exchange_explicit(&pool->btt, fresh, memory_order_acq_rel);
	retired->next = pool->retired;
	pool->retired = retired;
	return 0;
}

static int reopen_locked(struct pmemblk *pool, struct storage *s)
{
	struct btt *fresh;
	int ret = btt_open(s, &pool->params, &fresh);

	if (ret < 0)
		return ret;
	ret = replace_btt_locked(pool, fresh);
	if (ret < 0)
		btt_close(fresh);
	return ret;
}

int pool_take_over(struct pmemblk *pool)
{
	int ret = 0;

	pool_owner_lock();
	if (!pool_owner_is_self(&pool->owner)) {
		ret = pool_owner_claim(&pool->owner);
		if (ret < 0) {
			ret = blame_file(pool->path, ret);
		} else {
			/* the last owner may have gone in the middle of a sync */
			sync_group_init(&pool->group);
			pool_enter(pool);
			ret = reopen_locked(pool, &pool->storage);
			ret = pool_leave(pool, ret);
		}
		if (ret == 0)
			pool_owner_confirm(&pool->owner);
	}
	pool_owner_unlock();
	return ret;
}

/* Whether anything stands where the first info block would. */
static bool has_layout(const struct pmemblk *pool)
{
	return storage_load64(&pool->view, pool->params.data_off, memory_order_acquire) !=
	       0;
}

static bool is_current(struct pmemblk *pool)
{
	unsigned now = atomic_load_explicit(&pool_owner_generation, memory_order_relaxed);

	return atomic_load_explicit(&pool->viewed_in, memory_order_acquire) == now &&
	       (btt_is_laid_out(atomic_load_explicit(&pool->btt, memory_order_acquire)) ||
		!has_layout(pool));
}

/*
 * The owner may be in the middle of the first layout, which looks like damage for as long as it
 * takes. The pool was sound when it was opened, so that passes.
 */
static int open_view_locked(struct pmemblk *pool)
{
	static const struct timespec pause = {.tv_nsec = 1000000};
	int ret = reopen_locked(pool, &pool->view);

	for (int i = 0; i < MAX_VIEWS && ret == -EINVAL; i++) {
		nanosleep(&pause, NULL);
		ret = reopen_locked(pool, &pool->view);
	}
	return ret;
}

static int refresh_view(struct pmemblk *pool)
{
	int ret = 0;

	if (is_current(pool))
		return 0;
	pool_owner_lock();
	if (!is_current(pool) && !pool_owner_is_self(&pool->owner)) {
		ret = open_view_locked(pool);
		if (ret == 0)
			atomic_store_explicit(&pool->viewed_in,
					      atomic_load_explicit(&pool_owner_generation,
								   memory_order_relaxed),
					      memory_order_release);
	}
	pool_owner_unlock();
	return ret;
}

static int read_steadily(struct btt *btt, void *buf, void *second, size_t bsize,
			 uint64_t lba)
{
	for (int i = 0; i < MAX_COPIES; i++) {
		uint32_t entry = btt_entry(btt, lba);
		int ret = btt_read(btt, buf, lba);

		if (ret < 0)
			return ret;
		/* btt_read() orders its loads before those that come next. */
		ret = btt_read(btt, second, lba);
		if (ret < 0)
			return ret;
		if (btt_entry(btt, lba) == entry && memcmp(buf, second, bsize) == 0)
			return 0;
		sched_yield();
	}
	return -EBUSY;
}

int pool_read_foreign(struct pmemblk *pool, void *buf, uint64_t lba)
{
	void *second;
	int ret = refresh_view(pool);

	if (ret < 0)
		return ret;
	second = alloc_zeroed(pool->bsize);
	if (!second)
		return errormsg_fail(ENOMEM, "%s: out of memory", pool->path);
	ret = read_steadily(atomic_load_explicit(&pool->btt, memory_order_acquire), buf,
			    second, pool->bsize, lba);
	alloc_free(second);
	if (ret == -EBUSY)
		return errormsg_fail(
		    EBUSY,
		    "%s: block %llu is being changed all the time by another "
		    "process",
		    pool->path, ULL(lba));
	return ret;
}
