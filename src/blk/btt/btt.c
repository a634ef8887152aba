/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The operations that modify a laid-out table. Reads are in btt/read.c.
 *
 * Model. An arena has more data blocks than the user sees. The map has an entry for each block
 * that the user sees (numbered by premap). The entry names the data block (numbered by postmap)
 * that holds the contents. The flog has a slot for each lane. A slot owns one free data block,
 * and holds the records of the last two writes that went through it. A write never changes the
 * present data of its block. It fills the free block of its lane, logs the exchange of the two
 * data blocks, and then stores the map entry. After that the data block that the entry named
 * before is the lane's free block.
 *
 * Protocol. A write has two ordered steps. A step is durable when its fence has returned.
 *
 *      take a lane; store the data into its free block, flush them
 *      take the map lock of the entry; old = the map entry
 *      [persistent memory: flush the entry's line and the last map store under this lock,
 *      unless they are known to be durable; files: store the entry again] R2, R17, R14
 *      flush the map entry that the lane's previous write stored          R3
 *      [without line_order: store the record's first half, flush it]      R1
 *   FENCE 1
 *      [with line_order: store the first half] store the second half; flush them
 *   FENCE 2   here the write is durable
 *      store the map entry; flush it, without a fence                     R10
 *      release the map lock and the lane
 *
 * The record is {premap, old} and {new, sequence number}: two stores of 8 bytes, over the record
 * of the slot that is not current. Recovery takes the record with the later sequence number as
 * current. If the map still has the old entry, recovery stores the new one.
 *
 * Rules. All rules that make this safe, each with its reason. tests/README.md lists for each rule
 * the place in the code and the test.
 *
 * R1  The second half of a record reaches the medium only after the first half.
 *     Otherwise recovery could store an entry that no write has made. Persistent memory of x86-64
 *     keeps the order of stores to one line, so there both halves are stored between the fences.
 *     The kernel may write a page of a file word by word at any time, and ARM promises no order.
 *     In both cases the first half is stored before FENCE 1. It is stored into the record that is
 *     not current, so it has no effect until the second half follows.
 * R2  FENCE 1 makes the map entry durable with the value that is logged as old.
 *     Recovery looks at the slots in the order of their numbers, not by age. If an older value
 *     were on the medium, recovery would lose this write or mix it with another one. The entry
 *     may have been stored a moment ago, by another lane or by this one.
 * R3  FENCE 1 makes the map update of the slot's current record durable.
 *     The record is the only redo of its update, and recovery looks only at the current record.
 *     From FENCE 2 on that is the new one. A flush counts only with a fence of the thread that
 *     issued the flush. So a slot records which thread flushed last, and any other thread flushes
 *     again.
 * R4  The lane's next write may at once overwrite the block that a write has freed.
 *     The record is durable, so recovery redoes the map update that took the block out of the
 *     map.
 * R5  Before a pool is marked as closed, btt_sync() makes all deferred map updates durable.
 *     The next process may use a library that looks only at the mark.
 * R6  set_zero and set_error are one durable step under the map lock, also if the flag is set.
 *     Another thread may have stored the flag a moment ago, and not have fenced yet.
 * R7  Locks order nothing on the medium.
 *     Only flushes and fences count in these arguments.
 * R8  Recovery takes no byte that it reads for durable.
 *     The process that stored the byte may have been killed a moment ago, and the power may fail
 *     next. So the whole flog becomes durable before the first map entry is redone
 *     (btt/recover.c).
 * R9  A failed sync poisons the table: until it is closed every modifying call fails with EIO.
 *     Nobody knows which stores have reached the medium. A second sync would succeed without
 *     having written anything, because the kernel marks a page as clean after a failed
 *     write-back. Reads go on. But from now on the kernel may evict a page of the map and read it
 *     again from the medium, where it lacks an update whose record is durable. So readers redo
 *     this update for themselves (btt/redo.h). Readers in forked processes do so, too; a word in
 *     shared memory tells them to (enum btt_progress).
 * R10 The flush of the map entry after FENCE 2 may wait for the fence of a later step.
 *     R3 and R5 guarantee that there is one. Where a flush is cheap it is issued at once. Reason:
 *     if this process is killed and the original library then opens the pool, that library relies
 *     on the map entry, and a power loss could still undo it. The early flush makes this window
 *     smaller.
 * R11 A reader believes its copy of a block only if the version of the map lock has not changed.
 *     The version is raised after each map store, before lock and lane are released. So before a
 *     thread overwrites a block, the block has left the map and the version was raised. An
 *     instruction orders the raise before the first store into the block: the lock of a shared
 *     lane, or the fences of the write through the other lane of the thread's pair (btt/lanes.h).
 *     For this reason a write that fails because of a damaged entry also fences. Comparing the
 *     map entry would not be enough, because a block can leave the map and return during one
 *     copy; with the version, the comparison is not needed. After some failures the reader takes
 *     the map lock. Under the lock the entry cannot change, and its block is not a free block of
 *     a lane. Processes that were forked since the open share the versions. Their readers
 *     have no lock to take, so they repeat the copy.
 * R12 A first layout writes maps and flogs, then info blocks, then their copies, each step durable.
 *     So an info block proves that map and flog are complete (btt/layout.c).
 * R13 A fence is a real store fence wherever stores were non-temporal.
 *     Nothing else orders such stores. Files get no non-temporal stores (storage/pool.c).
 * R14 On files, a value is stored again before anything relies on it, unless this process has
 *     stored it and no sync has failed since.
 *     If a write-back of its page has failed, the page is marked as clean. Then the value can be
 *     read, and a sync succeeds, but the value never reaches the medium. Only a store makes the
 *     page dirty. These are stored again: by recovery, the flogs and the entries that current
 *     records name; by a write, the entry that it logs as old; by set_zero and set_error, a flag
 *     that is set already; by a first layout, zeros in the maps of a user's file. R3 and R5 need
 *     no store: the entry that a current record names was stored by this table, at least by its
 *     recovery. storage_renew() does this; on persistent memory it only flushes, which is needed
 *     anyway.
 * R15 A thread that has waited for a lane or a lock checks for poison before its first store.
 *     The lane's block may belong to a record whose sync has failed and which has reached the
 *     medium.
 * R16 On files, set_zero and set_error put the flag on the entry that recovery would leave.
 *     The kernel may evict a page of the map before a sync has reported that the page could not
 *     be written. Then the page lacks an update whose record is durable. set_zero and set_error
 *     store the entry before they sync. On the old entry the flag would be there for good:
 *     recovery no longer finds the old value, the freed block is back in the map, and it has a second
 *     owner. A write stores no map entry before its two syncs, and the first one fails then.
 * R17 A write on persistent memory skips those flushes of R2 whose entries are known to be durable.
 *     The table records what is known: for each line of the map, whether this table has made the
 *     line durable; and for each map lock, the last map store under it.
 *     Lines: a line may hold what another process stored before it was killed (R8). So the first
 *     write to each line flushes the line.
 *     Map stores: each map store of this table is flushed at once (R10). It is durable when the
 *     thread that made it has passed another fence. A thread passes a fence in each of its turns
 *     (btt/lanes.h). So the write does not flush the recorded map store if it was made by the same
 *     thread, or if the thread that made it has begun the second turn after it. Otherwise the
 *     write flushes the recorded entry. In all cases FENCE 1 then makes all map stores under the
 *     lock durable, and the write records its own map store. set_zero and set_error record nothing,
 *     because they fence their stores.
 *     Threads that end: the next thread with the same number continues the count of turns. So
 *     end_thread() completes the flushes of the thread before it gives the number back.
 *     Threads that move to another CPU: their flushes are complete before they go on there. On
 *     x86-64 a locked instruction completes them, and on ARM a barrier of the kernel.
 *     It would be simpler to flush the old entry in every write. But then FENCE 1 would wait for a
 *     line that is in the caches: on Sapphire Rapids, writes of 512 bytes took 1.4 times as long.
 * R18 On files, if a sync fails, set_zero, set_error and a range of zeros store the old flags again.
 *     Otherwise readers, in this process and in the next one, could see a new flag until the kernel
 *     evicts its page; after that it is lost. They would have read a state that never became
 *     durable. No record names the flag, so recovery cannot store it again. The flag may have
 *     reached the medium in spite of the failure. Then it appears when the page is read again, as
 *     if the call had taken effect later. If the old entry was initial, the flag zero is stored in
 *     its place. So an entry that is initial in memory is initial on the medium, too
 *     (btt/zero_range.c).
 *     For the same reason a write whose FENCE 2 has failed stores the old second half of the record
 *     again, before the table is poisoned: from then on readers redo what the record says (R9). If
 *     another thread has poisoned the table before, the map lock keeps the readers of this process
 *     waiting; those of other processes have no lock, so they begin to redo when no thread is
 *     between the store of a record or a flag and the end of its fence, or when this process has
 *     ended; until then they wait where they find a flag (btt/poison.h).
 *
 * Batches of blocks take these steps together, see btt/batch.c.
 *
 * Not handled here:
 *
 *   1. Media errors while running (SIGBUS), and several processes. See pool/.
 *   2. A page that could not be written and leaves the memory before a sync has reported it.
 *      Until a sync reports it, readers see what the medium has. Readers of other processes do so
 *      until threads that are in the middle of a write have noticed it, too (R18).
 *   3. A flag whose sync failed, if the process was killed before it could store the old entry
 *      again (R18). The next process that opens the pool can read the flag until its page leaves
 *      the memory. If the process was killed before it could take a record back, this holds for
 *      its children that read; whoever opens the pool makes the record durable.
 *   4. A flag can be read while its own sync goes on. If that sync fails, and the flag is taken back
 *      (R18), such a reader has seen the flag and sees the old contents afterwards.
 */
#include "btt/btt.h"

#include <string.h>

#include "btt/flog.h"
#include "btt/modify.h"
#include "btt/redo.h"
#include "errormsg.h"

/*
 * The first checks of every modifying call. Makes the first layout if there is none. The caller
 * checks for poison later, when it holds the lane or the lock that it may have waited for (R15).
 */
static int begin(struct btt *btt, uint64_t lba, struct btt_arena **arena,
		 uint32_t *premap)
{
	int ret = btt_check_lba(btt, lba);

	if (unlikely(ret))
		return ret;
	ret = btt_prepare(btt);
	if (unlikely(ret))
		return ret;
	ret = btt_find_arena(btt, lba, arena, premap);
	if (unlikely(ret))
		return ret;
	if (unlikely(btt_arena_is_read_only(*arena)))
		return btt_fail_read_only(btt, *arena);
	return 0;
}

/* The protocol from the read of the old entry on. */
static int exchange_locked(struct btt *btt, struct btt_arena *arena, unsigned lane,
			   uint32_t premap, struct storage_step *step, uint64_t thread,
			   unsigned hint)
{
	struct storage *s = btt->storage;
	struct btt_slot *slot = &arena->slot[lane];
	uint64_t record = btt_arena_slot_off(arena, lane) +
			  slot->next_record * sizeof(struct btt_flog_record_media);
	uint32_t seq = btt_flog_next_seq(slot->seq);
	uint32_t new_entry = slot->free_block | BTT_MAP_NORMAL;
	uint64_t before;
	uint32_t raw;
	uint32_t old;
	int ret;

	ret = btt_load_entry_locked(btt, arena, premap, &raw, &old);
	if (unlikely(ret)) {
		int err = btt_fence_unused_lane(btt);

		return err ? err : ret;
	}
	if (s->eager_flush) {
		btt_settle_line_locked(btt, arena, premap, step);
		btt_settle_last_locked(btt, arena, premap, step, thread, hint);
	} else
		storage_renew32(s, step, btt_arena_map_off(arena, premap), raw);
	btt_flush_previous(btt, arena, slot, step, thread);
	if (!s->line_order) {
		storage_store64(s, record, btt_flog_first_half(premap, old));
		storage_flush(s, step, record, 8);
	}
	ret = storage_fence(s, step);
	if (ret)
		return btt_poison(btt, ret);
	if (s->line_order)
		storage_store64(s, record, btt_flog_first_half(premap, old));
	before = btt_load_second_half(btt, record);
	storage_store64(s, record + 8, btt_flog_second_half(new_entry, seq));
	storage_flush(s, step, record, sizeof(struct btt_flog_record_media));
	ret = storage_fence(s, step);
	if (ret) {
		btt_take_record_back(btt, record, before);
		return btt_poison(btt, ret);
	}
	slot->seq = seq;
	slot->next_record ^= 1;
	slot->free_block = btt_map_postmap(old);
	slot->prev_premap = premap;
	slot->prev_thread = thread;
	btt_store_entry_locked(btt, arena, premap, new_entry);
	if (s->eager_flush) {
		btt_flush_entry(btt, arena, premap, step);
		btt_note_line_locked(arena, premap);
		btt_note_last_locked(btt, arena, premap, thread, hint);
	}
	return 0;
}

int btt_write(struct btt *btt, const void *buf, uint64_t lba)
{
	struct storage_step step = STORAGE_STEP_INIT;
	struct btt_arena *arena;
	uint64_t thread;
	uint32_t premap;
	struct lock *lock;
	unsigned hint;
	unsigned lane;
	int ret;

	ret = begin(btt, lba, &arena, &premap);
	if (unlikely(ret))
		return ret;
	thread = lane_thread();
	hint = lane_hint(thread);
	lane = lanes_acquire(&btt->lanes, hint);
	if (unlikely(btt_poison_is_set(btt))) {
		/* R15 */
		ret = btt_poison_fail(btt);
		goto release_lane;
	}
	/* Both are loaded into the cache while the data are copied. With the entry, writes on Zen 3
	 * are 1.18 times as fast with 512 bytes, and 1.12 times with 4,096. With the record, writes
	 * on Sapphire Rapids are 1.04 times as fast with 4,096 bytes. */
	prefetch_store(storage_at(btt->storage, btt_arena_map_off(arena, premap)));
	prefetch_store(storage_at(btt->storage, btt_arena_slot_off(arena, lane)));
	/* release: the version was raised when the block became free. This orders the raise before
	 * the block's new data, also on CPUs that order less than x86. */
	atomic_thread_fence(memory_order_release);
	btt_store_data(btt, arena, &step, arena->slot[lane].free_block, buf);
	lock = btt_arena_lock_map(btt, arena, premap, thread);
	btt_exchange_begin(btt);
	if (unlikely(btt_poison_is_set(btt)))
		ret = btt_poison_fail(btt);
	else
		ret = exchange_locked(btt, arena, lane, premap, &step, thread, hint);
	btt_exchange_end(btt);
	lock_release(lock);
release_lane:
	lanes_release(&btt->lanes, lane);
	return ret;
}

static int set_flag(struct btt *btt, uint64_t lba, uint32_t flag)
{
	struct storage_step step = STORAGE_STEP_INIT;
	struct btt_arena *arena;
	uint32_t premap;
	struct lock *lock;
	uint32_t raw;
	uint32_t entry;
	uint32_t before;
	int ret;

	ret = begin(btt, lba, &arena, &premap);
	if (unlikely(ret))
		return ret;
	lock = btt_arena_lock_map(btt, arena, premap, lane_thread());
	btt_exchange_begin(btt);
	if (unlikely(btt_poison_is_set(btt))) {
		ret = btt_poison_fail(btt);
		goto unlock;
	}
	ret = btt_load_entry_locked(btt, arena, premap, &raw, &entry);
	if (ret)
		goto unlock;
	/* not the initial value: btt_zero_range() would take it as durable, and skip it */
	before = btt_map_is_initial(raw) ? btt_map_postmap(entry) | BTT_MAP_ZERO : raw;
	if (btt->storage->drops_pages) { /* R16 */
		uint32_t redone = btt_redo_entry_locked(btt, arena, premap, entry);

		before = redone == entry ? before : redone;
		entry = redone;
	}
	entry = btt_map_postmap(entry) | flag;
	if (raw != entry) {
		btt_store_entry_locked(btt, arena, premap, entry);
		btt_flush_entry(btt, arena, premap, &step);
	} else { /* R6, R14 */
		storage_renew32(btt->storage, &step, btt_arena_map_off(arena, premap),
				entry);
	}
	ret = storage_fence(btt->storage, &step);
	if (ret) {
		ret = btt_poison(btt, ret);
		if (raw != entry && btt->storage->drops_pages) /* R18 */
			btt_store_entry_locked(btt, arena, premap, before);
	}
unlock:
	btt_exchange_end(btt);
	lock_release(lock);
	return ret;
}

int btt_set_zero(struct btt *btt, uint64_t lba)
{
	/* blocks of a table that is not laid out read as zeros */
	if (!btt_is_laid_out(btt) && lba < btt->nblock && !btt_poison_is_set(btt))
		return 0;
	return set_flag(btt, lba, BTT_MAP_ZERO);
}

int btt_set_error(struct btt *btt, uint64_t lba)
{
	return set_flag(btt, lba, BTT_MAP_ERROR);
}

int btt_sync(struct btt *btt)
{
	struct storage_step step = STORAGE_STEP_INIT;
	int ret;

	if (btt_poison_is_set(btt))
		return btt_poison_fail(btt);
	for (unsigned i = 0; i < btt->narena; i++)
		for (unsigned n = 0; n < BTT_NFREE; n++) {
			struct btt_slot *slot = &btt->arena[i].slot[n];

			if (slot->prev_premap != BTT_NO_BLOCK)
				storage_flush(
				    btt->storage, &step,
				    btt_arena_map_off(&btt->arena[i], slot->prev_premap),
				    BTT_MAP_ENTRY_SIZE);
		}
	ret = storage_fence(btt->storage, &step);
	return ret ? btt_poison(btt, ret) : 0;
}
