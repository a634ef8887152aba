/* SPDX-License-Identifier: BSD-3-Clause */
#include "pool/watched.h"

#include <errno.h>

#include "blame.h"
#include "base/ctl.h"
#include "btt/batch.h"
#include "btt/zero_range.h"
#include "errormsg.h"

/* A read that media errors of other threads disturb is repeated so many times. */
#define MAX_TRIES 100000

static int fail_media(const struct pmemblk *pool)
{
	return errormsg_fail(EIO, "%s: a media error was met", pool->path);
}

int pool_watch(struct pmemblk *pool)
{
	int ret;

	if (!ctl_value(CTL_SIGBUS_CATCH))
		return 0;
	ret = sigbus_watch(&pool->watch, pool->map.base, pool->map.size, pool->map.unit);
	if (ret < 0)
		return blame_file(pool->path, ret);
	pool->is_watched = true;
	return 0;
}

void pool_enter(struct pmemblk *pool)
{
	if (pool->is_watched)
		sigbus_enter(&pool->watch);
}

int pool_leave(struct pmemblk *pool, int ret)
{
	if (pool->is_watched && sigbus_leave(&pool->watch))
		return fail_media(pool);
	return ret;
}

int pool_read_watched(struct pmemblk *pool,
		      int (*read)(struct pmemblk *pool, void *buf, uint64_t lba),
		      void *buf, uint64_t lba)
{
	struct sigbus_watch *w = &pool->watch;

	for (int i = 0; i < MAX_TRIES; i++) {
		uint64_t epoch = sigbus_epoch(w);
		bool is_hit;
		int ret;

		sigbus_enter(w);
		ret = read(pool, buf, lba);
		is_hit = sigbus_leave(w);
		if (is_hit)
			return fail_media(pool);
		if (!sigbus_changed(w, epoch))
			return ret;
	}
	return fail_media(pool);
}

static struct btt *table(const struct pmemblk *pool)
{
	return atomic_load_explicit(&pool->btt, memory_order_acquire);
}

static int modify(struct pmemblk *pool, enum pool_change change, const void *buf,
		  uint64_t lba)
{
	struct btt *btt = table(pool);

	switch (change) {
	case POOL_WRITE:
		return btt_write(btt, buf, lba);
	case POOL_SET_ZERO:
		return btt_set_zero(btt, lba);
	case POOL_SET_ERROR:
		break;
	}
	return btt_set_error(btt, lba);
}

/* What a call that modifies the pool has to remember from its begin to its end. */
static int begin_modify(struct pmemblk *pool, uint64_t *epoch)
{
	if (atomic_load_explicit(&pool->media_failed, memory_order_acquire))
		return errormsg_fail(
		    EIO,
		    "%s: a media error was met earlier; the pool takes no "
		    "more changes until it was closed and opened again",
		    pool->path);
	*epoch = sigbus_epoch(&pool->watch);
	sigbus_enter(&pool->watch);
	return 0;
}

/* ret, or -EIO with a message if a media error was met meanwhile. */
static int end_modify(struct pmemblk *pool, uint64_t epoch, int ret)
{
	bool is_hit = sigbus_leave(&pool->watch);

	if (!is_hit && !sigbus_changed(&pool->watch, epoch))
		return ret;
	atomic_store_explicit(&pool->media_failed, true, memory_order_release);
	return fail_media(pool);
}

int pool_modify_watched(struct pmemblk *pool, enum pool_change change, const void *buf,
			uint64_t lba)
{
	uint64_t epoch;
	int ret = begin_modify(pool, &epoch);

	if (ret)
		return ret;
	ret = modify(pool, change, buf, lba);
	return end_modify(pool, epoch, ret);
}

static int end_batch(struct pmemblk *pool, uint64_t epoch, int ret, long long *failed)
{
	ret = end_modify(pool, epoch, ret);
	if (atomic_load_explicit(&pool->media_failed, memory_order_relaxed))
		*failed = BTT_NOBODY;
	return ret;
}

int pool_write_runs_watched(struct pmemblk *pool, const struct btt_run *run, size_t nrun,
			    long long *failed)
{
	uint64_t epoch;
	int ret = begin_modify(pool, &epoch);

	if (ret)
		return ret;
	ret = btt_write_runs(table(pool), run, nrun, failed);
	return end_batch(pool, epoch, ret, failed);
}

int pool_zero_range_watched(struct pmemblk *pool, uint64_t lba, uint64_t nblock,
			    long long *failed)
{
	uint64_t epoch;
	int ret = begin_modify(pool, &epoch);

	if (ret)
		return ret;
	ret = btt_zero_range(table(pool), lba, nblock, failed);
	return end_batch(pool, epoch, ret, failed);
}
