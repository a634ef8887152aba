/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Batches: many blocks in the two ordered steps of one write. The model, the steps and the rules R1
 * to R16 are those on top of btt/btt.c.
 *
 * A batch goes in chunks of at most BATCH_MAX blocks, each of which is complete before the next one
 * begins. A chunk has a lane for each block:
 *
 *      take a lane as a single write does, waiting for it if need be
 *      borrow as many more as are free, without waiting; so many blocks make the chunk
 *      sort them by map lock and entry; of the same entry twice only the later one stays
 *      store the data of each block into its lane's free block, flush them
 *      take the map locks of all entries in ascending order, each once
 *      for each block: old = the map entry; flush it (files: store it again)   R2, R14
 *                      flush the map entry that its lane's previous write stored       R3
 *                      [without line_order: store the first half, flush it]            R1
 *   FENCE 1
 *      for each block: [with line_order: store the first half] store the second half; flush them
 *   FENCE 2   here the chunk is durable
 *      for each block: store the map entry; flush it, without a fence                  R10
 *      release the map locks, give the borrowed lanes back, release the lane
 *
 * Why that is right. A chunk is as many single writes that run side by side: each has its lane, its
 * entry and its record, and no two share any of them. What one of them has to make durable before
 * its record, before FENCE 1, all of them have made durable before any record; what it has to make
 * durable before its map store, before FENCE 2, all of them have before any map store. The rules
 * order only such pairs, so they hold for each block. What is left is what two blocks of a chunk
 * have in common:
 *
 * B1  A slot and a free block belong to one block of the chunk.
 *     Lanes are private to the chunk from before the first store until after the last. All free
 *     blocks are known before the first map entry changes. So no block of the chunk goes into one
 *     that another block of the chunk has just freed.
 * B2  An entry is exchanged once in a chunk.
 *     Two records that name the same old value would be redone by slot number, and the old block
 *     would be free in two lanes. So the earlier of two is dropped. In two chunks the later one
 *     finds what the earlier one left, and its FENCE 1 makes that durable (R2).
 * B3  Two entries in one line, or under one lock, are two entries.
 *     R2, R3 and R14 speak of words, and a flush writes the whole line. So one flush of a line serves
 *     all of the chunk's entries in it where flushes work by lines (eager_flush). On a file each
 *     word is stored again. The version of a lock is raised after each map store; a reader that has
 *     copied under any of these values looks at the entry again (R11).
 * B4  After a crash each block of the chunk is old or new, in any combination.
 *     Between FENCE 1 and FENCE 2 any of the records may be durable. Each is redone, or was, by
 *     itself: what it needs is durable since FENCE 1, and none of the others names its entry or its
 *     blocks. If a record is not durable, the slot's previous one is current. Its map update is
 *     durable (R3), and the free block that it names holds parts of the new data, which nobody
 *     refers to (R4).
 * B5  Map locks are taken in ascending order, by one who holds lanes but never waits for one.
 *     The order of the locks is one of all arenas. A single write holds a lane and waits for one map
 *     lock. So nobody waits in a circle. A batch that would wait for lanes while it holds some could
 *     meet another one that does the same.
 * B6  Which lanes of its thread a chunk takes: one, in turn, as a single write does.
 *     So the fences of a write lie between the release of a block by a lane of a thread and the next
 *     store into it, with batches and single writes in any order (R11). A number is borrowed and
 *     given back by locked instructions, as a shared lane is. Each chunk does so anew. A chunk that
 *     ends without a step fences, as a single write does.
 * B7  R15 is asked twice, as by a single write: with the lanes, and with the locks.
 * B8  A sync that fails poisons the table, and nothing more of the batch is stored (R9).
 *     Before FENCE 1 no record was stored, so that all blocks of the chunk are old. After it each is
 *     old or new. Earlier chunks are durable, later ones are not begun.
 * B9  A batch may lie in several arenas: a lane has a slot in each.
 *     A chunk uses a lane in the one arena in which its block lies. What the lane has in the others
 *     stays as it is, R3 included: a slot remembers its own previous entry. One fence covers the
 *     storage as a whole.
 *
 * A damaged entry (out of range) ends the chunk before FENCE 1: no block of it is written. The blocks
 * in a read-only arena are found before anything is written.
 *
 * A file: the steps of all blocks are one range each, which the fence syncs with one call: two syncs
 * for each chunk. The range reaches from the data to the flog, so the first sync may write map
 * entries that others have stored without a sync; that is allowed at any time, and they have to be
 * written next anyway.
 *
 * A range of zeros. A chunk is a run of entries of which no two lines have the same lock. It takes
 * their locks in ascending order, stores the flag into all of them, flushes, fences once and releases
 * the locks (R6, R16). Each flag is durable or not by itself. An initial entry stays as it is: it
 * reads as zeros, nothing was ever stored there since the layout, which was durable before the table
 * was used. So a range of a sparse pool that was never written costs no space and no sync.
 *
 * Why a single write is not a batch of one. It is the same protocol without sorting, without arrays
 * and with its values in registers: on persistent memory a batch of one block takes about a fifth
 * longer. A batch that has one block left calls btt_write() instead.
 */
#include "btt/batch.h"

#include <string.h>

#include "btt/btt.h"
#include "btt/flog.h"
#include "btt/modify.h"
#include "btt/redo.h"

/* Blocks of a chunk; its number of bits is part of struct chunk's keys. */
#define BATCH_BITS 7u
#define BATCH_MAX (1u << BATCH_BITS)

/* Entries whose lines have as many different locks as there are. */
#define LINE_ENTRIES 16u
#define ZERO_MAX (BTT_MAP_LOCKS * LINE_ENTRIES)

/* Reads that are prefetched together, and how much of each: what the first-level cache holds. */
#define READ_GROUP 32u
#define READ_AHEAD ((size_t)512)

/* The place in a vector of runs. */
struct cursor {
	const struct btt_run *run;
	size_t nrun;
	size_t at; /* in the first one */
};

struct item {
	struct btt_arena *arena;
	const unsigned char *buf;
	uint32_t premap;
	uint32_t old; /* the entry as it was, with its number filled in */
};

struct chunk {
	struct item item[BATCH_MAX]; /* as they were given */
	/* In the order of work: map lock, line and entry, and the item's number in the low bits. */
	uint64_t key[BATCH_MAX];
	unsigned n;
	uint8_t lane[BATCH_MAX + 2]; /* of the block with the same place in key[] */
	unsigned nlane;
	struct lanes_loan loan;
	struct lock *all; /* held instead of all map locks; NULL: these are */
};

static size_t bsize_of(const struct btt *btt)
{
	return btt->params.bsize;
}

/* --- vectors ------------------------------------------------------------------------------ */

/* Whether there is a block; finished runs are left behind. */
static bool has_more(struct cursor *c)
{
	while (c->nrun && c->at == c->run->nblock) {
		c->run++;
		c->nrun--;
		c->at = 0;
	}
	return c->nrun != 0;
}

static uint64_t cursor_lba(const struct cursor *c)
{
	return (uint64_t)c->run->lba + c->at;
}

static unsigned char *cursor_buf(const struct btt *btt, const struct cursor *c)
{
	return (unsigned char *)c->run->buf + c->at * bsize_of(btt);
}

/* How many blocks are left, or max. */
static unsigned count_blocks(struct cursor c, unsigned max)
{
	unsigned n = 0;

	while (n < max && has_more(&c)) {
		size_t left = c.run->nblock - c.at;

		n += left < max - n ? (unsigned)left : max - n;
		c.at = c.run->nblock;
	}
	return n;
}

static uint64_t first_lba(const struct btt *btt, const struct btt_arena *arena)
{
	uint64_t lba = 0;

	for (const struct btt_arena *a = btt->arena; a < arena; a++)
		lba += a->info.geo.external_nlba;
	return lba;
}

static void blame(const struct btt *btt, const struct btt_arena *arena, uint32_t premap,
		  long long *failed)
{
	*failed = (long long)(first_lba(btt, arena) + premap);
}

/* -EIO, message set, if one of the blocks lies where nothing may be modified. */
static int check_arenas(const struct btt *btt, uint64_t lba, uint64_t nblock,
			long long *failed)
{
	uint64_t begin = 0;

	for (unsigned i = 0; i < btt->narena; i++) {
		const struct btt_arena *arena = &btt->arena[i];
		uint64_t end = begin + arena->info.geo.external_nlba;

		if (btt_arena_is_read_only(arena) && nblock && lba < end &&
		    lba + nblock > begin) {
			*failed = (long long)(lba > begin ? lba : begin);
			return btt_fail_read_only(btt, arena);
		}
		begin = end;
	}
	return 0;
}

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
	       a->premap / LINE_ENTRIES == b->premap / LINE_ENTRIES;
}

static uint64_t key_of(const struct item *item, unsigned number)
{
	uint64_t line = item->premap / ZERO_MAX;
	uint64_t entry = item->premap % LINE_ENTRIES;

	_Static_assert(BTT_MAP_LBA_MASK / ZERO_MAX < 1u << 18, "lines take 18 bits");
	return (uint64_t)lock_of(item) << (22 + BATCH_BITS) |
	       (line * LINE_ENTRIES + entry) << BATCH_BITS | number;
}

/* Most vectors are sorted already, all but a few in one place. */
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

/* B2: the later of two is the last one of its entry. */
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
static int gather(const struct btt *btt, struct chunk *c, struct cursor *from)
{
	for (c->n = 0; c->n < c->nlane && c->n < BATCH_MAX && has_more(from); c->n++) {
		struct item *item = &c->item[c->n];
		int ret =
		    btt_find_arena(btt, cursor_lba(from), &item->arena, &item->premap);

		if (unlikely(ret))
			return ret;
		item->buf = cursor_buf(btt, from);
		c->key[c->n] = key_of(item, c->n);
		/* in time for exchange_locked(); the copies of the data hide the miss */
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
	c->lane[0] = (uint8_t)lanes_acquire(&btt->lanes, lane_hint(thread));
	c->nlane = 1 + lanes_borrow(&btt->lanes, want - 1, &c->loan, c->lane + 1);
}

static void give_lanes_back(struct btt *btt, struct chunk *c)
{
	lanes_return(&c->loan);
	lanes_release(&btt->lanes, c->lane[0]);
}

/* True for the first of the blocks that have one map lock. */
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
			map_guard_take(
			    &btt->guard, lock_of(item),
			    &btt_arena_map_lock(item->arena, item->premap)->lock);
	}
}

static void unlock_maps(struct chunk *c)
{
	if (c->all)
		lock_release(c->all);
	for (unsigned i = 0; !c->all && i < c->n; i++) {
		const struct item *item = item_of(c, i);

		if (is_first_of_lock(c, i))
			lock_release(
			    &btt_arena_map_lock(item->arena, item->premap)->lock);
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

		storage_write(btt->storage, step,
			      btt_arena_block_off(item->arena, slot->free_block),
			      item->buf, bsize_of(btt));
	}
}

static int load_entries_locked(struct btt *btt, struct chunk *c,
			       struct storage_step *step, long long *failed)
{
	for (unsigned i = 0; i < c->n; i++) {
		struct item *item = item_of(c, i);
		uint32_t raw;
		int ret = btt_load_entry_locked(btt, item->arena, item->premap, &raw,
						&item->old);

		if (unlikely(ret)) {
			blame(btt, item->arena, item->premap, failed);
			return ret;
		}
		/* B3 */
		if (!btt->storage->eager_flush || i == 0 ||
		    !same_line(item, item_of(c, i - 1)))
			storage_renew32(btt->storage, step,
					btt_arena_map_off(item->arena, item->premap),
					raw);
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
		const struct item *item = item_of(c, i);
		unsigned lane = c->lane[i];
		uint64_t record = record_off(item, lane);
		uint32_t seq = btt_flog_next_seq(item->arena->slot[lane].seq);

		if (btt->storage->line_order)
			store_first_half(btt, item, lane);
		storage_store64(btt->storage, record + 8,
				btt_flog_second_half(new_entry(item, lane), seq));
		storage_flush(btt->storage, step, record,
			      sizeof(struct btt_flog_record_media));
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
		    (i + 1 == c->n || !same_line(item, item_of(c, i + 1))))
			btt_flush_entry(btt, item->arena, item->premap, step);
	}
}

/* The protocol from the read of the old entries on. */
static int exchange_locked(struct btt *btt, struct chunk *c, struct storage_step *step,
			   uint64_t thread, long long *failed)
{
	int ret = load_entries_locked(btt, c, step, failed);

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
	if (unlikely(ret))
		return btt_poison(btt, ret);
	store_entries_locked(btt, c, step, thread);
	return 0;
}

static int write_chunk(struct btt *btt, struct cursor *from, unsigned want,
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
	if (unlikely(btt_poison_is_set(btt)))
		ret = btt_poison_fail(btt);
	else
		ret = exchange_locked(btt, &c, &step, thread, failed);
	unlock_maps(&c);
give_back:
	give_lanes_back(btt, &c);
	return ret;
}

static int write_one(struct btt *btt, struct cursor *from, long long *failed)
{
	uint64_t lba = cursor_lba(from);
	int ret = btt_write(btt, cursor_buf(btt, from), lba);

	from->at++;
	if (ret && !btt_poison_is_set(btt))
		*failed = (long long)lba;
	return ret;
}

int btt_write_runs(struct btt *btt, const struct btt_run *run, size_t nrun,
		   long long *failed)
{
	struct cursor c = {.run = run, .nrun = nrun};
	uint64_t thread;
	int ret;

	*failed = BTT_NOBODY;
	if (!has_more(&c))
		return 0;
	ret = btt_prepare(btt);
	for (size_t i = 0; !ret && i < nrun; i++)
		ret = check_arenas(btt, (uint64_t)run[i].lba, run[i].nblock, failed);
	thread = lane_thread();
	while (!ret && has_more(&c)) {
		unsigned want = count_blocks(c, BATCH_MAX);

		ret = want > 1 ? write_chunk(btt, &c, want, thread, failed)
			       : write_one(btt, &c, failed);
	}
	return ret;
}

/* --- zeros -------------------------------------------------------------------------------- */

struct zeros {
	struct btt_arena *arena;
	uint32_t first; /* premap */
	uint32_t n;
};

static uint32_t last_line(const struct zeros *z)
{
	return (z->first + z->n - 1) / LINE_ENTRIES;
}

static struct lock *lock_zeros(struct btt *btt, const struct zeros *z)
{
	struct lock *all = map_guard_enter_all(&btt->guard, lane_thread());

	for (uint32_t line = z->first / LINE_ENTRIES; !all && line <= last_line(z);
	     line++) {
		uint32_t number = line % BTT_MAP_LOCKS;

		map_guard_take(&btt->guard, z->arena->first_lock + number,
			       &z->arena->map_lock[number].lock);
	}
	return all;
}

static void unlock_zeros(const struct zeros *z, struct lock *all)
{
	if (all)
		lock_release(all);
	for (uint32_t line = z->first / LINE_ENTRIES; !all && line <= last_line(z);
	     line++)
		lock_release(&z->arena->map_lock[line % BTT_MAP_LOCKS].lock);
}

static int check_zeros_locked(struct btt *btt, const struct zeros *z, long long *failed)
{
	for (uint32_t i = 0; i < z->n; i++) {
		uint32_t raw;
		uint32_t entry;
		int ret =
		    btt_load_entry_locked(btt, z->arena, z->first + i, &raw, &entry);

		if (unlikely(ret)) {
			blame(btt, z->arena, z->first + i, failed);
			return ret;
		}
	}
	return 0;
}

/* Where flushes work by lines, one flush of each line that has any flags is enough. */
static void store_zeros_locked(struct btt *btt, const struct zeros *z,
			       const struct btt_redo_list *redo,
			       struct storage_step *step)
{
	bool by_lines = btt->storage->eager_flush;
	bool is_due = false;

	for (uint32_t premap = z->first; premap < z->first + z->n; premap++) {
		uint64_t off = btt_arena_map_off(z->arena, premap);
		uint32_t raw = storage_load32(btt->storage, off, memory_order_relaxed);
		uint32_t entry = btt_redo_apply(redo, premap, raw); /* R16 */
		uint32_t zero = btt_map_postmap(entry) | BTT_MAP_ZERO;

		if (!btt_map_is_initial(entry)) {
			if (raw != zero)
				btt_store_entry_locked(btt, z->arena, premap, zero);
			if (!by_lines)
				storage_renew32(btt->storage, step, off, zero);
			is_due = true;
		}
		if (by_lines && is_due &&
		    (premap % LINE_ENTRIES == LINE_ENTRIES - 1 ||
		     premap + 1 == z->first + z->n)) {
			btt_flush_entry(btt, z->arena, premap, step);
			is_due = false;
		}
	}
}

static int zero_chunk(struct btt *btt, const struct zeros *z, long long *failed)
{
	struct storage_step step = STORAGE_STEP_INIT;
	struct btt_redo_list redo;
	struct lock *all = lock_zeros(btt, z);
	int ret;

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
	store_zeros_locked(btt, z, &redo, &step);
	ret = storage_fence(btt->storage, &step);
	if (ret)
		ret = btt_poison(btt, ret);
unlock:
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
		ret = check_arenas(btt, lba, nblock, failed);
	while (!ret && nblock) {
		struct zeros z;
		uint32_t left;

		ret = btt_find_arena(btt, lba, &z.arena, &z.first);
		if (ret)
			break;
		left = z.arena->info.geo.external_nlba - z.first;
		z.n = ZERO_MAX - z.first % ZERO_MAX;
		z.n = z.n < left ? z.n : left;
		z.n = z.n < nblock ? z.n : (uint32_t)nblock;
		ret = zero_chunk(btt, &z, failed);
		lba += z.n;
		nblock -= z.n;
	}
	return ret;
}

/* --- reading ------------------------------------------------------------------------------ */

/* The blocks of a group that are likely to be copied, before the first of them is. */
static void prefetch_blocks(const struct btt *btt, struct cursor c, unsigned n)
{
	const struct btt_view *view[READ_GROUP];
	uint32_t premap[READ_GROUP];
	size_t ahead = bsize_of(btt) < READ_AHEAD ? bsize_of(btt) : READ_AHEAD;

	for (unsigned i = 0; i < n && has_more(&c); i++, c.at++) {
		struct btt_arena *arena;

		view[i] = NULL;
		if (btt_find_arena(btt, cursor_lba(&c), &arena, &premap[i]))
			continue;
		view[i] = &arena->view;
		__builtin_prefetch(&view[i]->map[premap[i]]);
	}
	for (unsigned i = 0; i < n; i++) {
		uint32_t postmap;
		const unsigned char *data;

		if (!view[i])
			continue;
		/* relaxed: a hint; the read looks again */
		postmap = BTT_MAP_NORMAL ^
			  le32_to_cpu((le32){atomic_load_explicit(
			      &view[i]->map[premap[i]], memory_order_relaxed)});
		if (postmap >= view[i]->nblock)
			continue;
		data = view[i]->data + (uint64_t)postmap * view[i]->stride;
		for (size_t at = 0; at < ahead; at += 64)
			__builtin_prefetch(data + at);
	}
}

int btt_read_runs(struct btt *btt, const struct btt_run *run, size_t nrun,
		  long long *failed)
{
	struct cursor c = {.run = run, .nrun = nrun};

	*failed = BTT_NOBODY;
	while (has_more(&c)) {
		unsigned n = count_blocks(c, READ_GROUP);

		if (n > 1 && btt_is_laid_out(btt))
			prefetch_blocks(btt, c, n);
		for (; n && has_more(&c); n--, c.at++) {
			uint64_t lba = cursor_lba(&c);
			int ret = btt_read(btt, cursor_buf(btt, &c), lba);

			if (unlikely(ret)) {
				*failed = (long long)lba;
				return ret;
			}
		}
	}
	return 0;
}
