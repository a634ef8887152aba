/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Restores info blocks: the primary from the copy, and the copy from the primary. If an arena has
 * lost both, they are computed from the sizes of the pool and of its blocks. This is done only if
 * there is evidence that the pool was laid out with these sizes:
 *
 *   1. The flog must be where the computed info block puts it, with records that make sense.
 *   2. The slots that were never used must agree with the computed number of blocks: slot n names
 *      data block external_nlba + n.
 *   3. The remains of the info blocks must not name another block size.
 *   4. The info block must not be sound and state a larger arena. Then the file was cut off. If the
 *      pool had grown before, the flog that is there now may be the old one.
 *
 * If all that lies behind some point of the map is zero up to the arena's end, the file was cut off
 * and made longer again. Initial map entries are zeros, too, so nothing tells how much of the map is
 * lost. With a new flog all blocks behind that point would read as zeros.
 */
#include "repair/infos.h"

#include <errno.h>
#include <string.h>

#include "base/uuid.h"
#include "btt/find.h"
#include "btt/flog.h"
#include "btt/map.h"
#include "btt/nonzero.h"
#include "errormsg.h"

/*
 * So many of an arena's 256 flog slots have to make sense. If the flog is a page away from where
 * it is looked for, at most three quarters of them do.
 */
#define ENOUGH_SLOTS (BTT_NFREE * 7 / 8)

static int MUST_CHECK copy_page(struct image *image, struct plan *plan,
				enum plan_phase phase, uint64_t to, uint64_t from)
{
	unsigned char page[BTT_INFO_SIZE];

	memcpy(page, storage_at(&image->storage, from), sizeof(page));
	return plan_store(plan, image, phase, to, page, sizeof(page));
}

/*
 * Restores a copy that was cut off with the file's last page, which the file gets back. Only a
 * single file is extended. The page is stored even if just zeros were cut off and nothing in it
 * changes: an undo knows an extended file by it.
 */
static int MUST_CHECK restore_last_page(struct image *image, struct plan *plan,
					const struct btt_found_arena *arena,
					unsigned number)
{
	uint64_t copy = arena->off + arena->info.geo.info_arena_off;
	int ret;

	if (image->set->npart != 1 || image->set->is_file || copy != image->map.size)
		return plan_note_hopeless(
		    plan,
		    "arena %u: the file was cut off before the info "
		    "block's copy and must be given its length first",
		    number);
	ret =
	    plan_note(plan,
		      "arena %u: the info block's copy was cut off; the file is extended "
		      "by a page for it",
		      number);
	if (ret == 0)
		ret = image_extend(image, &plan->extend_to);
	if (ret == 0)
		plan_replay(plan, image);
	if (ret == 0)
		ret = copy_page(image, plan, PLAN_INFO_COPY, copy, arena->off);
	return ret;
}

/* Whether the arena has lost its end, and perhaps a part of its map. */
static bool has_lost_end(struct image *image, const struct btt_found_arena *arena)
{
	const struct btt_geometry *geo = &arena->info.geo;
	uint64_t last_entry = arena->off + geo->map_arena_off +
			      (uint64_t)(geo->external_nlba - 1) * BTT_MAP_ENTRY_SIZE;
	uint64_t end = arena->off + geo->size;

	return arena->copy_fits &&
	       btt_nonzero_find(&image->storage, last_entry, end) == end;
}

static int MUST_CHECK restore_one(struct image *image, struct plan *plan,
				  const struct btt_found_arena *arena, unsigned number)
{
	uint64_t copy = arena->off + arena->info.geo.info_arena_off;
	int ret = 0;

	if (has_lost_end(image, arena))
		return plan_note_hopeless(
		    plan,
		    "arena %u: the end of its map, its flog and the info block's copy "
		    "hold only zeros: the file has lost its end, and blocks may be lost "
		    "with it",
		    number);
	if (!arena->primary_valid) {
		ret = plan_note(
		    plan,
		    "arena %u: the info block is damaged; it is restored from its "
		    "copy",
		    number);
		if (ret == 0)
			ret = copy_page(image, plan, PLAN_INFO, arena->off, copy);
	} else if (!arena->copy_fits) {
		ret = restore_last_page(image, plan, arena, number);
	} else if (!arena->copy_valid) {
		ret = plan_note(
		    plan,
		    "arena %u: the info block's copy is damaged; it is restored "
		    "from the info block",
		    number);
		if (ret == 0)
			ret = copy_page(image, plan, PLAN_INFO_COPY, copy, arena->off);
	}
	return ret;
}

static bool makes_sense(const struct btt_flog_slot_media *slot,
			const struct btt_geometry *geo)
{
	struct btt_flog_record r[2];
	int cur;

	btt_flog_decode(slot, r);
	cur = btt_flog_find_current(r[0].seq, r[1].seq);
	return cur >= 0 && r[cur].seq >= 1 && r[cur].seq <= 3 &&
	       r[cur].premap < geo->external_nlba &&
	       btt_map_postmap(r[cur].old_map) < geo->internal_nlba &&
	       btt_map_postmap(r[cur].new_map) < geo->internal_nlba;
}

/* Whether slot n is as the layout makes it, for whatever number of blocks. */
static bool is_never_used(const struct btt_flog_slot_media *slot, unsigned n)
{
	struct btt_flog_slot_media pristine;
	struct btt_flog_record r[2];

	btt_flog_decode(slot, r);
	btt_flog_encode_pristine(n, btt_map_postmap(r[0].old_map) - n, &pristine);
	return memcmp(slot, &pristine, sizeof(pristine)) == 0;
}

static bool has_flog(const struct image *image, uint64_t off,
		     const struct btt_geometry *geo)
{
	unsigned n = 0;
	unsigned same = 0;  /* slots never used that agree with geo */
	unsigned other = 0; /* those that do not */

	for (unsigned i = 0; i < BTT_NFREE; i++) {
		const struct btt_flog_slot_media *slot =
		    storage_at(&image->storage, off + geo->flog_arena_off +
						    (uint64_t)i * BTT_FLOG_SLOT_SIZE);

		if (makes_sense(slot, geo))
			n++;
		if (!is_never_used(slot, i))
			continue;
		if (btt_map_postmap(le32_to_cpu(slot->record[0].old_map)) ==
		    geo->external_nlba + i)
			same++;
		else
			other++;
	}
	return n >= ENOUGH_SLOTS && same >= other;
}

/* The block size in the damaged info block at `at`. 0: its signature is gone, too. */
static uint32_t read_bsize(const struct image *image, uint64_t at)
{
	struct btt_info_media m;

	memcpy(&m, storage_at(&image->storage, at), sizeof(m));
	return memcmp(m.signature, BTT_INFO_SIGNATURE, BTT_INFO_SIGNATURE_SIZE) == 0
		   ? le32_to_cpu(m.external_lbasize)
		   : 0;
}

/* Whether the remains of both info blocks name geo's block size, or none. */
static bool has_bsize(const struct image *image, uint64_t off,
		      const struct btt_geometry *geo)
{
	uint32_t first = read_bsize(image, off);
	uint32_t copy = read_bsize(image, off + geo->info_arena_off);

	return first == geo->external_lbasize || copy == geo->external_lbasize ||
	       (first == 0 && copy == 0);
}

/* Reads the info block at `at` of the arena at off. false: it is not valid. */
static bool decode(const struct image *image, uint64_t off, uint64_t at,
		   struct btt_info *info)
{
	const struct btt_params *p = &image->params;
	uint64_t room = p->data_off + p->data_size - off;

	return btt_info_decode(storage_at(&image->storage, at), &p->parent, p->bsize,
			       room, info) == BTT_INFO_VALID &&
	       (at == off || at == off + info->geo.info_arena_off);
}

static int MUST_CHECK rebuild_one(struct image *image, struct plan *plan, uint64_t off,
				  const struct btt_info *info, unsigned number)
{
	struct btt_info_media block;
	int ret;

	if (btt_find_is_cut_off(&image->storage, &image->params, off))
		return plan_note_hopeless(plan,
					  "arena %u: the file was cut off: its info "
					  "block is intact, but states "
					  "a larger arena",
					  number);
	if (!has_flog(image, off, &info->geo))
		return plan_note_hopeless(
		    plan,
		    "arena %u: both info blocks are damaged, and there is no flog where "
		    "the size of the pool would put it",
		    number);
	if (!has_bsize(image, off, &info->geo))
		return plan_note_hopeless(
		    plan,
		    "arena %u: both info blocks are damaged, and what is left of them "
		    "does not say that blocks have %u bytes",
		    number, image->params.bsize);
	ret = plan_note(
	    plan,
	    "arena %u: both info blocks are damaged; they follow from the sizes of "
	    "pool and blocks",
	    number);
	btt_info_encode(info, &image->params.parent, &block);
	if (ret == 0)
		ret = plan_change(plan, image, PLAN_INFO, off, &block, sizeof(block));
	if (ret == 0)
		ret = plan_change(plan, image, PLAN_INFO_COPY,
				  off + info->geo.info_arena_off, &block, sizeof(block));
	return ret;
}

/* The uuid of the layout. If no arena has it any more, a new one. */
static int MUST_CHECK find_uuid(const struct image *image, struct uuid *uuid)
{
	const struct btt_params *p = &image->params;
	uint64_t start = 0;
	uint64_t size;

	while ((size = btt_geometry_arena_size(p->data_size, start)) != 0) {
		uint64_t off = p->data_off + start;
		struct btt_info info;

		start += size;
		if (decode(image, off, off, &info) ||
		    decode(image, off, off + size - BTT_INFO_SIZE, &info)) {
			*uuid = info.uuid;
			return 0;
		}
	}
	return uuid_generate(uuid);
}

/* At least one arena has no valid info block: finds the arenas from the pool's size instead. */
static int MUST_CHECK rebuild_lost(struct image *image, struct plan *plan)
{
	const struct btt_params *p = &image->params;
	struct uuid uuid;
	uint64_t start = 0;
	uint64_t size;
	int ret = find_uuid(image, &uuid);

	for (unsigned n = 0; ret == 0 && !plan->cannot_be_mended &&
			     (size = btt_geometry_arena_size(p->data_size, start)) != 0;
	     n++) {
		uint64_t off = p->data_off + start;
		struct btt_info info;

		start += size;
		if (decode(image, off, off, &info) ||
		    decode(image, off, off + size - BTT_INFO_SIZE, &info))
			continue;
		info = (struct btt_info){
		    .uuid = uuid,
		    .has_next = btt_geometry_arena_size(p->data_size, start) != 0};
		if (btt_geometry_arena(size, p->bsize, &info.geo))
			return plan_note_hopeless(
			    plan, "arena %u: blocks of %u bytes do not fit it", n,
			    p->bsize);
		ret = rebuild_one(image, plan, off, &info, n);
	}
	return ret;
}

int infos_repair(struct image *image, struct plan *plan)
{
	struct btt_found found;
	int ret;

	if (plan->cannot_be_mended)
		return 0;
	ret = btt_find_layout(&image->storage, &image->params, &found);
	if (ret == 0 && found.layout == BTT_LAYOUT_LOST) {
		btt_find_free(&found);
		ret = rebuild_lost(image, plan);
		if (ret == 0 && !plan->cannot_be_mended)
			ret = btt_find_layout(&image->storage, &image->params, &found);
		if (ret == 0 && !plan->cannot_be_mended &&
		    found.layout == BTT_LAYOUT_LOST)
			ret = plan_note_hopeless(plan, "%s", errormsg_get());
	}
	for (unsigned i = 0; ret == 0 && !plan->cannot_be_mended && i < found.narena; i++)
		ret = restore_one(image, plan, &found.arena[i], i);
	btt_find_free(&found);
	return ret;
}
