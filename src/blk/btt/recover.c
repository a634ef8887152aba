/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Recovery of the flog. The current record of each slot says which map entry the last write
 * through that slot has replaced, and its old and new value:
 *
 *   map entry == old, old != new   the write was interrupted before its map store: redo it
 *   anything else                  the write is complete (and the entry may have changed since)
 *
 *   1. The flog is made durable before a map entry is redone. The bytes that are read here need
 *      not be durable: the process that stored them may have been killed a moment ago, and the
 *      power may fail next. A redone map entry must not be on the medium before its record.
 *   2. Afterwards the map update of each current record counts as not durable, because the record
 *      is the only redo of this update. The next write through the slot makes the update durable
 *      before it replaces the record (see btt/btt.c).
 *   3. All that the table will rely on is stored again. A page of a file that could not be
 *      written may be in memory as if it had been written, and would never become durable by
 *      itself. There are two durable steps: first the first info blocks and the flogs, then their
 *      copies and the map entries that the current records name.
 *   4. The map entries of other records are not stored again. The update of such a record was
 *      durable before the slot's next write replaced it as the current one.
 *   5. What is stored again are the bytes that were read a moment before. They are not read once
 *      more: the page may have left the memory in between.
 */
#include "btt/recover.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "btt/flog.h"
#include "btt/map.h"
#include "errormsg.h"

/* Slots of the flog that are stored again together. */
#define SLOTS_AT_ONCE 64u

/* Every record, also one that is not current, has to name a block of the pool. */
static int check_flog_blocks(struct btt *btt, const struct btt_found_arena *arena)
{
	uint64_t flog = arena->off + arena->info.geo.flog_arena_off;

	for (unsigned n = 0; n < BTT_NFREE; n++) {
		uint64_t off = flog + (uint64_t)n * BTT_FLOG_SLOT_SIZE;
		struct btt_flog_record r[2];

		btt_flog_decode(storage_at(btt->storage, off), r);
		for (int i = 0; i < 2; i++)
			if (r[i].premap >= btt->nblock)
				return errormsg_fail(
				    EINVAL,
				    "%s: flog slot %u at offset %#llx names block "
				    "%u of a pool with %llu blocks",
				    btt->params.name, n, ULL(off), r[i].premap,
				    ULL(btt->nblock));
	}
	return 0;
}

/* Whether a block is sound, and states the size of its arena and whether another one follows. */
static bool load_info(const struct btt *btt, const struct btt_found_arena *a,
		      uint64_t off, struct btt_info_media *block)
{
	const struct btt_params *p = &btt->params;
	uint64_t size = a->info.geo.size;
	struct btt_info info;

	memcpy(block, storage_at(btt->storage, off), sizeof(*block));
	return btt_info_decode(block, &p->parent, p->bsize, size, &info) ==
		   BTT_INFO_VALID &&
	       info.geo.size == size && info.has_next == a->info.has_next;
}

static int fail_to_renew(const struct btt *btt, uint64_t off)
{
	return errormsg_fail(EIO,
			     "%s: the info block at offset %#llx is no longer what it "
			     "was a moment ago",
			     btt->params.name, ULL(off));
}

/*
 * Stores a first info block again, or writes it from its copy. Both were looked at before, but the
 * disk may be failing.
 */
static int renew_info(struct btt *btt, const struct btt_found_arena *a,
		      struct storage_step *step)
{
	uint64_t copy = a->off + a->info.geo.info_arena_off;
	struct btt_info_media block;

	if (load_info(btt, a, a->off, &block))
		storage_renew(btt->storage, step, a->off, &block, sizeof(block));
	else if (a->copy_fits && load_info(btt, a, copy, &block))
		storage_write(btt->storage, step, a->off, &block, sizeof(block));
	else
		return fail_to_renew(btt, a->off);
	return 0;
}

/*
 * The same for the copy. One that differs is replaced, even if it is sound: it would be believed when
 * the first block is lost. It comes after the first block, as in a layout.
 */
static int renew_copy(struct btt *btt, const struct btt_found_arena *a,
		      struct storage_step *step)
{
	uint64_t off = a->off + a->info.geo.info_arena_off;
	struct btt_info_media block;
	struct btt_info_media copy;
	bool has_copy;

	if (!a->copy_fits)
		return 0;
	has_copy = load_info(btt, a, off, &copy);
	if (!load_info(btt, a, a->off, &block)) {
		if (!has_copy)
			return fail_to_renew(btt, off);
		block = copy;
	}
	if (has_copy && memcmp(&block, &copy, sizeof(block)) == 0)
		storage_renew(btt->storage, step, off, &block, sizeof(block));
	else
		storage_write(btt->storage, step, off, &block, sizeof(block));
	return 0;
}

static void report_infos(const struct btt *btt, const struct btt_found *found,
			 bool *damaged)
{
	for (unsigned i = 0; i < found->narena && !found->unfinished; i++) {
		const struct btt_found_arena *a = &found->arena[i];
		const char *what = "the info block is damaged; its copy is intact";

		if (a->primary_valid && a->copy_valid)
			continue;
		*damaged = true;
		if (a->primary_valid)
			what = a->copy_fits
				   ? "the info block's copy in the last page is "
				     "damaged; the info block itself is intact"
				   : "the info block's copy in the last page was "
				     "cut off; the info block itself is intact";
		errormsg_set("%s: arena %u at offset %#llx: %s", btt->params.name, i,
			     ULL(a->off), what);
	}
}

static void renew_flog(struct btt *btt, const struct btt_arena *arena,
		       struct storage_step *step)
{
	struct btt_flog_slot_media slots[SLOTS_AT_ONCE];

	for (unsigned n = 0; n < BTT_NFREE; n += SLOTS_AT_ONCE) {
		uint64_t off = btt_arena_slot_off(arena, n);

		memcpy(slots, storage_at(btt->storage, off), sizeof(slots));
		storage_renew(btt->storage, step, off, slots, sizeof(slots));
	}
}

static void distrust(struct btt *btt, struct btt_arena *arena, bool *damaged, unsigned n,
		     const char *what, uint32_t value)
{
	atomic_store_explicit(&arena->read_only, true, memory_order_relaxed);
	*damaged = true;
	errormsg_set("%s: arena at offset %#llx is read-only: flog slot %u %s (%#x)",
		     btt->params.name, ULL(arena->off), n, what, value);
}

static void recover_slot(struct btt *btt, struct btt_arena *arena, unsigned n,
			 struct storage_step *step, bool *damaged)
{
	const struct btt_geometry *geo = &arena->info.geo;
	struct storage *s = btt->storage;
	struct btt_slot *slot = &arena->slot[n];
	struct btt_flog_record r[2];
	const struct btt_flog_record *rec;
	uint64_t map_off;
	uint32_t raw;
	int cur;

	btt_flog_decode(storage_at(s, btt_arena_slot_off(arena, n)), r);
	slot->free_block = BTT_NO_BLOCK;
	slot->prev_premap = BTT_NO_BLOCK;
	cur = btt_flog_find_current(r[0].seq, r[1].seq);
	if (cur < 0) {
		distrust(btt, arena, damaged, n,
			 "has two records of the same sequence number", r[0].seq);
		return;
	}
	rec = &r[cur];
	if ((rec->seq & 3) == 0) {
		/*
		 * this sequence number has no successor, so the next record could never become
		 * current
		 */
		distrust(btt, arena, damaged, n,
			 "has a sequence number without successor", rec->seq);
		return;
	}
	slot->seq = rec->seq;
	slot->next_record = (uint32_t)cur ^ 1;
	if (btt_map_postmap(rec->old_map) >= geo->internal_nlba) {
		distrust(btt, arena, damaged, n, "frees a block out of range",
			 rec->old_map);
		return;
	}
	if (rec->old_map != rec->new_map && !btt_flog_is_write(rec)) {
		distrust(btt, arena, damaged, n,
			 "has a map entry that no write leaves there",
			 btt_map_is_initial(rec->old_map) ? rec->old_map : rec->new_map);
		return;
	}
	slot->free_block = btt_map_postmap(rec->old_map);
	if (rec->old_map == rec->new_map)
		return;
	if (rec->premap >= geo->external_nlba) {
		distrust(btt, arena, damaged, n, "names a block of another arena",
			 rec->premap);
		return;
	}
	if (btt_map_postmap(rec->new_map) >= geo->internal_nlba) {
		distrust(btt, arena, damaged, n, "installs a block out of range",
			 rec->new_map);
		return;
	}
	slot->prev_premap = rec->premap;
	map_off = btt_arena_map_off(arena, rec->premap);
	raw = storage_load32(s, map_off, memory_order_relaxed);
	if (btt_map_normalize(raw, rec->premap) == rec->old_map) {
		storage_store32(s, map_off, rec->new_map);
		storage_flush(s, step, map_off, BTT_MAP_ENTRY_SIZE);
	} else {
		storage_renew32(s, step, map_off, raw);
	}
}

/* Two lanes with the same free block would overwrite each other's data. */
static void check_free_blocks(struct btt *btt, struct btt_arena *arena, bool *damaged)
{
	uint32_t seen[4 * BTT_NFREE]; /* a hash table */

	for (unsigned i = 0; i < ARRAY_SIZE(seen); i++)
		seen[i] = BTT_NO_BLOCK;
	for (unsigned n = 0; n < BTT_NFREE; n++) {
		uint32_t block = arena->slot[n].free_block;
		unsigned at = block % ARRAY_SIZE(seen);

		while (seen[at] != BTT_NO_BLOCK && seen[at] != block)
			at = (at + 1) % ARRAY_SIZE(seen);
		if (seen[at] != BTT_NO_BLOCK)
			distrust(btt, arena, damaged, n,
				 "frees the block of another slot", block);
		seen[at] = block;
	}
}

void btt_recover_flog(struct btt *btt, struct btt_arena *arena, struct storage_step *step,
		      bool *damaged)
{
	for (unsigned n = 0; n < BTT_NFREE; n++)
		recover_slot(btt, arena, n, step, damaged);
	check_free_blocks(btt, arena, damaged);
}

int btt_recover(struct btt *btt, const struct btt_found *found, bool *damaged)
{
	struct storage_step step = STORAGE_STEP_INIT;
	int ret;

	btt->arena = alloc_zeroed(found->narena * sizeof(*btt->arena));
	if (!btt->arena)
		return errormsg_fail(ENOMEM, "%s: out of memory for %u arenas",
				     btt->params.name, found->narena);
	btt->narena = found->narena;
	for (unsigned i = 0; i < found->narena; i++) {
		const struct btt_found_arena *a = &found->arena[i];

		ret = check_flog_blocks(btt, a);
		if (!ret)
			ret = btt_arena_init(&btt->arena[i], btt, a->off, &a->info);
		if (ret)
			return ret;
	}

	report_infos(btt, found, damaged);
	for (unsigned i = 0; i < found->narena; i++) {
		ret = renew_info(btt, &found->arena[i], &step);
		if (ret)
			return ret;
		renew_flog(btt, &btt->arena[i], &step);
	}
	ret = storage_fence(btt->storage, &step);
	for (unsigned i = 0; !ret && i < found->narena; i++) {
		ret = renew_copy(btt, &found->arena[i], &step);
		btt_recover_flog(btt, &btt->arena[i], &step, damaged);
	}
	return ret ? ret : storage_fence(btt->storage, &step);
}
