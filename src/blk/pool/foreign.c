/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Such a process has a copy of the table from the moment of the fork, and does not use it. Its
 * locks may have been copied while they were held, and it does not know of a first layout since
 * then. A word in shared memory tells how far the owner has come (enum btt_progress). The rules
 * for reading:
 *
 *   1. As long as no layout is complete, all blocks are zeros.
 *   2. After that the process reads through a view: a table of its own, opened once, on a storage
 *      that drops all stores.
 *   3. All processes that were forked since the open share the versions by which readers notice
 *      changes. So a view's copy of a block counts for the same reason as that of the owner's own
 *      readers (R11 in btt/btt.c). But a view has no lock to take: it repeats the copy until
 *      nobody has changed the entry meanwhile.
 *   4. After a sync of the owner has failed, the view redoes map updates as the owner's readers
 *      do. For this it is opened anew, because only while nobody writes to a flog it shows
 *      whether the flog can be trusted. So it waits until no thread of the owner is between the
 *      store of a record and the end of its sync, or until the owner is gone. Meanwhile it believes
 *      no flag: the thread that has stored it may take it back.
 *
 * When the owner is gone, the first process that wants to modify the pool takes it over. It opens
 * the table anew, with recovery, marks the pool as open, and goes on as the owner. It raises all
 * versions, because recovery stores map entries without them. It has no descriptors any more with
 * which it could find the holes of a sparse file, and a search of a large pool takes long without
 * them. But if nothing was stored since the open, which the word tells, it can use what the
 * opener has found out.
 */
#include "pool/foreign.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "blame.h"
#include "btt/read.h"
#include "errormsg.h"
#include "pool/build.h"
#include "pool/watched.h"

/* So long a read waits for a thread of the owner whose sync may fail. */
#define OWNER_TIMEOUT_MS 60000

/* Replaces the present table. The old one stays in memory until the pool is closed. */
static int install_locked(struct pmemblk *pool, struct btt *fresh)
{
	struct retired_btt *retired = alloc_zeroed(sizeof(*retired));

	if (!retired) {
		btt_close(fresh);
		return errormsg_fail(ENOMEM, "%s: out of memory", pool->path);
	}
	retired->btt = atomic_exchange_explicit(&pool->btt, fresh, memory_order_acq_rel);
	retired->next = pool->retired;
	pool->retired = retired;
	return 0;
}

/* Has to come before anything else that a process does with a pool after a fork. */
static void arrive_locked(struct pmemblk *pool)
{
	if (pool_owner_role(&pool->owner) != POOL_ROLE_NEW)
		return;
	if (pool->is_watched)
		sigbus_forked(&pool->watch);
	pool_owner_set_role(&pool->owner, POOL_ROLE_VISITOR);
}

void pool_arrive(struct pmemblk *pool)
{
	if (likely(pool_owner_role(&pool->owner) != POOL_ROLE_NEW))
		return;
	pool_owner_lock(&pool->owner);
	arrive_locked(pool);
	pool_owner_unlock(&pool->owner);
}

static enum btt_progress progress(const struct pmemblk *pool)
{
	return (enum btt_progress)atomic_load_explicit(pool->params.progress,
						       memory_order_acquire);
}

/* --- taking over ------------------------------------------------------------------------- */

static void set_progress(struct pmemblk *pool, enum btt_progress progress)
{
	atomic_store_explicit(pool->params.progress, progress, memory_order_release);
}

/*
 * Opens the table of the new owner. If nothing was stored yet, the present one still is the
 * opener's.
 */
static int open_own_locked(struct pmemblk *pool, struct btt **out)
{
	struct btt *present = atomic_load_explicit(&pool->btt, memory_order_relaxed);

	if (progress(pool) == BTT_UNTOUCHED)
		return btt_open_untouched(&pool->storage, &pool->params, present, out);
	return btt_open(&pool->storage, &pool->params, out);
}

/* Opens the table with recovery, and marks the pool as open, as pool_open() does. */
static int prepare_own_locked(struct pmemblk *pool, struct btt **out)
{
	int ret;

	*out = NULL;
	pool_enter(pool);
	ret = open_own_locked(pool, out);
	if (ret == 0)
		btt_raise_versions(*out);
	if (ret == 0 && pool->keeps_sds)
		ret = pool_store_sds(pool, true);
	ret = pool_leave(pool, ret);
	if (ret < 0) {
		btt_close(*out);
		*out = NULL;
	}
	return ret;
}

/*
 * If this fails half-way, the next call tries again. Meanwhile no other process can become the
 * owner.
 */
static int take_over_locked(struct pmemblk *pool)
{
	struct btt *fresh;
	int ret = pool_owner_claim(&pool->owner);

	if (ret < 0)
		return blame_file(pool->path, ret);
	/* the last owner may have died in the middle of a sync */
	sync_group_init(&pool->group);
	if (progress(pool) == BTT_FAILING)
		set_progress(pool, BTT_FAILED); /* the last owner takes no record back */
	ret = prepare_own_locked(pool, &fresh);
	if (ret == 0 && btt_is_laid_out(fresh))
		set_progress(pool, BTT_LAID_OUT);
	else if (ret < 0 && progress(pool) == BTT_LAID_OUT)
		set_progress(pool, BTT_FAILED); /* perhaps a sync has failed */
	if (ret == 0)
		ret = install_locked(pool, fresh);
	if (ret == 0)
		pool_owner_confirm(&pool->owner);
	return ret;
}

int pool_take_over(struct pmemblk *pool)
{
	int ret = 0;

	pool_owner_lock(&pool->owner);
	arrive_locked(pool);
	if (!pool_owner_is_self(&pool->owner))
		ret = take_over_locked(pool);
	pool_owner_unlock(&pool->owner);
	return ret;
}

/* --- reading ----------------------------------------------------------------------------- */

static int open_view(struct pmemblk *pool, enum pool_role role)
{
	struct btt *view;
	int ret = 0;

	if (likely(pool_owner_role(&pool->owner) >= role))
		return 0;
	pool_owner_lock(&pool->owner);
	if (pool_owner_role(&pool->owner) < role) {
		struct btt_params params = pool->params;

		params.fast = NULL; /* it is for the owner */
		ret = btt_open(&pool->view, &params, &view);
		if (ret == 0)
			ret = install_locked(pool, view);
		if (ret == 0)
			pool_owner_set_role(&pool->owner, role);
	}
	pool_owner_unlock(&pool->owner);
	return ret;
}

static enum btt_foreign state_of(const struct pmemblk *pool, enum btt_progress progress)
{
	if (progress == BTT_FAILED)
		return BTT_FOREIGN_REDO;
	if (progress != BTT_FAILING)
		return BTT_FOREIGN_SOUND;
	return pool_owner_is_gone(&pool->owner) ? BTT_FOREIGN_REDO : BTT_FOREIGN_FAILING;
}

static int read_view(struct pmemblk *pool, void *buf, uint64_t lba,
		     enum btt_foreign owner)
{
	int ret = open_view(pool, owner == BTT_FOREIGN_REDO ? POOL_ROLE_REDOER
							    : POOL_ROLE_VIEWER);

	if (ret < 0)
		return ret;
	return btt_read_view(atomic_load_explicit(&pool->btt, memory_order_acquire), buf,
			     lba, owner);
}

/*
 * A thread of the owner has not noticed yet that the disk fails. It does when its sync ends. But the
 * owner may have been stopped, so *waits are counted.
 */
static int MUST_CHECK wait_for_owner(const struct pmemblk *pool, uint64_t lba,
				     unsigned *waits)
{
	static const struct timespec moment = {.tv_nsec = 1000000};

	if (++*waits > OWNER_TIMEOUT_MS)
		return errormsg_fail(
		    EBUSY,
		    "%s: block %llu is being changed by another process, "
		    "which does not go on",
		    pool->path, ULL(lba));
	clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
	return 0;
}

int pool_read_foreign(struct pmemblk *pool, void *buf, uint64_t lba)
{
	unsigned waits = 0;

	if (lba >= pool->nblock)
		return errormsg_fail(EINVAL, "%s has no block %lld, only 0 to %llu",
				     pool->path, (long long)lba, ULL(pool->nblock - 1));
	for (;;) {
		enum btt_progress before = progress(pool);
		int ret = 0;

		if (before >= BTT_LAID_OUT)
			ret = read_view(pool, buf, lba, state_of(pool, before));
		else
			memset(buf, 0, pool->bsize);
		if (ret == -EAGAIN) {
			ret = wait_for_owner(pool, lba, &waits);
			if (ret < 0)
				return ret;
			continue;
		}
		/*
		 * meanwhile a page may be lost, or another process may have taken the pool over
		 */
		if (before < BTT_LAID_OUT || progress(pool) == before)
			return ret;
	}
}
