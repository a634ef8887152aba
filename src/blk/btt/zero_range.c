/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Zeroes many blocks. The rules R1 to R18 are those on top of btt/btt.c; B5 is that of
 * btt/batch.c.
 *
 * The range is divided into chunks. A chunk is a run of entries in which no two cache lines have
 * the same lock. It takes the locks in ascending order (B5), stores the flag into all entries,
 * flushes, fences once and releases the locks (R6, R16). If the fence fails on a file, it first
 * puts back the flags that were there (R18). After a crash each flag is durable or not.
 *
 * An initial entry is not changed, and not stored again either (R14). So a range of a sparse pool
 * that was never written takes no space and no sync. It reads as zeros, and it is initial on the
 * medium, too: only a layout stores initial entries, and it makes them durable before the first
 * info block is stored (R12). A flag that came later stays in memory until its page is evicted,
 * and the page is then read again from the medium; recovery stores what a write has logged, and
 * R18 stores a flag in place of an initial entry. (pmemblk(1) can store initial entries, too. If
 * their sync fails, it says so, and has to be run again before the pool is used.)
 */
#include "btt/zero_range.h"

#include "btt/lanes.h"
#include "btt/modify.h"
#include "btt/redo.h"

/* Blocks that one fence or sync makes zero, at most. They are locked meanwhile. */
#define CHUNK 4096u
_Static_assert(BTT_LOCK_ENTRIES % CHUNK == 0,
	       "the lines of a chunk have different locks");

struct zeros {
	struct btt_arena *arena;
	uint32_t first; /* premap */
	uint32_t n;
};

/* The two flags of each entry of a chunk. The entries themselves would not fit on a small stack. */
struct zeros_flags {
	unsigned char four[CHUNK / 4];
};

static void note_flags(struct zeros_flags *f, uint32_t i, uint32_t entry)
{
	f->four[i / 4] |= (unsigned char)((entry & BTT_MAP_FLAGS) >> 30 << i % 4 * 2);
}

static uint32_t noted_flags(const struct zeros_flags *f, uint32_t i)
{
	return (uint32_t)(f->four[i / 4] >> i % 4 * 2) << 30;
}

static uint32_t last_line(const struct zeros *z)
{
	return (z->first + z->n - 1) / BTT_LINE_ENTRIES;
}

static struct lock *lock_zeros(struct btt *btt, const struct zeros *z)
{
	struct lock *all = map_guard_enter_all(&btt->guard, lane_thread());

	for (uint32_t line = z->first / BTT_LINE_ENTRIES; !all && line <= last_line(z);
	     line++) {
		uint32_t number = line % BTT_MAP_LOCKS;

		map_guard_take(&btt->guard, z->arena->first_lock + number,
			       &z->arena->map_lock[number]);
	}
	return all;
}

static void unlock_zeros(const struct zeros *z, struct lock *all)
{
	if (all)
		lock_release(all);
	for (uint32_t line = z->first / BTT_LINE_ENTRIES; !all && line <= last_line(z);
	     line++)
		lock_release(&z->arena->map_lock[line % BTT_MAP_LOCKS]);
}

static int check_zeros_locked(struct btt *btt, const struct zeros *z, long long *failed)
{
	for (uint32_t i = 0; i < z->n; i++) {
		uint32_t raw;
		uint32_t entry;
		int ret =
		    btt_load_entry_locked(btt, z->arena, z->first + i, &raw, &entry);

		if (unlikely(ret)) {
			btt_blame(btt, z->arena, z->first + i, failed);
			return ret;
		}
	}
	return 0;
}

/*
 * Where flushes work by lines, one flush for each line with new flags is enough. On a file, stores
 * the old flags to *before.
 */
static void store_zeros_locked(struct btt *btt, const struct zeros *z,
			       const struct btt_redo_list *redo,
			       struct zeros_flags *before, struct storage_step *step)
{
	bool by_lines = btt->storage->eager_flush;
	bool is_due = false;

	for (uint32_t premap = z->first; premap < z->first + z->n; premap++) {
		uint64_t off = btt_arena_map_off(z->arena, premap);
		uint32_t raw = storage_load32(btt->storage, off, memory_order_relaxed);
		uint32_t entry = btt_redo_apply(redo, premap, raw); /* R16 */
		uint32_t zero = btt_map_postmap(entry) | BTT_MAP_ZERO;

		if (btt->storage->drops_pages)
			note_flags(before, premap - z->first, entry);
		if (!btt_map_is_initial(entry)) {
			if (raw != zero)
				btt_store_entry_locked(btt, z->arena, premap, zero);
			if (!by_lines)
				storage_renew32(btt->storage, step, off, zero);
			is_due = true;
		}
		if (by_lines && is_due &&
		    (premap % BTT_LINE_ENTRIES == BTT_LINE_ENTRIES - 1 ||
		     premap + 1 == z->first + z->n)) {
			btt_flush_entry(btt, z->arena, premap, step);
			is_due = false;
		}
	}
}

/*
 * R18: stores the old flags again. The numbers of the data blocks are those of the present entries.
 * If a page was evicted since the new flags were stored, its entries may lack updates. So the
 * records are applied as in store_zeros_locked() (R16).
 */
static void take_back_locked(struct btt *btt, const struct zeros *z,
			     const struct btt_redo_list *redo,
			     const struct zeros_flags *before)
{
	for (uint32_t i = 0; i < z->n; i++) {
		uint32_t flags = noted_flags(before, i);
		uint32_t premap = z->first + i;
		uint32_t raw;

		if (btt_map_is_initial(flags) || btt_map_is_zero(flags))
			continue;
		raw = storage_load32(btt->storage, btt_arena_map_off(z->arena, premap),
				     memory_order_relaxed);
		raw = btt_redo_apply(redo, premap, raw);
		btt_store_entry_locked(btt, z->arena, premap,
				       btt_map_postmap(raw) | flags);
	}
}

static int zero_chunk(struct btt *btt, const struct zeros *z, long long *failed)
{
	struct storage_step step = STORAGE_STEP_INIT;
	struct zeros_flags before = {{0}};
	struct btt_redo_list redo;
	struct lock *all = lock_zeros(btt, z);
	int ret;

	btt_exchange_begin(btt);
	if (unlikely(btt_poison_is_set(btt))) {
		ret = btt_poison_fail(btt);
		goto unlock;
	}
	ret = check_zeros_locked(btt, z, failed);
	if (ret)
		goto unlock;
	redo.n = 0;
	if (btt->storage->drops_pages)
		btt_redo_collect_locked(btt, z->arena, z->first, z->n, &redo);
	store_zeros_locked(btt, z, &redo, &before, &step);
	ret = storage_fence(btt->storage, &step);
	if (ret) {
		ret = btt_poison(btt, ret);
		if (btt->storage->drops_pages)
			take_back_locked(btt, z, &redo, &before);
	}
unlock:
	btt_exchange_end(btt);
	unlock_zeros(z, all);
	return ret;
}

int btt_zero_range(struct btt *btt, uint64_t lba, uint64_t nblock, long long *failed)
{
	int ret;

	*failed = BTT_NOBODY;
	/* blocks of a table that is not laid out read as zeros */
	if (!nblock || (!btt_is_laid_out(btt) && !btt_poison_is_set(btt)))
		return 0;
	ret = btt_prepare(btt);
	if (!ret)
		ret = btt_check_arenas(btt, lba, nblock, failed);
	while (!ret && nblock) {
		struct zeros z;
		uint32_t left;

		ret = btt_find_arena(btt, lba, &z.arena, &z.first);
		if (ret)
			break;
		left = z.arena->info.geo.external_nlba - z.first;
		z.n = CHUNK - z.first % CHUNK;
		z.n = z.n < left ? z.n : left;
		z.n = z.n < nblock ? z.n : (uint32_t)nblock;
		ret = zero_chunk(btt, &z, failed);
		lba += z.n;
		nblock -= z.n;
	}
	return ret;
}
