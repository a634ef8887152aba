/* SPDX-License-Identifier: BSD-3-Clause */
#include "repair/locked.h"

#include <string.h>

#include "btt/find.h"
#include "pool/header.h"

/* Whether the lock alone keeps this library from the pool. unlocked: the header without it. */
static bool is_locked(struct image *image, struct pool_header *unlocked)
{
	struct pool_header *h = image->header;
	struct pool_header before;
	int ret;

	if (image->nheader != 1 || !pool_header_is_sealed(h) ||
	    !pool_header_has(h->incompat, POOL_INCOMPAT_LOCKED))
		return false;
	*unlocked = *h;
	unlocked->incompat =
	    cpu_to_le32(le32_to_cpu(h->incompat) & ~POOL_INCOMPAT_LOCKED);
	pool_header_seal(unlocked);
	before = *h;
	*h = *unlocked;
	ret = image_check_headers(image);
	*h = before;
	return ret == 0;
}

static bool has_equal_copy(const struct image *image, const struct btt_found_arena *a)
{
	const struct storage *s = &image->storage;

	return memcmp(storage_at(s, a->off),
		      storage_at(s, a->off + a->info.geo.info_arena_off),
		      BTT_INFO_SIZE) == 0;
}

static bool is_complete(const struct image *image, const struct btt_found *found)
{
	const struct btt_params *p = &image->params;
	uint64_t start = 0;

	for (unsigned i = 0; i < found->narena; i++) {
		const struct btt_found_arena *a = &found->arena[i];

		/* with this size, all of the arena is in the pool */
		if (a->info.geo.size != btt_geometry_arena_size(p->data_size, start) ||
		    !has_equal_copy(image, a))
			return false;
		start += a->info.geo.size;
	}
	return btt_geometry_arena_size(p->data_size, start) == 0;
}

int locked_repair(struct image *image, struct plan *plan)
{
	struct pool_header unlocked;
	struct btt_found found;
	bool complete;
	int ret;

	if (!is_locked(image, &unlocked))
		return 0;
	ret = btt_find_layout(&image->storage, &image->params, &found);
	if (ret < 0)
		return ret;
	complete = is_complete(image, &found);
	btt_find_free(&found);
	if (!complete)
		return 0;
	ret =
	    plan_note(plan, "header: the pool is locked, because it was interrupted when "
			    "it grew; all else was done, and it is unlocked");
	if (ret == 0)
		ret =
		    plan_change(plan, image, PLAN_HEADER, 0, &unlocked, sizeof(unlocked));
	image_load_params(image);
	return ret;
}
