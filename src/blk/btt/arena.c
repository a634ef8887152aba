/* SPDX-License-Identifier: BSD-3-Clause */
#include "btt/arena.h"

#include <errno.h>

#include "base/alloc.h"
#include "errormsg.h"

int btt_arena_init(struct btt_arena *arena, const struct btt *btt, uint64_t off,
		   const struct btt_info *info)
{
	arena->off = off;
	arena->data_off = off + info->geo.data_arena_off;
	arena->map_off = off + info->geo.map_arena_off;
	arena->flog_off = off + info->geo.flog_arena_off;
	arena->info = *info;
	arena->first_lock =
	    (uint32_t)((off - btt->params.data_off) / BTT_ARENA_MAX_SIZE) * BTT_MAP_LOCKS;
	atomic_init(&arena->read_only, info->error);
	arena->map_lock = alloc_aligned(BTT_MAP_LOCKS * sizeof(*arena->map_lock));
	arena->slot = alloc_aligned(BTT_NFREE * sizeof(*arena->slot));
	arena->owns_version = !btt->params.versions;
	if (arena->owns_version)
		arena->version = alloc_aligned(BTT_MAP_LOCKS * sizeof(*arena->version));
	else
		arena->version = btt->params.versions + arena->first_lock;
	if (btt->storage->eager_flush) {
		arena->durable_words =
		    info->geo.external_nlba / (BTT_LOCK_ENTRIES * 64) + 1;
		arena->durable = alloc_zeroed((size_t)BTT_MAP_LOCKS *
					      arena->durable_words * sizeof(uint64_t));
	}
	if (!arena->map_lock || !arena->slot || !arena->version ||
	    (btt->storage->eager_flush && !arena->durable))
		return errormsg_fail(ENOMEM, "%s: out of memory for an arena",
				     btt->params.name);
	arena->view = (struct btt_view){
	    .map = storage_at(btt->storage, arena->map_off),
	    .data = storage_at(btt->storage, arena->data_off),
	    .nblock = info->geo.internal_nlba,
	    .stride = info->geo.internal_lbasize,
	    .bsize = btt->params.bsize,
	    .version = arena->version,
	    .copy_out = btt->storage->ops->copy_out,
	};
	return 0;
}

static bool is_same_view(const struct btt_view *a, const struct btt_view *b)
{
	return a->map == b->map && a->data == b->data && a->nblock == b->nblock &&
	       a->stride == b->stride && a->bsize == b->bsize &&
	       a->version == b->version && a->copy_out == b->copy_out;
}

/*
 * If a takeover has failed half-way, readers may still use the view of its table. The view of the
 * next attempt is the same, unless the medium has changed.
 */
static void publish_fast(struct btt *btt)
{
	const struct btt_view *view = &btt->arena->view;

	if (!btt->fast->view.map)
		btt->fast->view = *view;
	if (is_same_view(&btt->fast->view, view))
		atomic_store_explicit(&btt->fast->nblock,
				      btt->arena->info.geo.external_nlba,
				      memory_order_release);
}

/*
 * In this order: as soon as other threads can write, a sync of theirs may fail and close the fast path
 * for good.
 */
void btt_arena_publish(struct btt *btt)
{
	publish_fast(btt);
	atomic_store_explicit(&btt->nfirst, btt->arena->info.geo.external_nlba,
			      memory_order_release);
}

void btt_arena_fini(struct btt_arena *arena)
{
	alloc_free_aligned(arena->map_lock);
	alloc_free_aligned(arena->slot);
	alloc_free(arena->durable);
	if (arena->owns_version)
		alloc_free_aligned(arena->version);
	arena->version = NULL;
	arena->map_lock = NULL;
	arena->slot = NULL;
	arena->durable = NULL;
}

void btt_arena_free_all(struct btt_arena *arena, unsigned n)
{
	for (unsigned i = 0; arena && i < n; i++)
		btt_arena_fini(&arena[i]);
	alloc_free(arena);
}
