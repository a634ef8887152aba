/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The metadata of an arena that grows from n to n' blocks, and so from n + 256 to n' + 256 data
 * blocks. The old map entries are copied bit for bit. Every new block owns a data block, and reads as
 * zeros:
 *
 *   block		       entry			 data block
 *   below n		       as it was
 *   n + i, i < 256	       0 (initial)		 n + i, if slot i was never used
 *			       zero | data block	 n' + i, otherwise
 *   n + 256 on		       0 (initial)		 the one of its own number
 *
 * A slot that was never used has the data block n + i. It gets n' + i instead, as in a new arena of
 * this size, because a repair computes the number of blocks from such slots. All other slots are
 * copied bit for bit. Initial entries are zeros, which can be holes of the file. So a map that
 * becomes gigabytes longer needs only a page or two more on the medium.
 *
 * If there are fewer than 256 new blocks, all slots are copied, and block n + i owns data block
 * n + 256 + i.
 */
#include "grow/metadata.h"

#include <string.h>

#include "btt/flog.h"
#include "btt/map.h"

#define PER_PAGE (BTT_PAGE / BTT_MAP_ENTRY_SIZE)

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* Returns the first new block from which on all map entries are initial. */
static uint32_t first_initial(const struct metadata *m, const struct btt_geometry *geo)
{
	return smaller(m->old.internal_nlba, geo->external_nlba);
}

static uint64_t page_of(uint64_t off)
{
	return off - off % BTT_PAGE;
}

static uint64_t next_in_old_map(const struct metadata *m, struct storage *from,
				uint64_t map, uint64_t map_end, uint64_t skipped)
{
	uint64_t data = map + skipped;

	if (from->next_data)
		data = from->next_data(from, data, map_end);
	/* the new blocks' entries begin in the last page of the old ones */
	if (data >= map_end)
		data = map + (uint64_t)m->old.external_nlba * BTT_MAP_ENTRY_SIZE;
	return page_of(data - map);
}

static uint64_t next_in_map(const struct metadata *m, struct storage *from,
			    const struct metadata_arena *a, uint64_t skipped)
{
	const struct btt_geometry *geo = &a->geo;
	uint64_t old_size = (uint64_t)m->old.external_nlba * BTT_MAP_ENTRY_SIZE;
	uint64_t used = (uint64_t)first_initial(m, geo) * BTT_MAP_ENTRY_SIZE;
	uint64_t map = a->off + m->old.map_arena_off;

	if (skipped < page_of(old_size))
		return next_in_old_map(m, from, map, map + page_of(old_size), skipped);
	return skipped < used ? skipped : geo->map_size;
}

uint64_t metadata_next(const struct metadata *m, struct storage *from, unsigned arena,
		       uint64_t x)
{
	const struct metadata_arena *a = &m->arena[arena];
	const struct btt_geometry *geo = &a->geo;

	if (arena == 0 && m->moves) {
		if (x < geo->map_arena_off)
			x = geo->map_arena_off;
		if (x < geo->flog_arena_off)
			x = geo->map_arena_off +
			    next_in_map(m, from, a, x - geo->map_arena_off);
		return x;
	}
	return x == 0 || x >= geo->flog_arena_off ? x : geo->flog_arena_off;
}

static bool is_never_used(const struct metadata *m, const struct storage *from,
			  uint32_t slot)
{
	struct btt_flog_slot_media pristine;
	const void *there = storage_at(from, m->arena[0].off + m->old.flog_arena_off +
						 (uint64_t)slot * sizeof(pristine));

	btt_flog_encode_pristine(slot, m->old.external_nlba, &pristine);
	return memcmp(there, &pristine, sizeof(pristine)) == 0;
}

void metadata_load_slots(struct metadata *m, const struct storage *from)
{
	bool may = m->moves && m->arena[0].geo.external_nlba >= m->old.internal_nlba;

	for (uint32_t i = 0; i < BTT_NFREE; i++)
		m->is_fresh[i] = may && is_never_used(m, from, i);
}

static void make_map(const struct metadata *m, const struct storage *from,
		     const struct metadata_arena *a, uint32_t first, le32 *entry)
{
	const struct btt_geometry *geo = &a->geo;
	uint32_t added = larger(m->old.internal_nlba, geo->external_nlba);
	uint32_t initial = first_initial(m, geo);
	uint32_t n = m->old.external_nlba;

	if (first < n)
		memcpy(entry,
		       storage_at(from, a->off + m->old.map_arena_off +
					    (uint64_t)first * BTT_MAP_ENTRY_SIZE),
		       (size_t)smaller(PER_PAGE, n - first) * sizeof(*entry));
	for (uint32_t i = larger(first, n); i < initial && i < first + PER_PAGE; i++)
		if (!m->is_fresh[i - n])
			entry[i - first] = cpu_to_le32(BTT_MAP_ZERO | (added + (i - n)));
}

/* Makes a page of slots, from number `first` on. old: the old ones; NULL: all are new. */
static void make_slots(const struct metadata *m, const struct btt_geometry *geo,
		       uint32_t first, const unsigned char *old, unsigned char *page)
{
	struct btt_flog_slot_media slot;

	for (uint32_t i = 0; i < BTT_PAGE / sizeof(slot); i++) {
		if (!old || m->is_fresh[first + i])
			btt_flog_encode_pristine(first + i, geo->external_nlba, &slot);
		else
			memcpy(&slot, old + i * sizeof(slot), sizeof(slot));
		memcpy(page + i * sizeof(slot), &slot, sizeof(slot));
	}
}

void metadata_make(const struct metadata *m, const struct storage *from, unsigned arena,
		   uint64_t x, unsigned char page[BTT_PAGE])
{
	const struct metadata_arena *a = &m->arena[arena];
	const struct btt_geometry *geo = &a->geo;
	bool moves = arena == 0 && m->moves;
	le32 entry[PER_PAGE] = {{0}};

	if (x == 0 || x >= geo->info_arena_off) {
		memcpy(page, &a->info, BTT_PAGE);
	} else if (x >= geo->flog_arena_off) {
		uint64_t skipped = x - geo->flog_arena_off;
		const unsigned char *old =
		    storage_at(from, a->off + m->old.flog_arena_off + skipped);

		make_slots(m, geo, (uint32_t)(skipped / BTT_FLOG_SLOT_SIZE),
			   moves ? old : NULL, page);
	} else {
		if (moves)
			make_map(
			    m, from, a,
			    (uint32_t)((x - geo->map_arena_off) / BTT_MAP_ENTRY_SIZE),
			    entry);
		memcpy(page, entry, BTT_PAGE);
	}
}
