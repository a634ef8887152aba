/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The run-time state of a table and its arenas, none of which is on the medium. A table that is
 * not laid out has no arenas yet; the first layout adds all of them at once.
 */
#ifndef BTT_ARENA_H
#define BTT_ARENA_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "btt/fast.h"
#include "btt/info.h"
#include "btt/lanes.h"
#include "btt/lock.h"
#include "btt/map_guard.h"
#include "btt/open.h"

/* Map entries with different locks, if their lines follow each other. */
#define BTT_LOCK_ENTRIES (BTT_MAP_LOCKS * BTT_LINE_ENTRIES)

#define BTT_NO_BLOCK UINT32_MAX

/* One lane's slot of the flog in one arena; only the holder of the lane touches it. */
struct btt_slot {
	_Alignas(64) uint32_t free_block; /* the data block that the next write goes to */
	uint32_t seq;			  /* of the current record */
	uint32_t next_record;		  /* the record to write next, 0 or 1 */
	/* the map update that may not be durable yet, or BTT_NO_BLOCK */
	uint32_t prev_premap;
	/* lane_thread() of the thread that flushed it last; 0: none */
	uint64_t prev_thread;
};

struct btt_arena {
	/* Offsets in the storage: of the arena, its data, its map and its flog. */
	uint64_t off;
	uint64_t data_off;
	uint64_t map_off;
	uint64_t flog_off;
	struct btt_info info;
	/* relaxed: set at open, before other threads use the table */
	_Atomic(bool) read_only;
	/*
	 * BTT_MAP_LOCKS of them, to be held through the guard. Entry e of the map belongs to number
	 * (e / BTT_LINE_ENTRIES) mod BTT_MAP_LOCKS, and to the version of the same number.
	 */
	struct lock *map_lock;
	struct btt_version *version; /* as many; in btt_params.versions, or of its own */
	bool owns_version;
	uint32_t first_lock; /* number of the first one in the table */
	/*
	 * R17: one bit for each line of the map, set when this table has made the line durable.
	 * The lines of each lock have their own words. Relaxed; only the holder of the lock accesses
	 * them. NULL if flushes are not eager.
	 */
	_Atomic(uint64_t) *durable;
	uint32_t durable_words; /* for each lock */
	struct btt_slot *slot;	/* BTT_NFREE of them; lanes use the first ones */
	struct btt_view view;
};

struct btt {
	struct storage *storage;
	struct btt_params params;
	uint64_t nblock;
	struct lanes lanes;
	struct map_guard guard; /* for the map locks of all arenas */
	/* the maps are initial on the medium, so the layout need not read them */
	bool maps_untouched;

	struct lock layout_lock;
	/*
	 * Blocks of the first arena, 0 as long as the table is not laid out. Release after arena
	 * and narena are set; acquire: all users.
	 */
	_Atomic(uint64_t) nfirst;
	/*
	 * For readers that take no lock; in btt_params.fast, or its own. Its nblock is 0 for a short
	 * time if readers are to give way (btt/give_way.h).
	 */
	struct btt_fast *fast;
	struct btt_fast own_fast;
	struct btt_arena *arena;
	unsigned narena;

	/* the error of the first sync that failed; then modifying calls fail. 0: none */
	_Atomic(int) poisoned;
	/* on files: calls that may still store records, or take them back (btt/poison.h) */
	_Alignas(64) _Atomic(uint32_t) undecided;
};

/* Makes the arena's run-time state for an info block. -ENOMEM, message set. */
int btt_arena_init(struct btt_arena *arena, const struct btt *btt, uint64_t off,
		   const struct btt_info *info) MUST_CHECK;
void btt_arena_fini(struct btt_arena *arena);

/* Frees an array of n arenas, some of which may not have been initialised (all zero). */
void btt_arena_free_all(struct btt_arena *arena, unsigned n);

/* Lets other threads use the arenas, which must be complete. */
void btt_arena_publish(struct btt *btt);

/* Tells the progress to the processes that share the storage. */
static inline void btt_note_progress(const struct btt *btt, enum btt_progress progress)
{
	if (btt->params.progress)
		atomic_store_explicit(btt->params.progress, progress,
				      memory_order_release);
}

static inline uint64_t btt_arena_map_off(const struct btt_arena *arena, uint32_t premap)
{
	return arena->map_off + (uint64_t)premap * BTT_MAP_ENTRY_SIZE;
}

static inline uint64_t btt_arena_block_off(const struct btt_arena *arena,
					   uint32_t postmap)
{
	return arena->data_off + (uint64_t)postmap * arena->info.geo.internal_lbasize;
}

static inline uint64_t btt_arena_slot_off(const struct btt_arena *arena, unsigned slot)
{
	return arena->flog_off + (uint64_t)slot * BTT_FLOG_SLOT_SIZE;
}

static inline struct lock *btt_arena_map_lock(const struct btt_arena *arena,
					      uint32_t premap)
{
	return &arena->map_lock[btt_map_lock_number(premap)];
}

static inline struct btt_version *btt_arena_version(const struct btt_arena *arena,
						    uint32_t premap)
{
	return &arena->version[btt_map_lock_number(premap)];
}

/* Takes the map lock of an entry; the result goes to lock_release(). */
static inline struct lock *btt_arena_lock_map(struct btt *btt, struct btt_arena *arena,
					      uint32_t premap, uint64_t thread)
{
	uint32_t number = arena->first_lock + btt_map_lock_number(premap);

	return map_guard_enter(&btt->guard, thread, number,
			       btt_arena_map_lock(arena, premap));
}

#endif
