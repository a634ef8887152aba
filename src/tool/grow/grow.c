/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a pool grows. The last arena becomes larger: its map, its flog and the copy of its info
 * block move to its new end, and every new block owns one of the data blocks that are added
 * (grow/metadata.c). An arena has at most 512 GiB. If space is left behind it, further arenas
 * follow. So the pool has the same arenas, and as many blocks, as a new pool of that length. No
 * data block moves, and no block changes.
 *
 * The first info block of the last arena decides which metadata are in use. It has to be replaced,
 * and the power may fail while it is written. Then the info block is torn. This library recovers a
 * torn info block from the copy at the arena's new end. The original treats the pool as an empty
 * one, and its next write destroys the pool. So the pool is locked while the info block is
 * written: the header gets an incompat feature that no library knows, and every library refuses
 * the pool. If the header itself is torn, its checksum is wrong, and every library refuses the
 * pool, too.
 *
 * The stores have the following order. Each step is durable before the next one begins.
 *
 *   1. The file gets its new length.
 *   2. Ahead (grow/ahead.c): the new metadata behind the old end of the file are stored: the new
 *      map, the new flog and the new arenas, but not the new copy of the info block.
 *   3. PLAN_GROW_BEHIND: new metadata are stored over bytes of the old file that belong to no
 *      arena. There are such bytes if the length of the file is not a multiple of the page, or if
 *      an interrupted grow has made the file longer.
 *   4. PLAN_GROW_LOCK: the header is locked.
 *   5. If the last arena grows:
 *      PLAN_GROW_OLD_COPY: the old copy of the info block is overwritten, with new metadata or with
 *      zeros. This tells a repair that other old metadata may be overwritten, too, even if somebody
 *      gives the file its old length back (repair/locked.h). Zeros are stored where a new data block
 *      will be. If the old copy stayed there until this block is written, and the new info block and
 *      the new copy were both damaged, the pool would be restored from it, with metadata of long
 *      ago.
 *      PLAN_GROW_MOVE: if old and new metadata overlap, the other new ones are stored over the old
 *      ones.
 *      In either case the new copy of the info block is stored then. If it were there earlier,
 *      and the power failed, the pool would go on as the old one. If its info block were damaged
 *      one day, it would be restored from the new copy, with the metadata of long ago.
 *   6. PLAN_INFO: the first info block is replaced.
 *   7. PLAN_INFO_COPY: its copy is replaced, if the arena keeps its size and gets a successor. If
 *      the arena grows, its new copy has another place, and was stored before.
 *   8. PLAN_GROW_UNLOCK: the header gets its old bytes back.
 *
 * What a power cut leaves:
 *
 *   in 1 to 3	 The old pool, perhaps in a longer file. Every library opens it, because an info
 *		 block states its own place, and nothing refers to the new bytes yet.
 *   in 4 to 8	 The old pool, the new pool, or a pool that no library opens. The message says that
 *		 a grow was interrupted. The backup undoes it. If just step 8 is missing, a repair
 *		 does it (repair/locked.h).
 *
 * (tests/tool/test_grow_power cuts the power in each step, and asks this library and the original.)
 *
 * Old and new metadata overlap if the arena grows by less than their size. That is 1/129 of the
 * arena with blocks of 512 bytes, and 1/1025 with 4 KiB. A common case is a file of 512 GiB: its
 * arena begins 8 KiB behind the start of the file, and grows by these 8 KiB before another one
 * follows. The new map never begins below the old one. So it does not reach the old data blocks.
 *
 * The backup holds the length of the old file, and all its bytes that change. An undo restores them
 * in the opposite order, and locks the pool first (repair/undo.h). The backup also holds checksums
 * of the maps and flogs. If they do not match, the pool was used since the grow, and the undo is
 * refused.
 *
 * Only a consistent pool grows. A pool with an interrupted write is consistent: the flog record and
 * the map entry of the write are copied unchanged, and the next open completes the write.
 *
 * Not handled: pools do not shrink. Pool sets do not grow, because this would need a larger last
 * part. The shutdown state is not used: if a memory module loses what was flushed during a grow, no
 * error reports this.
 */
#include "grow/grow.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool_format.h"
#include "errormsg.h"
#include "grow/ahead.h"
#include "image/why.h"
#include "pool/header.h"
#include "repair/backup.h"
#include "repair/verdict.h"

/* --- the plan ------------------------------------------------------------------------------ */

/*
 * Whether the info block's copy of the arena that grows comes to off. It is stored after everything
 * else that is new.
 */
static bool is_new_copy(const struct grow *g, uint64_t off)
{
	const struct metadata_arena *a = &g->metadata.arena[0];

	return g->metadata.moves && off == a->off + a->geo.info_arena_off;
}

/* Adds the bytes [x, end) of an arena's metadata to the plan's areas, with their checksum. */
static int MUST_CHECK add_area(struct grow *g, struct plan *plan, unsigned arena,
			       uint64_t x, uint64_t end)
{
	const struct metadata *m = &g->metadata;
	const struct metadata_arena *a = &m->arena[arena];
	struct storage *s = &g->image->storage;
	uint64_t sum = BACKUP_SUM_START;
	unsigned char page[BTT_PAGE];

	for (uint64_t at = metadata_next(m, s, arena, x); at < end;
	     at = metadata_next(m, s, arena, at + BTT_PAGE)) {
		metadata_make(m, s, arena, at, page);
		sum = backup_sum_page(sum, a->off + at, page);
		if (ahead_has(g, a, at, page) && !is_new_copy(g, a->off + at))
			g->nstore += BTT_PAGE;
	}
	return plan_add_area(plan, a->off + x, end - x, sum);
}

/* Adds map and flog of an arena that stays as it is. */
static int MUST_CHECK add_kept_area(struct grow *g, struct plan *plan,
				    const struct btt_found_arena *a)
{
	uint64_t map = a->off + a->info.geo.map_arena_off;
	uint64_t end = a->off + a->info.geo.info_arena_off;

	return plan_add_area(plan, map, end - map,
			     backup_sum_area(&g->image->storage, map, end));
}

static int MUST_CHECK add_areas(struct grow *g, struct plan *plan)
{
	unsigned nkept = g->found.narena - g->metadata.moves;
	int ret = 0;

	for (unsigned i = 0; i < nkept && ret == 0; i++)
		ret = add_kept_area(g, plan, &g->found.arena[i]);
	for (unsigned i = 0; i < g->metadata.narena && ret == 0; i++) {
		const struct btt_geometry *geo = &g->metadata.arena[i].geo;

		if (i > 0 || !g->metadata.moves)
			ret = add_area(g, plan, i, 0, BTT_INFO_SIZE);
		if (ret == 0)
			ret = add_area(g, plan, i, geo->map_arena_off, geo->size);
	}
	return ret;
}

/*
 * The new metadata inside of the old file are made durable, also where nothing changes: perhaps an
 * interrupted grow has stored them, and its sync has failed.
 */
static int MUST_CHECK add_basis(const struct grow *g, struct plan *plan)
{
	int ret = plan_add_basis(plan, 0, POOL_DATA_OFF + BTT_INFO_SIZE);

	for (unsigned i = 0; i < g->metadata.narena && ret == 0; i++) {
		const struct metadata_arena *a = &g->metadata.arena[i];
		uint64_t map = a->geo.map_arena_off;
		uint64_t end = ahead_begin(g, a);

		if (end > a->geo.size)
			end = a->geo.size;
		if (end > 0)
			ret = plan_add_basis(plan, a->off, BTT_INFO_SIZE);
		if (ret == 0 && end > map)
			ret = plan_add_basis(plan, a->off + map, end - map);
	}
	return ret;
}

static uint64_t next_stored(struct grow *g, uint64_t off, uint64_t end)
{
	struct storage *s = &g->image->storage;
	uint64_t known = image_length(g->image);
	uint64_t at = off;

	known -= known % POOL_PAGE;
	if (at < known && s->next_data)
		at = s->next_data(s, at, end < known ? end : known);
	return at < end ? at - at % POOL_PAGE : end;
}

/*
 * Returns the first page of metadata, from x on, that may change. A page does not change if it is
 * a hole in the old file and its new contents are zeros.
 */
static uint64_t next_change(struct grow *g, unsigned arena, uint64_t x, uint64_t end)
{
	const struct metadata_arena *a = &g->metadata.arena[arena];
	uint64_t made = metadata_next(&g->metadata, &g->image->storage, arena, x);
	uint64_t stored;

	if (x > 0 && x < a->geo.map_arena_off)
		x = a->geo.map_arena_off;
	if (x >= end)
		return end;
	stored = next_stored(g, a->off + x, a->off + end) - a->off;
	return made < stored ? made : stored;
}

/* The phase in which new metadata are stored over the bytes at off of the old file. */
static enum plan_phase phase_of(const struct grow *g, uint64_t off)
{
	const struct btt_found_arena *last = &g->found.arena[g->found.narena - 1];

	if (is_new_copy(g, off))
		return PLAN_GROW_MOVE; /* not while the pool can be opened */
	if (off >= last->off + last->info.geo.size)
		return PLAN_GROW_BEHIND;
	return off == last->off + last->info.geo.info_arena_off ? PLAN_GROW_OLD_COPY
								: PLAN_GROW_MOVE;
}

/*
 * Plans the new metadata that replace bytes of the old file. The order is from the last page to the
 * first. The reason: a new page is made from the old page at the same place or from one before it,
 * and this old page must still be unchanged at that moment.
 */
static int MUST_CHECK plan_pages(struct grow *g, struct plan *plan, unsigned arena)
{
	const struct metadata_arena *a = &g->metadata.arena[arena];
	bool moves = arena == 0 && g->metadata.moves;
	uint64_t end = ahead_begin(g, a) < a->geo.size ? ahead_begin(g, a) : a->geo.size;
	uint64_t first = moves ? a->geo.map_arena_off : 0;
	unsigned char page[BTT_PAGE];
	uint64_t *at = NULL;
	size_t n = 0;
	int ret = 0;

	for (uint64_t x = first; (x = next_change(g, arena, x, end)) < end;
	     x += BTT_PAGE) {
		if ((n & (n - 1)) == 0) {
			uint64_t *grown = reallocarray(at, n ? 2 * n : 1, sizeof(*at));

			if (!grown) {
				free(at);
				return errormsg_fail(ENOMEM, "out of memory for the list "
							     "of changes");
			}
			at = grown;
		}
		at[n++] = x;
	}
	while (ret == 0 && n-- > 0) {
		metadata_make(&g->metadata, &g->image->storage, arena, at[n], page);
		ret = plan_change(plan, g->image, phase_of(g, a->off + at[n]),
				  a->off + at[n], page, sizeof(page));
	}
	free(at);
	return ret;
}

/*
 * Plans the missing copies of info blocks, in the arenas that do not grow. Copies are missing if
 * the layout was interrupted before it had stored all of them.
 */
static int MUST_CHECK plan_missing_copies(struct grow *g, struct plan *plan)
{
	int ret = 0;

	for (unsigned i = 0; i + 1 < g->found.narena && ret == 0; i++) {
		const struct btt_found_arena *a = &g->found.arena[i];

		if (!a->copy_valid)
			ret = plan_change(plan, g->image, PLAN_GROW_BEHIND,
					  a->off + a->info.geo.info_arena_off,
					  storage_at(&g->image->storage, a->off),
					  BTT_INFO_SIZE);
	}
	return ret;
}

static int MUST_CHECK plan_header(struct grow *g, struct plan *plan,
				  const struct pool_header *h, enum plan_phase phase)
{
	int ret =
	    plan_change(plan, g->image, phase, offsetof(struct pool_header, incompat),
			&h->incompat, sizeof(h->incompat));

	if (ret == 0)
		ret = plan_change(plan, g->image, phase,
				  offsetof(struct pool_header, checksum), &h->checksum,
				  sizeof(h->checksum));
	return ret;
}

/*
 * Plans two changes of the header: the first locks the pool, the second unlocks it. All stores
 * that could do harm if the power fails are between the two.
 */
static int MUST_CHECK plan_lock(struct grow *g, struct plan *plan)
{
	struct pool_header before;
	struct pool_header locked;
	int ret;

	memcpy(&before, storage_at(&g->image->storage, 0), sizeof(before));
	locked = before;
	locked.incompat =
	    cpu_to_le32(le32_to_cpu(before.incompat) | POOL_INCOMPAT_LOCKED);
	pool_header_seal(&locked);
	ret = plan_header(g, plan, &locked, PLAN_GROW_LOCK);
	return ret == 0 ? plan_header(g, plan, &before, PLAN_GROW_UNLOCK) : ret;
}

/*
 * Plans the last info block, and its copy: the new one, if the arena keeps its size. If the arena
 * grows, the old copy is cleared where new metadata do not replace it.
 */
static int MUST_CHECK plan_info(struct grow *g, struct plan *plan)
{
	static const unsigned char zeros[BTT_INFO_SIZE];
	const struct btt_found_arena *last = &g->found.arena[g->found.narena - 1];
	uint64_t copy = g->metadata.old.info_arena_off;
	int ret =
	    plan_change(plan, g->image, PLAN_INFO, last->off, &g->last, sizeof(g->last));

	if (ret < 0)
		return ret;
	if (!g->metadata.moves)
		return plan_change(plan, g->image, PLAN_INFO_COPY, last->off + copy,
				   &g->last, sizeof(g->last));
	if (copy >= g->metadata.arena[0].geo.map_arena_off)
		return 0;
	return plan_change(plan, g->image, PLAN_GROW_OLD_COPY, last->off + copy, zeros,
			   sizeof(zeros));
}

static int MUST_CHECK plan_all(struct grow *g, struct plan *plan)
{
	int ret = add_basis(g, plan);

	if (ret == 0)
		ret = add_areas(g, plan);
	if (ret == 0)
		ret = plan_missing_copies(g, plan);
	for (unsigned i = 0; i < g->metadata.narena && ret == 0; i++)
		ret = plan_pages(g, plan, i);
	if (ret == 0)
		ret = plan_lock(g, plan);
	return ret == 0 ? plan_info(g, plan) : ret;
}

static int allocate_ahead(void *arg, struct image *image)
{
	return ahead_allocate(arg, image);
}

static int store_ahead(void *arg, struct storage *s)
{
	return ahead_store(arg, s);
}

static int store_copy(void *arg, struct storage *s)
{
	return ahead_store_copy(arg, s);
}

struct planning {
	struct grow *grow;
	struct plan *plan;
};

static int plan_guarded(void *arg)
{
	struct planning *p = arg;

	return plan_all(p->grow, p->plan);
}

int grow_plan(struct grow *g, struct plan *plan)
{
	struct planning p = {g, plan};
	uint64_t length = image_length(g->image);
	int ret = 0;

	if (length % POOL_PAGE)
		ret = image_extend(g->image, &length);
	if (ret == 0)
		ret = plan_note(plan, "%llu blocks become %llu", ULL(g->nblock_before),
				ULL(g->nblock));
	if (ret < 0)
		return ret;
	g->image_end = length;
	g->ahead = (struct plan_ahead){allocate_ahead, store_ahead, store_copy, g};
	plan->ahead = &g->ahead;
	plan->extend_to = g->length;
	plan->parent = g->image->params.parent;
	return image_run(g->image, plan_guarded, &p);
}

/* --- a pool without a layout ------------------------------------------------------------- */

static int recheck(void *arg)
{
	struct grow *g = arg;
	struct btt_found found;
	bool consistent;
	int ret = verdict_of(g->image, &consistent);

	if (ret < 0 || !consistent)
		return ret < 0 ? ret : -EIO;
	ret = btt_find_layout(&g->image->storage, &g->image->params, &found);
	if (ret == 0 && found.layout != BTT_LAYOUT_NONE)
		ret =
		    errormsg_fail(EIO, "%s is laid out all of a sudden", g->image->path);
	btt_find_free(&found);
	return ret;
}

int grow_lengthen(struct grow *g)
{
	struct image *image = g->image;
	uint64_t before = image_length(image);
	struct why why;
	int ret = image_lengthen(image, g->length);

	if (ret == 0)
		ret = image_refresh(image);
	if (ret == 0)
		ret = image_run(image, recheck, g);
	if (ret == 0)
		return 0;
	why_keep(&why);
	if (image_lengthen(image, before) == 0)
		why_restore(&why);
	return ret;
}
