/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads of single blocks, where btt/fast.h does not read them. Rule R11, on top of btt/btt.c, makes
 * reads without a lock safe; R9 is the reason why readers redo map updates after a failed sync.
 */
#include "btt/read.h"

#include <sched.h>
#include <string.h>

#include "btt/fast.h"
#include "btt/modify.h"
#include "btt/race.h"
#include "btt/redo.h"
#include "errormsg.h"

/* How often a reader tries without a lock before it takes the lock. */
#define READ_TRIES 8

/* How often a reader that has no lock to take tries before it gives up. */
#define VIEW_TRIES 100000

/* 0 when done, 1 when the entry is normal and its block is to be copied, or -errno. */
static int read_flags(const struct btt *btt, const struct btt_arena *arena,
		      uint32_t premap, uint32_t entry, void *buf)
{
	if ((entry & BTT_MAP_FLAGS) == BTT_MAP_NORMAL) {
		if (btt_map_postmap(entry) >= arena->info.geo.internal_nlba)
			return btt_fail_corrupt(btt, arena, premap, entry);
		return 1;
	}
	if (btt_map_is_error(entry))
		return errormsg_fail(
		    EIO, "%s: block %u of the arena at offset %#llx is marked as bad",
		    btt->params.name, premap, ULL(arena->off));
	memset(buf, 0, btt->params.bsize);
	return 0;
}

static bool readers_redo(const struct btt *btt)
{
	return btt->storage->drops_pages && btt_poison_is_set(btt);
}

static int read_locked(const struct btt *btt, const struct btt_arena *arena,
		       uint32_t premap, void *buf)
{
	uint32_t entry = storage_load32(btt->storage, btt_arena_map_off(arena, premap),
					memory_order_relaxed);
	int ret;

	if (readers_redo(btt))
		entry = btt_redo_entry_locked(btt, arena, premap, entry);
	ret = read_flags(btt, arena, premap, entry, buf);
	if (ret <= 0)
		return ret;
	arena->view.copy_out(
	    buf,
	    storage_at(btt->storage, btt_arena_block_off(arena, btt_map_postmap(entry))),
	    btt->params.bsize);
	return 0;
}

/* 0 if the block reads as zeros, 1 if it is to be read at *arena and *premap, or -errno. */
static int find_block(const struct btt *btt, void *buf, uint64_t lba,
		      struct btt_arena **arena, uint32_t *premap)
{
	int ret = btt_check_lba(btt, lba);

	if (ret)
		return ret;
	if (!btt_is_laid_out(btt)) {
		memset(buf, 0, btt->params.bsize);
		return 0;
	}
	ret = btt_find_arena(btt, lba, arena, premap);
	return ret ? ret : 1;
}

static __attribute__((noinline)) int read_slow(struct btt *btt, void *buf, uint64_t lba)
{
	struct btt_arena *arena;
	struct lock *lock;
	uint32_t premap;
	int ret = find_block(btt, buf, lba, &arena, &premap);

	if (ret <= 0)
		return ret;
	give_way_read(&btt->guard.give_way);
	for (int i = 0; i < READ_TRIES && !readers_redo(btt); i++) {
		uint32_t entry = storage_load32(
		    btt->storage, btt_arena_map_off(arena, premap), memory_order_acquire);

		ret = read_flags(btt, arena, premap, entry, buf);
		if (ret <= 0)
			return ret;
		if (btt_view_read(&arena->view, premap, buf))
			return 0;
	}
	lock = btt_arena_lock_map(btt, arena, premap, lane_thread());
	ret = read_locked(btt, arena, premap, buf);
	lock_release(lock);
	return ret;
}

int btt_read(struct btt *btt, void *buf, uint64_t lba)
{
	if (likely(btt_fast_read(btt->fast, buf, lba)))
		return 0;
	return read_slow(btt, buf, lba);
}

/*
 * Tries once to read a block without a lock. Returns what read_flags() returns, or 1: try again.
 */
static int try_read_view(const struct btt *btt, const struct btt_arena *arena,
			 uint32_t premap, void *buf, enum btt_foreign owner)
{
	const struct btt_view *v = &arena->view;
	const _Atomic(uint64_t) *version = &v->version[btt_map_lock_number(premap)].count;
	uint64_t before = atomic_load_explicit(version, memory_order_acquire);
	uint32_t entry = storage_load32(btt->storage, btt_arena_map_off(arena, premap),
					memory_order_acquire);
	int ret;

	if (owner == BTT_FOREIGN_REDO)
		entry = btt_redo_entry_locked(btt, arena, premap, entry);
	if (owner == BTT_FOREIGN_FAILING &&
	    (btt_map_is_zero(entry) || btt_map_is_error(entry)))
		return -EAGAIN; /* R18 */
	ret = read_flags(btt, arena, premap, entry, buf);
	if (ret <= 0)
		return ret;
	race_copy(v->copy_out, buf,
		  v->data + (uint64_t)btt_map_postmap(entry) * v->stride, v->bsize);
	/* acquire: as in btt_look_again() */
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(version, memory_order_relaxed) != before;
}

int btt_read_view(struct btt *btt, void *buf, uint64_t lba, enum btt_foreign owner)
{
	struct btt_arena *arena;
	uint32_t premap;
	int ret = find_block(btt, buf, lba, &arena, &premap);

	if (ret <= 0)
		return ret;
	for (int i = 0; i < VIEW_TRIES; i++) {
		ret = try_read_view(btt, arena, premap, buf, owner);
		if (ret <= 0)
			return ret;
		sched_yield();
	}
	return errormsg_fail(EBUSY,
			     "%s: block %llu is being changed all the time by "
			     "another process",
			     btt->params.name, ULL(lba));
}
