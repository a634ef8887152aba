/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The first layout, in three durable steps whatever the number of arenas:
 *
 *   1. all maps and flogs   2. all info blocks   3. all copies of the info blocks
 *
 * So behind a valid info block the maps and flogs are complete. And if an info block is damaged
 * and its copy is valid, this is always damage, and never an interrupted layout.
 */
#include "btt/layout.h"

#include <errno.h>

#include "base/alloc.h"
#include "btt/nonzero.h"
#include "btt/flog.h"
#include "btt/poison.h"
#include "btt/recover.h"
#include "errormsg.h"

static void renew_zeros(struct btt *btt, struct storage_step *step, uint64_t off,
			uint64_t end)
{
	static const unsigned char zeros[BTT_PAGE];

	for (; off < end; off += BTT_PAGE)
		storage_renew(btt->storage, step, off, zeros, BTT_PAGE);
}

/*
 * Makes a map initial. Only pages that hold something else are written, so that a new sparse file
 * of a terabyte stays sparse. In a user's file, zeros may come from an earlier attempt and not be
 * on the medium, so they are stored again (R14). A file that the library made has never held
 * anything else.
 */
static void clear_map(struct btt *btt, struct btt_arena *arena, struct storage_step *step)
{
	uint64_t end = arena->map_off + arena->info.geo.map_size;
	uint64_t off = arena->map_off;

	if (btt->maps_untouched)
		return;
	while (off < end) {
		uint64_t next = btt_nonzero_find(btt->storage, off, end);

		next -= next % BTT_PAGE;
		if (!btt->params.zeroed)
			renew_zeros(btt, step, off, next);
		if (next < end)
			storage_zero(btt->storage, step, next, BTT_PAGE);
		off = next + BTT_PAGE;
	}
}

static void write_flog(struct btt *btt, struct btt_arena *arena,
		       struct storage_step *step)
{
	for (unsigned n = 0; n < BTT_NFREE; n++) {
		struct btt_flog_slot_media slot;

		btt_flog_encode_pristine(n, arena->info.geo.external_nlba, &slot);
		storage_write(btt->storage, step, btt_arena_slot_off(arena, n), &slot,
			      sizeof(slot));
	}
}

static int write_layout(struct btt *btt, struct btt_arena *arena, unsigned narena)
{
	struct storage *s = btt->storage;
	struct storage_step step = STORAGE_STEP_INIT;
	struct btt_info_media block;
	int ret;

	for (unsigned i = 0; i < narena; i++) {
		clear_map(btt, &arena[i], &step);
		write_flog(btt, &arena[i], &step);
	}
	ret = storage_fence(s, &step);
	if (ret)
		return ret;
	for (unsigned i = 0; i < narena; i++) {
		btt_info_encode(&arena[i].info, &btt->params.parent, &block);
		storage_write(s, &step, arena[i].off, &block, sizeof(block));
	}
	ret = storage_fence(s, &step);
	if (ret)
		return ret;
	for (unsigned i = 0; i < narena; i++) {
		btt_info_encode(&arena[i].info, &btt->params.parent, &block);
		storage_write(s, &step, arena[i].off + arena[i].info.geo.info_arena_off,
			      &block, sizeof(block));
	}
	return storage_fence(s, &step);
}

/* Makes the arenas' run-time state. Stores nothing yet. */
static int plan_arenas(struct btt *btt, struct btt_arena *arena, unsigned narena)
{
	uint64_t start = 0;
	struct uuid uuid;
	int ret = uuid_generate(&uuid);

	for (unsigned i = 0; !ret && i < narena; i++) {
		uint64_t size = btt_geometry_arena_size(btt->params.data_size, start);
		struct btt_info info = {.uuid = uuid};

		if (btt_geometry_arena(size, btt->params.bsize, &info.geo))
			return errormsg_fail(EINVAL,
					     "%s: blocks of %u bytes do not fit arena %u",
					     btt->params.name, btt->params.bsize, i);
		start += size;
		info.has_next =
		    btt_geometry_arena_size(btt->params.data_size, start) != 0;
		ret = btt_arena_init(&arena[i], btt, btt->params.data_off + start - size,
				     &info);
	}
	return ret;
}

int btt_layout_format_locked(struct btt *btt)
{
	struct storage_step step = STORAGE_STEP_INIT;
	struct btt_arena *arena;
	unsigned narena = 0;
	uint64_t start = 0;
	uint64_t size;
	bool damaged = false;
	int ret;

	while ((size = btt_geometry_arena_size(btt->params.data_size, start)) != 0) {
		start += size;
		narena++;
	}
	arena = alloc_zeroed(narena * sizeof(*arena));
	if (!arena)
		return errormsg_fail(ENOMEM, "%s: out of memory for %u arenas",
				     btt->params.name, narena);
	ret = plan_arenas(btt, arena, narena);
	if (!ret) {
		btt_note_progress(btt, BTT_BEING_LAID_OUT);
		ret = write_layout(btt, arena, narena);
		if (ret)
			ret = btt_poison(btt, ret);
	}
	if (ret) {
		btt_arena_free_all(arena, narena);
		return ret;
	}
	for (unsigned i = 0; i < narena; i++)
		btt_recover_flog(btt, &arena[i], &step, &damaged);
	btt->arena = arena;
	btt->narena = narena;
	/* before the arenas are published: after that, a sync of another thread may fail */
	btt_note_progress(btt, BTT_LAID_OUT);
	btt_arena_publish(btt);
	return 0;
}
