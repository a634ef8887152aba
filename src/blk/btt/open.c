/* SPDX-License-Identifier: BSD-3-Clause */
#include "btt/open.h"

#include <errno.h>

#include "base/alloc.h"
#include "btt/arena.h"
#include "btt/find.h"
#include "btt/recover.h"
#include "errormsg.h"

int btt_count_blocks(const char *name, uint64_t data_size, uint32_t bsize,
		     uint64_t *nblock)
{
	if (btt_geometry_count(data_size, bsize, nblock))
		return errormsg_fail(
		    EINVAL,
		    "%s: a data area of %llu bytes cannot hold blocks of %u bytes: "
		    "each arena needs at least %u of them",
		    name, ULL(data_size), bsize, 2 * BTT_NFREE);
	return 0;
}

static int make(struct storage *s, const struct btt_params *params, struct btt **out)
{
	unsigned nlane = params->nlane < BTT_MAX_LANES ? params->nlane : BTT_MAX_LANES;
	struct btt *btt = alloc_aligned(sizeof(*btt));
	int ret;

	*out = btt;
	if (!btt)
		return errormsg_fail(ENOMEM, "%s: out of memory", params->name);
	btt->storage = s;
	btt->params = *params;
	btt->fast = params->fast ? params->fast : &btt->own_fast;
	/*
	 * If a fence is a sync, the cost of a lock does not matter, and a writer that waits for long
	 * waits for a sync and not for a CPU. Besides, a failed sync closes the fast path for good.
	 */
	map_guard_init(&btt->guard, s->eager_flush,
		       s->drops_pages ? NULL : &btt->fast->nblock);
	atomic_init(&btt->nfirst, 0);
	atomic_init(&btt->poisoned, 0);
	atomic_init(&btt->undecided, 0);
	ret = lanes_init(&btt->lanes, nlane ? nlane : 1);
	if (ret) {
		alloc_free_aligned(btt);
		return ret;
	}
	return 0;
}

/* Makes a table without arenas for the layout that was found. */
static int make_found(struct storage *s, const struct btt_params *params,
		      const struct btt_found *found, struct btt **out)
{
	struct btt *btt;
	int ret = make(s, params, &btt);

	if (ret)
		return ret;
	if (found->layout == BTT_LAYOUT_NONE) {
		ret = btt_count_blocks(params->name, params->data_size, params->bsize,
				       &btt->nblock);
		btt->maps_untouched =
		    found->maps_are_holes || (params->zeroed && found->untouched);
	}
	for (unsigned i = 0; found->layout == BTT_LAYOUT_VALID && i < found->narena; i++)
		btt->nblock += found->arena[i].info.geo.external_nlba;
	if (ret)
		btt_close(btt);
	else
		*out = btt;
	return ret;
}

int btt_open_any(struct storage *s, const struct btt_params *params, struct btt **out,
		 enum btt_condition *condition)
{
	struct btt_found found;
	bool damaged = false;
	struct btt *btt = NULL;
	int ret;

	ret = btt_find_layout(s, params, &found);
	if (ret)
		return ret;
	ret = make_found(s, params, &found, &btt);
	if (!ret && found.layout == BTT_LAYOUT_VALID)
		ret = btt_recover(btt, &found, &damaged);
	*condition = found.layout == BTT_LAYOUT_LOST ? BTT_LOST
		     : damaged			     ? BTT_MENDED
						     : BTT_SOUND;
	btt_find_free(&found);
	if (ret)
		btt_close(btt);
	else
		*out = btt;
	return ret;
}

int btt_open(struct storage *s, const struct btt_params *params, struct btt **out)
{
	enum btt_condition condition;
	struct btt *btt;
	int ret;

	ret = btt_open_any(s, params, &btt, &condition);
	if (ret)
		return ret;
	if (condition == BTT_LOST) {
		btt_close(btt);
		return -EINVAL;
	}
	if (btt->narena > 0)
		btt_arena_publish(btt);
	*out = btt;
	return 0;
}

int btt_open_untouched(struct storage *s, const struct btt_params *params,
		       const struct btt *known, struct btt **out)
{
	int ret = make(s, params, out);

	if (ret)
		return ret;
	(*out)->nblock = known->nblock;
	(*out)->maps_untouched = known->maps_untouched;
	return 0;
}

void btt_close(struct btt *btt)
{
	if (!btt)
		return;
	atomic_store_explicit(&btt->fast->nblock, 0, memory_order_relaxed);
	btt_arena_free_all(btt->arena, btt->narena);
	lanes_fini(&btt->lanes);
	alloc_free_aligned(btt);
}

size_t btt_count_versions(uint64_t data_size)
{
	return (size_t)((data_size + BTT_ARENA_MAX_SIZE - 1) / BTT_ARENA_MAX_SIZE *
			BTT_MAP_LOCKS);
}

void btt_raise_versions(struct btt *btt)
{
	for (unsigned i = 0; i < btt->narena; i++)
		for (unsigned n = 0; n < BTT_MAP_LOCKS; n++) {
			struct btt_version *v = &btt->arena[i].version[n];

			atomic_store_explicit(&v->last_thread, 0, memory_order_relaxed);
			atomic_fetch_add_explicit(&v->count, 1, memory_order_release);
		}
	/*
	 * orders the raise before the first store into a block that recovery took out of the map
	 */
	atomic_thread_fence(memory_order_seq_cst);
}

uint64_t btt_nblock(const struct btt *btt)
{
	return btt->nblock;
}

bool btt_is_laid_out(const struct btt *btt)
{
	return atomic_load_explicit(&btt->nfirst, memory_order_acquire) != 0;
}
