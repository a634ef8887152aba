/* SPDX-License-Identifier: BSD-3-Clause */
#include "pool/pool.h"

#include "base/alloc.h"
#include "errormsg.h"
#include "pool/build.h"
#include "pool/watched.h"
#include "poolset/fork.h"

void pool_setup(void)
{
	poolset_fork_setup();
	pool_owner_setup();
}

void pool_destroy(struct pmemblk *pool)
{
	poolset_map_keep_from_children(&pool->map);
	btt_close(atomic_load_explicit(&pool->btt, memory_order_relaxed));
	while (pool->retired) {
		struct retired_btt *next = pool->retired->next;

		btt_close(pool->retired->btt);
		alloc_free(pool->retired);
		pool->retired = next;
	}
	/* another process's threads, which will never leave it, may be in a copy */
	if (pool->storage.group && pool_owner_is_self(&pool->owner))
		sync_group_fini(pool->storage.group);
	pool_owner_fini(&pool->owner);
	sigbus_unwatch(&pool->watch);
	poolset_deep_fini(&pool->deep);
	poolset_unmap(&pool->map);
	alloc_free(pool->path);
	alloc_free(pool);
}

/*
 * The mark that says closed must not be on the modules before the blocks that it vouches for:
 * should the platform fail to save the latter, their loss would not be noticed.
 */
static int make_durable(struct pmemblk *pool)
{
	int ret;

	pool_enter(pool);
	ret = btt_sync(atomic_load_explicit(&pool->btt, memory_order_relaxed));
	ret = pool_leave(pool, ret);
	if (ret == 0)
		ret = poolset_deep_drain(&pool->deep);
	if (ret == 0 && pool->keeps_sds) {
		pool_enter(pool);
		ret = pool_store_sds(pool, false);
		ret = pool_leave(pool, ret);
	}
	return ret;
}

/*
 * A pool whose last sync failed, or which met a media error, stays marked as open. So does
 * one that another process owns, and one whose owner has gone and that nobody has taken
 * over.
 */
void pool_close(struct pmemblk *pool)
{
	if (!pool->is_read_only && pool_owner_is_self(&pool->owner) &&
	    !atomic_load_explicit(&pool->media_failed, memory_order_relaxed) &&
	    make_durable(pool) < 0)
		errormsg_set("%s could not be marked as closed", pool->path);
	pool_destroy(pool);
}
