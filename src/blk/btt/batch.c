/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Batches: many blocks in the two ordered steps of one write. The model, the steps and the rules R1
 * to R17 are those on top of btt/btt.c.
 *
 * A batch is divided into chunks of at most BATCH_MAX blocks. A chunk is complete before the next
 * one begins. It has a lane for each of its blocks:
 *
 *      take a lane as a single write does, waiting for it if necessary
 *      borrow free lanes for more blocks, without waiting; the lanes limit the chunk
 *      sort the blocks by map lock and entry; if an entry occurs twice, drop the earlier block
 *      store the data of each block into its lane's free block, flush them
 *      take the map locks of all entries in ascending order, each once
 *      for each line, for each lock: flush what may not be durable            R2, R17
 *      for each block: old = the map entry (files: store it again)            R14
 *                      flush the map entry that its lane's previous write stored       R3
 *                      [without line_order: store the first half, flush it]            R1
 *   FENCE 1
 *      for each block: [with line_order: store the first half] store the second half; flush them
 *   FENCE 2   here the chunk is durable
 *      for each block: store the map entry; flush it, without a fence                  R10
 *      release the map locks, return the borrowed lanes, release the lane
 *
 * Proof. A chunk is equivalent to as many single writes that run at the same time. Each block has
 * its own lane, its own entry and its own record. The rules R1 to R17 order two kinds of pairs:
 * what a write makes durable before its record, and what it makes durable before its map store.
 * In a chunk, FENCE 1 makes the first durable for all blocks before any record is stored, and
 * FENCE 2 makes the second durable for all blocks before any map store. So the rules hold for
 * each block. The rules below are about what two blocks of a chunk have in common:
 *
 * B1  No two blocks of a chunk share a slot or a free block.
 *     The chunk owns its lanes from before its first store until after its last. All free blocks
 *     are known before the first map entry changes. So no block of the chunk is stored into a
 *     data block that another block of the chunk has just freed.
 * B2  A chunk exchanges each entry at most once.
 *     If two records named the same old value, recovery would redo them in the order of their
 *     slots, and the old block would be free in two lanes. So of two blocks with one entry the
 *     earlier is dropped. If the two are in different chunks, the later one reads the entry that
 *     the earlier one stored, and its FENCE 1 makes that entry durable (R2).
 * B3  Two entries in one cache line, or under one lock, count as two entries.
 *     R2, R3 and R14 are about words, and a flush writes the whole line. So where flushes work by
 *     lines (eager_flush), one flush of a line serves all entries of the chunk in that line. On a
 *     file each word is stored again. The version of a lock is raised after each map store. A
 *     reader that has copied a block meanwhile looks at the entry again (R11).
 * B4  After a crash each block of the chunk is old or new, in any combination.
 *     Between FENCE 1 and FENCE 2 any of the records may be durable. Recovery redoes each record
 *     by itself: everything that the record needs is durable since FENCE 1, and no other record
 *     of the chunk names its entry or its blocks. If a record is not durable, the previous record
 *     of the slot is current. Its map update is durable (R3). The free block that it names may
 *     hold parts of the new data; nothing refers to them (R4).
 * B5  A chunk takes map locks in ascending order, and waits for its first lane only.
 *     The order covers the locks of all arenas. A single write holds a lane and waits for one map
 *     lock. So there is no deadlock. If a batch that holds lanes waited for more of them, it could
 *     wait for another batch that does the same.
 * B6  A chunk takes only one of the two lanes of its own thread, in turn, as a single write does.
 *     After a lane of a thread has freed a block, a write through the other lane follows, and its
 *     fences come before the next store into that block (R11). This holds for batches and single
 *     writes in any order. For borrowed lanes a locked instruction has this effect: each chunk
 *     borrows its numbers and returns them with locked instructions, as a shared lane is taken and
 *     released. If a chunk ends without a step, it still executes a fence, as a single write does.
 * B7  R15 is checked twice, as in a single write: after the lanes, and after the locks.
 * B8  A failed sync poisons the table, and the rest of the batch is not stored (R9).
 *     Before FENCE 1 no record was stored, so all blocks of the chunk are old. After FENCE 1 each
 *     is old or new when the pool is opened again. Until then readers find it old, unless its
 *     record has reached the medium (R18). Earlier chunks are durable; later chunks have not
 *     begun.
 * B9  A batch may be in several arenas: a lane has a slot in each of them.
 *     A chunk uses a lane only in the arena of its block. The lane's slots in other arenas do not
 *     change, and R3 holds there, too: a slot records its own previous entry. One fence covers
 *     the whole storage.
 * B10 A map lock remembers the map stores of a chunk only if they are in one cache line (R17).
 *     Then the flush of any of these entries flushes all of them. If the chunk stores entries of
 *     several lines under one lock, it ends with a third fence, and the lock remembers nothing.
 *
 * A damaged entry (out of range) ends the chunk before FENCE 1: no block of the chunk is written.
 * Blocks in a read-only arena are found before anything is written.
 *
 * On a file the fence of each step syncs one range of the file, with one call. The range covers all
 * blocks of the chunk, from their data to the flog. So the first sync may also write map entries
 * that other threads have stored and not synced yet. The kernel may write these at any time, and
 * the next fences would have to write them anyway.
 *
 * Why a single write is not a batch of one. btt_write() is the same protocol without the vector, the
 * loan, the sorting and the arrays. On persistent memory a write of 512 bytes takes 330 ns, and a
 * batch of one such block takes 460 ns (measured on one machine; the best of 20,000 rounds). Most
 * programs write single blocks.
 */
#include "btt/batch.h"

#include "btt/flog.h"
#include "btt/modify.h"
#include "btt/redo.h"

/* The bits of a block's number in a chunk, which is part of struct chunk's keys. */
#define BATCH_BITS 7u
#define BATCH_MAX (1u << BATCH_BITS)

struct item {
	struct btt_arena *arena;
	const unsigned char *buf;
	uint32_t premap;
	uint32_t old;	 /* the old entry, with its number filled in */
	uint64_t before; /* btt_load_second_half() */
};

struct chunk {
	struct item item[BATCH_MAX]; /* in the order of the vector */
	/*
	 * Sorted; the blocks are worked on in this order. From the high bits to the low ones: the
	 * map lock, the line, the entry, the item's number.
	 */
	uint64_t key[BATCH_MAX];
	unsigned n;
	/* the lane of the block at the same place in key[] */
	uint8_t lane[BATCH_MAX + 2];
	unsigned nlane;
	unsigned hint; /* lane_hint() */
	struct lanes_loan loan;
	/* held instead of the map locks; NULL: the map locks are held */
	struct lock *all;
};

/* --- what a chunk holds ------------------------------------------------------------------- */

static struct item *item_of(struct chunk *c, unsigned i)
{
	return &c->item[c->key[i] & (BATCH_MAX - 1)];
}

static uint32_t lock_of(const struct item *item)
{
	return item->arena->first_lock + btt_map_lock_number(item->premap);
}

static bool same_line(const struct item *a, const struct item *b)
{
	return a->arena == b->arena &&
	       a->premap / BTT_LINE_ENTRIES == b->premap / BTT_LINE_ENTRIES;
}

static uint64_t key_of(const struct item *item, unsigned number)
{
	uint64_t line = item->premap / BTT_LOCK_ENTRIES;
	uint64_t entry = item->premap % BTT_LINE_ENTRIES;

	_Static_assert(BTT_MAP_LBA_MASK / BTT_LOCK_ENTRIES < 1u << 18,
		       "lines take 18 bits");
	return (uint64_t)lock_of(item) << (22 + BATCH_BITS) |
	       (line * BTT_LINE_ENTRIES + entry) << BATCH_BITS | number;
}

/* Shell sort. It is fast if the vector is nearly sorted, as most vectors are. */
static void sort_keys(uint64_t *key, unsigned n)
{
	static const unsigned gaps[] = {57, 23, 10, 4, 1};

	for (unsigned g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++)
		for (unsigned gap = gaps[g], i = gap; i < n; i++) {
			uint64_t moved = key[i];
			unsigned j = i;

			for (; j >= gap && key[j - gap] > moved; j -= gap)
				key[j] = key[j - gap];
			key[j] = moved;
		}
}

/* B2: keeps only the last block of each entry. */
static void drop_replaced(struct chunk *c)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < c->n; i++)
		if (i + 1 == c->n ||
		    c->key[i] >> BATCH_BITS != c->key[i + 1] >> BATCH_BITS)
			c->key[kept++] = c->key[i];
	c->n = kept;
}

/* Takes as many blocks from the vector as the chunk has lanes. */
static int gather(const struct btt *btt, struct chunk *c, struct btt_cursor *from)
{
	for (c->n = 0; c->n < c->nlane && c->n < BATCH_MAX && btt_cursor_has_more(from);
	     c->n++) {
		struct item *item = &c->item[c->n];
		int ret = btt_find_arena(btt, btt_cursor_lba(from), &item->arena,
					 &item->premap);

		if (unlikely(ret))
			return ret;
		item->buf = btt_cursor_buf(from, btt->params.bsize);
		c->key[c->n] = key_of(item, c->n);
		/* for exchange_locked(): the copies of the data hide the cache miss */
		__builtin_prefetch(
		    storage_at(btt->storage,
			       btt_arena_map_off(item->arena, item->premap)),
		    1);
		from->at++;
	}
	sort_keys(c->key, c->n);
	drop_replaced(c);
	return 0;
}

/* --- lanes and locks ---------------------------------------------------------------------- */

static void take_lanes(struct btt *btt, struct chunk *c, unsigned want, uint64_t thread)
{
	c->hint = lane_hint(thread);
	c->lane[0] = (uint8_t)lanes_acquire(&btt->lanes, c->hint);
	c->nlane = 1 + lanes_borrow(&btt->lanes, want - 1, &c->loan, c->lane + 1);
}

static void give_lanes_back(struct btt *btt, struct chunk *c)
{
	lanes_return(&c->loan);
	lanes_release(&btt->lanes, c->lane[0]);
}

/* True for the first of several blocks with the same map lock. */
static bool is_first_of_lock(const struct chunk *c, unsigned i)
{
	return i == 0 ||
	       c->key[i] >> (22 + BATCH_BITS) != c->key[i - 1] >> (22 + BATCH_BITS);
}

static void lock_maps(struct btt *btt, struct chunk *c, uint64_t thread)
{
	c->all = map_guard_enter_all(&btt->guard, thread);
	for (unsigned i = 0; !c->all && i < c->n; i++) {
		const struct item *item = item_of(c, i);

		if (is_first_of_lock(c, i))
			map_guard_take(&btt->guard, lock_of(item),
				       btt_arena_map_lock(item->arena, item->premap));
	}
}

static void unlock_maps(struct chunk *c)
{
	if (c->all)
		lock_release(c->all);
	for (unsigned i = 0; !c->all && i < c->n; i++) {
		const struct item *item = item_of(c, i);

		if (is_first_of_lock(c, i))
			lock_release(btt_arena_map_lock(item->arena, item->premap));
	}
}

/* --- the protocol ------------------------------------------------------------------------- */

static void store_data(struct btt *btt, struct chunk *c, struct storage_step *step)
{
	/* release: as in btt_write() */
	atomic_thread_fence(memory_order_release);
	for (unsigned i = 0; i < c->n; i++) {
		const struct item *item = item_of(c, i);
		const struct btt_slot *slot = &item->arena->slot[c->lane[i]];

		btt_store_data(btt, item->arena, step, slot->free_block, item->buf);
	}
}

static int load_entries_locked(struct btt *btt, struct chunk *c,
			       struct storage_step *step, uint64_t thread,
			       long long *failed)
{
	for (unsigned i = 0; i < c->n; i++) {
		struct item *item = item_of(c, i);
		uint32_t raw;
		int ret = btt_load_entry_locked(btt, item->arena, item->premap, &raw,
						&item->old);

		if (unlikely(ret)) {
			btt_blame(btt, item->arena, item->premap, failed);
			return ret;
		}
		if (!btt->storage->eager_flush) {
			storage_renew32(btt->storage, step,
					btt_arena_map_off(item->arena, item->premap),
					raw);
			continue;
		}
		if (i == 0 || !same_line(item, item_of(c, i - 1)))
			btt_settle_line_locked(btt, item->arena, item->premap, step);
		if (is_first_of_lock(c, i))
			btt_settle_last_locked(btt, item->arena, item->premap, step,
					       thread, c->hint);
	}
	return 0;
}

static uint64_t record_off(const struct item *item, unsigned lane)
{
	return btt_arena_slot_off(item->arena, lane) +
	       item->arena->slot[lane].next_record * sizeof(struct btt_flog_record_media);
}

static void store_first_half(struct btt *btt, const struct item *item, unsigned lane)
{
	storage_store64(btt->storage, record_off(item, lane),
			btt_flog_first_half(item->premap, item->old));
}

/* R3, R1 */
static void prepare_records(struct btt *btt, struct chunk *c, struct storage_step *step,
			    uint64_t thread)
{
	for (unsigned i = 0; i < c->n; i++) {
		const struct item *item = item_of(c, i);
		unsigned lane = c->lane[i];

		btt_flush_previous(btt, item->arena, &item->arena->slot[lane], step,
				   thread);
		if (!btt->storage->line_order) {
			store_first_half(btt, item, lane);
			storage_flush(btt->storage, step, record_off(item, lane), 8);
		}
	}
}

static uint32_t new_entry(const struct item *item, unsigned lane)
{
	return item->arena->slot[lane].free_block | BTT_MAP_NORMAL;
}

static void store_records(struct btt *btt, struct chunk *c, struct storage_step *step)
{
	for (unsigned i = 0; i < c->n; i++) {
		struct item *item = item_of(c, i);
		unsigned lane = c->lane[i];
		uint64_t record = record_off(item, lane);
		uint32_t seq = btt_flog_next_seq(item->arena->slot[lane].seq);

		if (btt->storage->line_order)
			store_first_half(btt, item, lane);
		item->before = btt_load_second_half(btt, record);
		storage_store64(btt->storage, record + 8,
				btt_flog_second_half(new_entry(item, lane), seq));
		storage_flush(btt->storage, step, record,
			      sizeof(struct btt_flog_record_media));
	}
}

/* R18 */
static void take_records_back(struct btt *btt, struct chunk *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		const struct item *item = item_of(c, i);

		btt_take_record_back(btt, record_off(item, c->lane[i]), item->before);
	}
}

static void store_entries_locked(struct btt *btt, struct chunk *c,
				 struct storage_step *step, uint64_t thread)
{
	for (unsigned i = 0; i < c->n; i++) {
		const struct item *item = item_of(c, i);
		unsigned lane = c->lane[i];
		struct btt_slot *slot = &item->arena->slot[lane];
		uint32_t entry = new_entry(item, lane);

		slot->seq = btt_flog_next_seq(slot->seq);
		slot->next_record ^= 1;
		slot->free_block = btt_map_postmap(item->old);
		slot->prev_premap = item->premap;
		slot->prev_thread = thread;
		btt_store_entry_locked(btt, item->arena, item->premap, entry);
		/* B3 */
		if (btt->storage->eager_flush &&
		    (i + 1 == c->n || !same_line(item, item_of(c, i + 1)))) {
			btt_note_line_locked(item->arena, item->premap);
			btt_flush_entry(btt, item->arena, item->premap, step);
		}
	}
}

/* B10 */
static int note_or_fence_locked(struct btt *btt, struct chunk *c,
				struct storage_step *step, uint64_t thread)
{
	for (unsigned i = 1; i < c->n; i++)
		if (!is_first_of_lock(c, i) &&
		    !same_line(item_of(c, i), item_of(c, i - 1))) {
			int ret = storage_fence(btt->storage, step);

			return ret ? btt_poison(btt, ret) : 0;
		}
	for (unsigned i = 0; i < c->n; i++) {
		const struct item *item = item_of(c, i);

		if (is_first_of_lock(c, i))
			btt_note_last_locked(btt, item->arena, item->premap, thread,
					     c->hint);
	}
	return 0;
}

/* The protocol from the read of the old entries on. */
static int exchange_locked(struct btt *btt, struct chunk *c, struct storage_step *step,
			   uint64_t thread, long long *failed)
{
	int ret = load_entries_locked(btt, c, step, thread, failed);

	if (unlikely(ret)) {
		int err = btt_fence_unused_lane(btt); /* B6 */

		return err ? err : ret;
	}
	prepare_records(btt, c, step, thread);
	ret = storage_fence(btt->storage, step);
	if (unlikely(ret))
		return btt_poison(btt, ret);
	store_records(btt, c, step);
	ret = storage_fence(btt->storage, step);
	if (unlikely(ret)) {
		take_records_back(btt, c);
		return btt_poison(btt, ret);
	}
	store_entries_locked(btt, c, step, thread);
	return btt->storage->eager_flush ? note_or_fence_locked(btt, c, step, thread) : 0;
}

static int write_chunk(struct btt *btt, struct btt_cursor *from, unsigned want,
		       uint64_t thread, long long *failed)
{
	struct storage_step step = STORAGE_STEP_INIT;
	struct chunk c;
	int ret;

	take_lanes(btt, &c, want, thread);
	if (unlikely(btt_poison_is_set(btt))) {
		/* R15 */
		ret = btt_poison_fail(btt);
		goto give_back;
	}
	ret = gather(btt, &c, from);
	if (unlikely(ret))
		goto give_back;
	store_data(btt, &c, &step);
	lock_maps(btt, &c, thread);
	btt_exchange_begin(btt);
	if (unlikely(btt_poison_is_set(btt)))
		ret = btt_poison_fail(btt);
	else
		ret = exchange_locked(btt, &c, &step, thread, failed);
	btt_exchange_end(btt);
	unlock_maps(&c);
give_back:
	give_lanes_back(btt, &c);
	return ret;
}

int btt_write_runs(struct btt *btt, const struct btt_run *run, size_t nrun,
		   long long *failed)
{
	struct btt_cursor c = {.run = run, .nrun = nrun};
	uint64_t thread;
	int ret;

	*failed = BTT_NOBODY;
	if (!btt_cursor_has_more(&c))
		return 0;
	ret = btt_prepare(btt);
	for (size_t i = 0; !ret && i < nrun; i++)
		ret = btt_check_arenas(btt, (uint64_t)run[i].lba, run[i].nblock, failed);
	thread = lane_thread();
	while (!ret && btt_cursor_has_more(&c))
		ret =
		    write_chunk(btt, &c, btt_cursor_count(c, BATCH_MAX), thread, failed);
	return ret;
}
