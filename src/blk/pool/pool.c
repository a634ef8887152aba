/* SPDX-License-Identifier: BSD-3-Clause */
#include "pool/pool.h"

#include "base/alloc.h"
#include "base/fork_memory.h"
#include "errormsg.h"
#include "pool/build.h"
#include "pool/watched.h"
#include "poolset/fork.h"

void pool_setup(void)
{
	fork_memory_setup();
	poolset_fork_setup();
	pool_owner_setup();
}

void pool_destroy(struct pmemblk *pool)
{
	/* first of all, so that no child that is forked meanwhile has the mapping */
	sigbus_unwatch(&pool->watch);
	poolset_unmap(&pool->map);
	btt_close(atomic_load_explicit(&pool->btt, memory_order_relaxed));
	while (pool->retired) {
		struct retired_btt *next = pool->retired->next;

		btt_close(pool->retired->btt);
		alloc_free(pool->retired);
		pool->retired = next;
	}
	/* in a copy, threads of another process may be inside, which will never leave it */
	if (pool->storage.group && pool_owner_is_self(&pool->owner))
		sync_group_fini(pool->storage.group);
	pool_owner_fini(&pool->owner);
	poolset_deep_fini(&pool->deep);
	alloc_free(pool->path);
	alloc_free(pool);
}

/*
 * The blocks must reach the modules before the mark that says closed. Otherwise the platform
 * could fail to save the blocks, and nobody would notice the loss.
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
 * The pool stays marked as open in these cases: its last sync failed; it met a media error;
 * another process owns it; its owner has ended and no process has taken it over.
 */
void pool_close(struct pmemblk *pool)
{
	if (!pool->is_read_only && pool_owner_is_self(&pool->owner) &&
	    !atomic_load_explicit(&pool->media_failed, memory_order_relaxed) &&
	    make_durable(pool) < 0)
		errormsg_set("%s could not be marked as closed", pool->path);
	pool_destroy(pool);
}
