/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A layout exists if every arena of the chain has a valid info block: the primary at the arena's
 * start or, if that is damaged, the copy in the arena's last page. The search for the copy begins
 * where the data area's present size puts it. The file may have grown since the layout, so the
 * search then goes backwards from the end, for a block that states its own place.
 *
 * If the primary is sound, but states a larger arena than the file has room for, the file was cut
 * off, and no copy counts. A pool that has grown by an earlier version of pmemblk(1) may still have
 * its old copy somewhere in its data blocks. If the file ends there now, that copy would make it a
 * pool with old metadata. If the file does not end there, but has lost the newer info blocks, the old
 * copy does not count if the flog at the present end shows that the larger pool was used.
 *
 * If an arena has no valid info block, there are three possibilities, and confusing them loses
 * data: nothing was ever laid out, a first layout was interrupted, or a layout is damaged. A
 * first layout writes maps and flogs before it writes info blocks. So the pool counts as not laid
 * out only if
 *   - flogs and maps hold only values with which a layout begins. Each 8-byte word of a slot may
 *     have reached the medium or not, but not in an arena that has an info block, or the remains of
 *     one, nor in an arena before it: both libraries make these flogs durable before they write an
 *     info block. Or
 *   - the user supplied the file, no block anywhere may be an info block of this pool, and the
 *     bytes in the place of the flogs were not written by a block translation table of this pool;
 * and never if a sound info block of this pool contradicts the size of the file or of the blocks.
 * Everything else is damage: it is reported, and nothing is changed.
 *
 * An arena with a valid info block had a complete flog once. If only zeros are left of flog and map,
 * all its blocks would read as zeros, whatever was written to them. So it counts as lost, too.
 */
#include "btt/find.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "btt/flog.h"
#include "btt/map.h"
#include "btt/map_walk.h"
#include "btt/nonzero.h"
#include "errormsg.h"

#define SEARCH_CHUNK (UINT64_C(1) << 30)

struct search {
	struct storage *s;
	const struct btt_params *params;
	bool info_seen; /* there is an info block that may be of this pool */
	/*
	 * there is a sound info block of this pool that does not fit the size of the file or of
	 * the blocks, or that says that another arena follows, for which the file has no room
	 */
	bool misfit_seen;
	bool first_misfits; /* that block, or one of them, is an arena's first one */
};

static bool is_zero(struct storage *s, uint64_t off, uint64_t len)
{
	return btt_nonzero_find(s, off, off + len) == off + len;
}

/* Whether a block with this verdict is damaged, and may have been an info block of this pool. */
static bool is_remains(const struct search *search, uint64_t at, enum btt_info_verdict v)
{
	const struct btt_params *p = search->params;

	return v == BTT_INFO_BROKEN &&
	       btt_info_may_be_of(storage_at(search->s, p->data_off + at), &p->parent);
}

/* Judges the info block at offset `at` of the data area, of the arena that begins at `start`. */
static enum btt_info_verdict look(struct search *search, uint64_t start, uint64_t at,
				  struct btt_info *info)
{
	const struct btt_params *p = search->params;
	enum btt_info_verdict v;

	v = btt_info_decode(storage_at(search->s, p->data_off + at), &p->parent, p->bsize,
			    p->data_size - start, info);
	if (v == BTT_INFO_VALID && at != start && at - start != info->geo.info_arena_off)
		v = BTT_INFO_MISFIT;
	if (v == BTT_INFO_MISFIT ||
	    (v == BTT_INFO_VALID && info->has_next &&
	     btt_geometry_arena_size(p->data_size, start + info->geo.size) == 0)) {
		search->misfit_seen = true;
		search->first_misfits = search->first_misfits || at == start;
	}
	if (v == BTT_INFO_VALID || v == BTT_INFO_MISFIT || is_remains(search, at, v))
		search->info_seen = true;
	return v;
}

bool btt_find_is_cut_off(const struct storage *s, const struct btt_params *params,
			 uint64_t off)
{
	struct btt_info info;

	return btt_info_decode(storage_at(s, off), &params->parent, params->bsize,
			       BTT_ARENA_MAX_SIZE, &info) == BTT_INFO_VALID;
}

/* Searches the pages [lo, hi) of the data area for a copy and takes the last one. */
static bool search_chunk(struct search *search, uint64_t start, uint64_t lo, uint64_t hi,
			 struct btt_info *info)
{
	uint64_t base = search->params->data_off;
	bool found = false;
	uint64_t at = lo;

	while ((at = storage_next_data(search->s, base + at, base + hi) - base) < hi) {
		struct btt_info candidate;

		at -= at % BTT_PAGE;
		if (look(search, start, at, &candidate) == BTT_INFO_VALID) {
			*info = candidate;
			found = true;
		}
		at += BTT_PAGE;
	}
	return found;
}

/* Finds a slot's current record. False: there is none, or it does not fit the geometry. */
static bool find_current(const struct btt_flog_slot_media *slot,
			 const struct btt_geometry *geo, struct btt_flog_record *current)
{
	struct btt_flog_record r[2];
	int cur;

	btt_flog_decode(slot, r);
	cur = btt_flog_find_current(r[0].seq, r[1].seq);
	if (cur < 0 || r[cur].premap >= geo->external_nlba ||
	    btt_map_postmap(r[cur].old_map) >= geo->internal_nlba ||
	    btt_map_postmap(r[cur].new_map) >= geo->internal_nlba)
		return false;
	*current = r[cur];
	return true;
}

/*
 * Whether a pool that has grown was used since: the flog that follows from the present size tells of
 * a block, or of a data block, that the arena of the info block `old` does not have. A grow that was
 * interrupted may have stored such a flog, too, but nobody has used it.
 */
static bool was_used_larger(struct search *search, uint64_t start, uint64_t size,
			    const struct btt_geometry *old)
{
	bool used = false;
	struct btt_geometry geo;

	if (old->size >= size || btt_geometry_arena(size, search->params->bsize, &geo))
		return false;
	for (uint32_t n = 0; n < BTT_NFREE; n++) {
		struct btt_flog_record r;
		uint64_t off = search->params->data_off + start + geo.flog_arena_off +
			       (uint64_t)n * BTT_FLOG_SLOT_SIZE;

		if (!find_current(storage_at(search->s, off), &geo, &r))
			return false;
		if (r.old_map != r.new_map &&
		    (r.premap >= old->external_nlba ||
		     btt_map_postmap(r.old_map) >= old->internal_nlba ||
		     btt_map_postmap(r.new_map) >= old->internal_nlba))
			used = true;
	}
	return used;
}

static bool find_copy(struct search *search, uint64_t start, struct btt_info *info)
{
	uint64_t size = btt_geometry_arena_size(search->params->data_size, start);
	uint64_t lo = start + BTT_ARENA_MIN_SIZE - BTT_INFO_SIZE;
	uint64_t hi = start + size;

	if (size == 0)
		return false;
	if (look(search, start, hi - BTT_INFO_SIZE, info) == BTT_INFO_VALID)
		return true;
	while (hi > lo) {
		uint64_t from = hi - lo > SEARCH_CHUNK ? hi - SEARCH_CHUNK : lo;

		if (search_chunk(search, start, from, hi, info))
			return !was_used_larger(search, start, size, &info->geo);
		hi = from;
	}
	return false;
}

/*
 * Whether each word of the slot is what a layout writes there. If the slot is not complete, words
 * may be zero instead. If the user supplied the file, what stands behind the records does not count,
 * because the original does not write it.
 */
static bool is_fresh_slot(const struct btt_flog_slot_media *slot, uint32_t n,
			  uint32_t nlba, bool is_complete, bool user_file)
{
	struct btt_flog_slot_media pristine;
	const char *a = (const char *)slot;
	const char *b = (const char *)&pristine;
	size_t len = user_file ? sizeof(pristine.record) : sizeof(pristine);
	static const char zero[8];

	btt_flog_encode_pristine(n, nlba, &pristine);
	for (size_t i = 0; i < len; i += 8)
		if (memcmp(a + i, b + i, 8) != 0 &&
		    (is_complete || memcmp(a + i, zero, 8) != 0))
			return false;
	return true;
}

struct traces {
	/*
	 * Flog and map hold only initial values. If no info block was stored yet, words of the flog
	 * may be zero instead.
	 */
	bool fresh;
	/*
	 * The flog looks as if a table of this geometry had used it. A flog that no write has
	 * used yet does not count: if a layout over a user's old content was interrupted, it
	 * leaves pristine slots with a few old words between them.
	 */
	bool plausible;
	bool flog_is_complete; /* and as a layout writes it */
	bool untouched;	       /* flog and both info blocks are zero */
	bool map_is_hole;
};

static bool is_initial_map(struct storage *s, uint64_t map, uint32_t nentry)
{
	struct btt_map_walk walk = btt_map_walk_begin(s, map, nentry);
	struct btt_map_run run;

	while (btt_map_walk_next(&walk, &run))
		for (uint32_t i = run.first; !run.zeros && i < run.end; i++)
			if (!btt_map_is_initial(
				storage_load32(s, map + (uint64_t)i * BTT_MAP_ENTRY_SIZE,
					       memory_order_relaxed)))
				return false;
	return true;
}

/*
 * Reads the areas of an arena of a layout that is lost or unfinished. has_info: the arena has an info
 * block, or had one.
 */
static struct traces find_traces(struct storage *s, const struct btt_params *p,
				 uint64_t off, const struct btt_geometry *geo,
				 bool has_info)
{
	uint64_t flog = off + geo->flog_arena_off;
	uint64_t map = off + geo->map_arena_off;
	uint64_t map_end = map + (uint64_t)geo->external_nlba * BTT_MAP_ENTRY_SIZE;
	struct traces t = {true, true, true, true, false};
	bool all_fresh = true;
	bool any_used = false;

	for (uint32_t n = 0; n < BTT_NFREE; n++) {
		const struct btt_flog_slot_media *slot =
		    storage_at(s, flog + (uint64_t)n * sizeof(*slot));
		struct btt_flog_record r;

		if (!is_fresh_slot(slot, n, geo->external_nlba, has_info, p->user_file))
			all_fresh = false;
		if (!is_fresh_slot(slot, n, geo->external_nlba, true, p->user_file))
			t.flog_is_complete = false;
		if (!find_current(slot, geo, &r))
			t.plausible = false;
		else if (r.old_map != r.new_map)
			any_used = true;
	}
	t.plausible = t.plausible && any_used;
	t.fresh = all_fresh && is_initial_map(s, map, geo->external_nlba);
	t.map_is_hole = storage_next_data(s, map, map_end) == map_end;
	t.untouched = is_zero(s, flog, geo->flog_size) &&
		      is_zero(s, off, BTT_INFO_SIZE) &&
		      is_zero(s, off + geo->info_arena_off, BTT_INFO_SIZE);
	return t;
}

/* Whether the arena holds another pool's info blocks. Then the flog belongs to that pool. */
static bool is_foreign(struct search *search, uint64_t start, uint64_t size)
{
	struct btt_info info;

	return look(search, start, start, &info) == BTT_INFO_FOREIGN ||
	       look(search, start, start + size - BTT_INFO_SIZE, &info) ==
		   BTT_INFO_FOREIGN;
}

/* Whether an info block of the arena was stored, and is damaged. */
static bool has_remains(struct search *search, uint64_t start,
			const struct btt_geometry *geo)
{
	uint64_t copy = start + geo->info_arena_off;
	struct btt_info info;

	return is_remains(search, start, look(search, start, start, &info)) ||
	       is_remains(search, copy, look(search, start, copy, &info));
}

/*
 * An arena has no valid info block; lost_at is its place. The geometry of such arenas follows
 * from the present size.
 */
static void judge_incomplete(struct search *search, struct btt_found *found,
			     uint64_t lost_at)
{
	const struct btt_params *p = search->params;
	bool fresh = true;
	bool plausible = false;
	bool flogs_are_complete = true; /* those of the arenas so far */
	uint64_t start = 0;
	uint64_t size;

	found->untouched = true;
	found->maps_are_holes = true;
	while ((size = btt_geometry_arena_size(p->data_size, start)) != 0) {
		struct btt_geometry geo;
		struct traces t;
		struct btt_info info;
		bool valid = look(search, start, start, &info) == BTT_INFO_VALID ||
			     find_copy(search, start, &info);
		bool has_info;

		if (valid)
			geo = info.geo;
		else if (btt_geometry_arena(size, p->bsize, &geo))
			break;
		has_info = valid || has_remains(search, start, &geo);
		t = find_traces(search->s, p, p->data_off + start, &geo, has_info);
		fresh = fresh && t.fresh && (flogs_are_complete || !has_info);
		flogs_are_complete = flogs_are_complete && t.flog_is_complete;
		found->untouched = found->untouched && t.untouched;
		found->maps_are_holes = found->maps_are_holes && t.map_is_hole;
		if (!valid && t.plausible && !is_foreign(search, start, size))
			plausible = true;
		start += size;
	}

	found->layout = BTT_LAYOUT_LOST;
	if (search->misfit_seen && !search->first_misfits) {
		errormsg_set(
		    "%s: arena %u at offset %#llx: the info block is damaged, and a copy "
		    "does not fit a data area of %llu bytes with blocks of %u bytes; the "
		    "copy or the descriptor is damaged, too, or the file was cut off",
		    p->name, found->narena, ULL(p->data_off + lost_at), ULL(p->data_size),
		    p->bsize);
	} else if (search->misfit_seen) {
		errormsg_set(
		    "%s: arena %u at offset %#llx: the info block does not fit a data "
		    "area of %llu bytes with blocks of %u bytes; the file was cut off or "
		    "its descriptor is damaged",
		    p->name, found->narena, ULL(p->data_off + lost_at), ULL(p->data_size),
		    p->bsize);
	} else if (fresh || (p->user_file && !search->info_seen && !plausible)) {
		found->layout = BTT_LAYOUT_NONE;
		/* arenas whose info blocks an interrupted layout has stored */
		btt_find_free(found);
	} else if (p->is_created) {
		errormsg_set(
		    "%s: what another pool has left in the place of the flog would be "
		    "taken for this pool's; use new files, or clear the data area",
		    p->name);
	} else {
		errormsg_set("%s: arena %u at offset %#llx: both info blocks are damaged "
			     "although the pool was written to, or the file has lost its "
			     "end; pmemblk repair can often rebuild them, or restore a "
			     "backup",
			     p->name, found->narena, ULL(p->data_off + lost_at));
	}
}

static int add_arena(struct btt_found *found, const struct btt_found_arena *arena)
{
	struct btt_found_arena *grown;

	grown = alloc_resize(found->arena, (found->narena + 1) * sizeof(*grown));
	if (!grown)
		return errormsg_fail(ENOMEM, "out of memory for the list of arenas");
	found->arena = grown;
	found->arena[found->narena++] = *arena;
	return 0;
}

/*
 * Whether the missing copies may just not have been written yet: a layout writes the copies last,
 * so this is possible if nothing was ever written to the pool.
 */
static bool is_layout_unfinished(struct storage *s, const struct btt_params *p,
				 const struct btt_found *found)
{
	for (unsigned i = 0; i < found->narena; i++) {
		const struct btt_found_arena *a = &found->arena[i];

		if (!a->primary_valid || !a->copy_fits ||
		    !find_traces(s, p, a->off, &a->info.geo, true).fresh)
			return false;
	}
	return true;
}

/*
 * In a sound arena the first slot tells. The flog is read also where the file seems to have a hole: if
 * somebody cuts the file off at this moment, that is an error of the medium.
 */
static bool has_lost_tables(struct storage *s, const struct btt_found_arena *arena)
{
	static const struct btt_flog_slot_media zeros;
	const struct btt_geometry *geo = &arena->info.geo;
	const struct btt_flog_slot_media *slot =
	    storage_at(s, arena->off + geo->flog_arena_off);

	for (uint32_t n = 0; n < BTT_NFREE; n++)
		if (memcmp(&slot[n], &zeros, sizeof(zeros)) != 0)
			return false;
	return is_zero(s, arena->off + geo->map_arena_off, geo->map_size);
}

int btt_find_layout(struct storage *s, const struct btt_params *params,
		    struct btt_found *found)
{
	struct search search = {.s = s, .params = params};
	uint64_t start = 0;
	bool complete = true;

	*found = (struct btt_found){.layout = BTT_LAYOUT_VALID};
	for (;;) {
		struct btt_found_arena arena = {.off = params->data_off + start};
		struct btt_info copy;
		uint64_t copy_at;
		int ret;

		if (start + BTT_INFO_SIZE > params->data_size) {
			judge_incomplete(&search, found, start);
			return 0;
		}
		arena.primary_valid =
		    look(&search, start, start, &arena.info) == BTT_INFO_VALID;
		if (!arena.primary_valid &&
		    (btt_find_is_cut_off(s, params, params->data_off + start) ||
		     !find_copy(&search, start, &arena.info))) {
			judge_incomplete(&search, found, start);
			return 0;
		}
		if (has_lost_tables(s, &arena)) {
			found->layout = BTT_LAYOUT_LOST;
			errormsg_set("%s: arena %u at offset %#llx: the map and the flog "
				     "hold only zeros, but there is an info block; the "
				     "file has lost its end, or they were cleared",
				     params->name, found->narena, ULL(arena.off));
			return 0;
		}
		copy_at = start + arena.info.geo.info_arena_off;
		arena.copy_fits = copy_at + BTT_INFO_SIZE <= params->data_size;
		arena.copy_valid =
		    arena.copy_fits &&
		    look(&search, start, copy_at, &copy) == BTT_INFO_VALID &&
		    copy.has_next == arena.info.has_next;
		ret = add_arena(found, &arena);
		if (ret) {
			btt_find_free(found);
			return ret;
		}
		complete = complete && arena.primary_valid && arena.copy_valid;
		if (!arena.info.has_next)
			break;
		start += arena.info.geo.size;
	}
	found->unfinished = !complete && is_layout_unfinished(s, params, found);
	return 0;
}

void btt_find_free(struct btt_found *found)
{
	alloc_free(found->arena);
	found->arena = NULL;
	found->narena = 0;
}
