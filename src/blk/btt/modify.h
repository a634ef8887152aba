/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parts that reads, single writes and batches share. The rules R1 to R18 are those on top of
 * btt/btt.c. `_locked`: the caller holds the map lock of the entry.
 */
#ifndef BTT_MODIFY_H
#define BTT_MODIFY_H 1

#include <errno.h>

#include "btt/arena.h"
#include "btt/map.h"
#include "btt/poison.h"
#include "compiler.h"

/* -EINVAL without a message: the table has no such block, or no arenas yet. */
static inline int MUST_CHECK btt_find_arena(const struct btt *btt, uint64_t lba,
					    struct btt_arena **arena, uint32_t *premap)
{
	for (unsigned i = 0; i < btt->narena; i++) {
		uint32_t n = btt->arena[i].info.geo.external_nlba;

		if (lba < n) {
			*arena = &btt->arena[i];
			*premap = (uint32_t)lba;
			return 0;
		}
		lba -= n;
	}
	return -EINVAL;
}

/* Returns -EINVAL, message set: the table has no such block. */
int btt_fail_range(const struct btt *btt, uint64_t lba) MUST_CHECK;

/* -EINVAL, message set: the table has no such block. */
static inline int MUST_CHECK btt_check_lba(const struct btt *btt, uint64_t lba)
{
	if (likely(lba < btt->nblock))
		return 0;
	return btt_fail_range(btt, lba);
}

/* Returns -EIO, message set: the entry names a data block out of range. */
int btt_fail_corrupt(const struct btt *btt, const struct btt_arena *arena,
		     uint32_t premap, uint32_t entry) MUST_CHECK;

/* Returns -EIO, message set: the arena is read-only. */
int btt_fail_read_only(const struct btt *btt, const struct btt_arena *arena) MUST_CHECK;

/* Makes the first layout. -EIO, message set; also if the table is poisoned. */
int btt_lay_out(struct btt *btt) MUST_CHECK;

/* Makes the first layout if there is none. Called before each modification. */
static inline int MUST_CHECK btt_prepare(struct btt *btt)
{
	if (likely(atomic_load_explicit(&btt->nfirst, memory_order_acquire)))
		return 0;
	return btt_lay_out(btt);
}

static inline bool btt_arena_is_read_only(const struct btt_arena *arena)
{
	return atomic_load_explicit(&arena->read_only, memory_order_relaxed);
}

/*
 * Stores the data of a block to a free data block, in whole cache lines: the part of a line would
 * have to be fetched from memory first. Zeros fill the last line. A data block is a multiple of 256
 * bytes, and nobody reads what follows the data. Measured on Zen 4: writes of 520 bytes are 1.46 times
 * as fast.
 */
static inline void btt_store_data(struct btt *btt, const struct btt_arena *arena,
				  struct storage_step *step, uint32_t postmap,
				  const void *buf)
{
	uint64_t off = btt_arena_block_off(arena, postmap);
	size_t rest = btt->params.bsize % STORAGE_LINE;
	size_t whole = btt->params.bsize - rest;

	if (likely(whole))
		storage_write(btt->storage, step, off, buf, whole);
	if (unlikely(rest)) {
		_Alignas(STORAGE_LINE) unsigned char line[STORAGE_LINE] = {0};

		memcpy(line, (const unsigned char *)buf + whole, rest);
		storage_write(btt->storage, step, off + whole, line, sizeof(line));
	}
}

/* Loads an entry and fills in its number. -EIO, message set: the entry is out of range. */
static inline int MUST_CHECK btt_load_entry_locked(const struct btt *btt,
						   const struct btt_arena *arena,
						   uint32_t premap, uint32_t *raw,
						   uint32_t *entry)
{
	*raw = storage_load32(btt->storage, btt_arena_map_off(arena, premap),
			      memory_order_relaxed);
	*entry = btt_map_normalize(*raw, premap);
	if (unlikely(btt_map_postmap(*entry) >= arena->info.geo.internal_nlba))
		return btt_fail_corrupt(btt, arena, premap, *raw);
	return 0;
}

/* Stores a map entry and raises the version for readers. Does not flush. */
static inline void btt_store_entry_locked(struct btt *btt, struct btt_arena *arena,
					  uint32_t premap, uint32_t entry)
{
	struct btt_version *v = btt_arena_version(arena, premap);

	storage_store32(btt->storage, btt_arena_map_off(arena, premap), entry);
	/* release: a reader that sees the new version also sees the new entry */
	atomic_store_explicit(&v->count,
			      atomic_load_explicit(&v->count, memory_order_relaxed) + 1,
			      memory_order_release);
}

static inline void btt_flush_entry(struct btt *btt, const struct btt_arena *arena,
				   uint32_t premap, struct storage_step *step)
{
	storage_flush(btt->storage, step, btt_arena_map_off(arena, premap),
		      BTT_MAP_ENTRY_SIZE);
}

/* Returns the word that holds the bit of an entry's line: 1 if this table made it durable. */
static inline _Atomic(uint64_t) *btt_durable_word(const struct btt_arena *arena,
						  uint32_t premap, uint64_t *bit)
{
	uint32_t number = premap / BTT_LOCK_ENTRIES;

	*bit = UINT64_C(1) << number % 64;
	return &arena->durable[btt_map_lock_number(premap) * arena->durable_words +
			       number / 64];
}

/*
 * R17: flushes the entry's line if it is not known to be durable. The next fence makes it
 * durable.
 */
static inline void btt_settle_line_locked(struct btt *btt, const struct btt_arena *arena,
					  uint32_t premap, struct storage_step *step)
{
	uint64_t bit;
	const _Atomic(uint64_t) *word = btt_durable_word(arena, premap, &bit);

	if (unlikely(!(atomic_load_explicit(word, memory_order_relaxed) & bit)))
		btt_flush_entry(btt, arena, premap, step);
}

/*
 * R17: records that the line is durable. To be called after the fence that follows
 * btt_settle_line_locked().
 */
static inline void btt_note_line_locked(const struct btt_arena *arena, uint32_t premap)
{
	uint64_t bit;
	_Atomic(uint64_t) *word = btt_durable_word(arena, premap, &bit);
	uint64_t old = atomic_load_explicit(word, memory_order_relaxed);

	if (unlikely(!(old & bit)))
		atomic_store_explicit(word, old | bit, memory_order_relaxed);
}

/* The part of btt_settle_last_locked() for a map store of another thread. */
void btt_settle_last_slow_locked(struct btt *btt, const struct btt_arena *arena,
				 struct btt_version *v, struct storage_step *step,
				 unsigned hint);

/*
 * R17: flushes the last map store under the lock if it is not known to be durable. After this and
 * btt_settle_line_locked(), the next fence of the calling thread makes durable all map stores of
 * this table under the lock, and the entry's line. hint: lane_hint() of the thread.
 */
static inline void btt_settle_last_locked(struct btt *btt, const struct btt_arena *arena,
					  uint32_t premap, struct storage_step *step,
					  uint64_t thread, unsigned hint)
{
	struct btt_version *v = btt_arena_version(arena, premap);
	uint64_t last = atomic_load_explicit(&v->last_thread, memory_order_relaxed);

	if (likely(last == thread || last == 0))
		return;
	if (likely(lanes_knows_past(
		&btt->lanes, hint,
		atomic_load_explicit(&v->last_turn, memory_order_relaxed))))
		return;
	btt_settle_last_slow_locked(btt, arena, v, step, hint);
}

/*
 * R17: records a map store of the calling thread, after its flush. The caller has settled the store
 * that was recorded before.
 */
static inline void btt_note_last_locked(struct btt *btt, const struct btt_arena *arena,
					uint32_t premap, uint64_t thread, unsigned hint)
{
	struct btt_version *v = btt_arena_version(arena, premap);

	atomic_store_explicit(&v->last_thread, thread, memory_order_relaxed);
	atomic_store_explicit(&v->last_turn, lanes_turn(&btt->lanes, hint),
			      memory_order_relaxed);
	atomic_store_explicit(&v->last_premap, premap, memory_order_relaxed);
}

/* R3: after this the next fence makes the map update of the slot's current record durable. */
static inline void btt_flush_previous(struct btt *btt, const struct btt_arena *arena,
				      const struct btt_slot *slot,
				      struct storage_step *step, uint64_t thread)
{
	if (slot->prev_premap == BTT_NO_BLOCK)
		return;
	if (btt->storage->eager_flush && slot->prev_thread == thread)
		return; /* flushed by this thread when it was stored */
	btt_flush_entry(btt, arena, slot->prev_premap, step);
}

/* On a file, the second half of a record that is about to be replaced. */
static inline uint64_t btt_load_second_half(const struct btt *btt, uint64_t record)
{
	if (!btt->storage->drops_pages)
		return 0;
	return storage_load64(btt->storage, record + 8, memory_order_relaxed);
}

/* R18: the fence has failed that should have made the new second half durable. */
static inline void btt_take_record_back(struct btt *btt, uint64_t record, uint64_t before)
{
	if (btt->storage->drops_pages)
		storage_store64(btt->storage, record + 8, before);
}

/*
 * Called if the lane's turn ends without a step. The block that the thread's other lane has freed
 * still needs a fence before it is overwritten (R11).
 */
static inline int MUST_CHECK btt_fence_unused_lane(struct btt *btt)
{
	struct storage_step none = STORAGE_STEP_INIT;
	int ret = storage_fence(btt->storage, &none);

	return ret ? btt_poison(btt, ret) : 0;
}

#endif
