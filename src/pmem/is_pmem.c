/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A sorted table. Readers search it without a lock; writers change it under one.
 *
 * There are two copies of the table and a sequence number. The lowest bit of the number
 * tells readers which copy is not being changed. A writer raises the number, changes the
 * copy that readers no longer use, raises the number again and makes the same change to
 * the other copy. A reader searches again if the number has changed meanwhile. It never
 * waits for a writer. So a signal handler can search while the writer that it interrupted
 * is in the middle of a change, and so can a child that was forked in the middle of a
 * change of another thread. A handler in the child makes the other copy equal again.
 *
 * The entries are atomics, stored with release and loaded with acquire order: a reader
 * that sees an entry of a change also sees the number that announced the change. A table
 * that has become too small is replaced, and kept until unload, because readers may still
 * search it. The sizes double, so all old tables together are smaller than the current
 * one.
 *
 * The order is descending: the kernel assigns addresses from the top down, so a new
 * mapping is an entry at the end.
 */
#include "is_pmem.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "fork_lock.h"
#include "mapping.h"
#include "unload.h"

struct entry {
	atomic_uintptr_t begin;
	atomic_uintptr_t end;
	atomic_int region;
};

struct table {
	struct table *older;
	size_t capacity;
	atomic_size_t count;
	struct entry entries[];
};

static void mend(void);

/* All of it is changed under the lock, in an order that mend() relies on. */
static struct fork_lock lock = {.mend = mend};
static atomic_uint sequence;
static _Atomic(struct table *) tables[2]; /* equal, but for a change in the middle */
static atomic_bool is_changing;
/*
 * A range that is being unmapped, and forgotten after that; end 0: none. Readers do not count it any
 * more: somebody else may have mapped something there already. Release and acquire: a reader that
 * does not see the range sees the change that has ended it.
 */
static atomic_uintptr_t doomed_begin;
static atomic_uintptr_t doomed_end;
/* pthread_self() of the thread that is changing the tables; 0: none */
static atomic_uintptr_t changer;

/* Ordered before what follows and after what came before, for a handler that interrupts the thread. */
static void set_changer(uintptr_t thread)
{
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&changer, thread, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
}

static uintptr_t self(void)
{
	return (uintptr_t)pthread_self();
}

/* At once, not at the first change: a range that was unmapped must not count any more. */
static void in_child(void)
{
	if (atomic_load_explicit(&changer, memory_order_relaxed) == self())
		return; /* a signal handler has forked, and returns to the change */
	fork_lock_acquire(&lock);
	fork_lock_release(&lock);
}

void is_pmem_load(void)
{
	fork_lock_setup(&lock);
	pthread_atfork(NULL, NULL, in_child);
}

void is_pmem_unload(void)
{
	if (unload_is_exit())
		return;
	for (int i = 0; i < 2; i++) {
		struct table *t = atomic_exchange(&tables[i], NULL);

		while (t) {
			struct table *older = t->older;

			free(t);
			t = older;
		}
	}
}

/* --- reading ------------------------------------------------------------------------- */

static uintptr_t end_of(const struct table *t, size_t i)
{
	return atomic_load_explicit(&t->entries[i].end, memory_order_acquire);
}

static uintptr_t begin_of(const struct table *t, size_t i)
{
	return atomic_load_explicit(&t->entries[i].begin, memory_order_acquire);
}

static size_t count_of(const struct table *t)
{
	return t ? atomic_load_explicit(&t->count, memory_order_acquire) : 0;
}

/*
 * The number of entries that end above addr. The last of these is the lowest in memory.
 */
static size_t count_above(const struct table *t, uintptr_t addr)
{
	size_t from = 0;
	size_t n = count_of(t);

	while (n > 0) {
		size_t half = (n + 1) / 2;

		from = end_of(t, from + half - 1) > addr ? from + half : from;
		n -= half;
	}
	return from;
}

static const struct table *begin_read(unsigned *seq)
{
	*seq = atomic_load_explicit(&sequence, memory_order_acquire);
	return atomic_load_explicit(&tables[*seq & 1], memory_order_acquire);
}

/* The loads before this one have acquire order, so this load comes last. */
static bool is_read_valid(unsigned seq)
{
	return likely(atomic_load_explicit(&sequence, memory_order_relaxed) == seq);
}

/* To be called between begin_read() and is_read_valid(), before the table is read. */
static struct is_pmem_range read_doomed(void)
{
	struct is_pmem_range r;

	r.end = atomic_load_explicit(&doomed_end, memory_order_acquire);
	r.begin = atomic_load_explicit(&doomed_begin, memory_order_acquire);
	return r;
}

bool is_pmem_covers(const void *addr, size_t len)
{
	uintptr_t at = (uintptr_t)addr;
	uintptr_t end = at + len;
	bool covers;
	unsigned seq;

	if (len == 0 || end < at)
		return false;
	do {
		const struct table *t = begin_read(&seq);
		const struct is_pmem_range doomed = read_doomed();
		size_t i = count_above(t, at);
		uintptr_t covered = at;

		while (i > 0 && covered < end && begin_of(t, i - 1) <= covered)
			covered = end_of(t, --i);
		covers = covered >= end && (end <= doomed.begin || at >= doomed.end);
	} while (!is_read_valid(seq));
	return covers;
}

/* Leaves of a range the first part above addr that is not doomed; false: there is none. */
static bool cut_doomed(struct is_pmem_range *range, const struct is_pmem_range *doomed,
		       uintptr_t addr)
{
	if (range->end <= doomed->begin || range->begin >= doomed->end)
		return true;
	if (range->begin < doomed->begin && addr < doomed->begin) {
		range->end = doomed->begin;
		return true;
	}
	range->begin = doomed->end;
	return range->begin < range->end;
}

bool is_pmem_find(uintptr_t addr, struct is_pmem_range *range)
{
	bool found;
	unsigned seq;

	do {
		const struct table *t = begin_read(&seq);
		const struct is_pmem_range doomed = read_doomed();

		found = false;
		for (size_t i = count_above(t, addr); i > 0 && !found; i--) {
			range->begin = begin_of(t, i - 1);
			range->end = end_of(t, i - 1);
			range->region = atomic_load_explicit(&t->entries[i - 1].region,
							     memory_order_acquire);
			found = cut_doomed(range, &doomed, addr);
		}
	} while (!is_read_valid(seq));
	return found;
}

/* --- changing; all of it under the lock ---------------------------------------------- */

static void set_entry(struct table *t, size_t i, uintptr_t begin, uintptr_t end,
		      int region)
{
	atomic_store_explicit(&t->entries[i].begin, begin, memory_order_release);
	atomic_store_explicit(&t->entries[i].end, end, memory_order_release);
	atomic_store_explicit(&t->entries[i].region, region, memory_order_release);
}

static void copy_entry(struct table *to, size_t i, const struct table *from, size_t j)
{
	set_entry(to, i, begin_of(from, j), end_of(from, j),
		  atomic_load_explicit(&from->entries[j].region, memory_order_relaxed));
}

/* Replaces everything in [begin, end) by fresh, or by nothing if that is NULL. */
static void replace(struct table *t, uintptr_t begin, uintptr_t end,
		    const struct is_pmem_range *fresh)
{
	size_t count = count_of(t);
	size_t last = count_above(t, begin); /* after the last entry that overlaps */
	size_t first = last;
	struct is_pmem_range parts[3];
	size_t nparts = 0;

	while (first > 0 && begin_of(t, first - 1) < end)
		first--;
	if (first < last && end_of(t, first) > end)
		parts[nparts++] = (struct is_pmem_range){end, end_of(t, first),
							 t->entries[first].region};
	if (fresh)
		parts[nparts++] = *fresh;
	if (first < last && begin_of(t, last - 1) < begin)
		parts[nparts++] = (struct is_pmem_range){begin_of(t, last - 1), begin,
							 t->entries[last - 1].region};

	if (first + nparts > last)
		for (size_t i = count; i-- > last;)
			copy_entry(t, i + (first + nparts - last), t, i);
	else if (first + nparts < last)
		for (size_t i = last; i < count; i++)
			copy_entry(t, i - (last - first - nparts), t, i);
	for (size_t i = 0; i < nparts; i++)
		set_entry(t, first + i, parts[i].begin, parts[i].end, parts[i].region);
	atomic_store_explicit(&t->count, count + first + nparts - last,
			      memory_order_release);
}

/* Gives table i room for two more entries than it has. */
static int grow(int i)
{
	struct table *t = atomic_load_explicit(&tables[i], memory_order_relaxed);
	size_t count = count_of(t);
	size_t capacity = t ? t->capacity : 0;
	struct table *g;

	if (count + 2 <= capacity)
		return 0;
	capacity = capacity ? capacity * 2 : 64;
	unload_watch_exit();
	g = malloc(sizeof(*g) + capacity * sizeof(g->entries[0]));
	if (!g)
		return -ENOMEM;
	g->capacity = capacity;
	g->older = t;
	atomic_init(&g->count, count);
	for (size_t n = 0; n < count; n++)
		copy_entry(g, n, t, n);
	/* readers may take the one or the other: they are equal */
	atomic_store_explicit(&tables[i], g, memory_order_release);
	return 0;
}

static void change_both_locked(uintptr_t begin, uintptr_t end,
			       const struct is_pmem_range *fresh)
{
	unsigned seq = atomic_load_explicit(&sequence, memory_order_relaxed);

	atomic_store_explicit(&is_changing, true, memory_order_relaxed);
	for (int i = 0; i < 2; i++) {
		atomic_store_explicit(&sequence, ++seq, memory_order_release);
		replace(atomic_load_explicit(&tables[i], memory_order_relaxed), begin,
			end, fresh);
	}
	atomic_store_explicit(&is_changing, false, memory_order_release);
}

/*
 * A range that begins here is going to be unmapped. The number is raised first, and stays even: a
 * reader that has read the end of another range before searches again, and does not join the two.
 */
static void doom_locked(uintptr_t begin)
{
	unsigned seq = atomic_load_explicit(&sequence, memory_order_relaxed);

	atomic_store_explicit(&sequence, seq + 2, memory_order_release);
	atomic_store_explicit(&doomed_begin, begin, memory_order_release);
}

/*
 * unmap: as many bytes at begin are unmapped first, when nothing can fail any more, and the
 * end is that of what was unmapped. The lock is held meanwhile, so a thread that maps
 * something there next adds it after the change.
 */
static int change(uintptr_t begin, uintptr_t end, const struct is_pmem_range *fresh,
		  size_t unmap)
{
	int ret;

	fork_lock_acquire(&lock);
	set_changer(self());
	/* both before the change, so that mend() has room */
	ret = grow(0);
	if (ret == 0)
		ret = grow(1);
	if (ret == 0 && unmap) {
		doom_locked(begin);
		ret = mapping_unmap((void *)begin, unmap, &doomed_end);
		end = atomic_load_explicit(&doomed_end, memory_order_relaxed);
	}
	if (ret == 0)
		change_both_locked(begin, end, fresh);
	atomic_store_explicit(&doomed_end, 0, memory_order_release);
	set_changer(0);
	fork_lock_release(&lock);
	return ret;
}

/* The copy that was being changed becomes like the other one. */
static void equalise(void)
{
	unsigned seq = atomic_load_explicit(&sequence, memory_order_relaxed);
	struct table *rest = atomic_load_explicit(&tables[seq & 1], memory_order_relaxed);
	struct table *torn =
	    atomic_load_explicit(&tables[~seq & 1], memory_order_relaxed);
	size_t count = count_of(rest);

	for (size_t n = 0; n < count; n++)
		copy_entry(torn, n, rest, n);
	atomic_store_explicit(&torn->count, count, memory_order_release);
	/* a change starts with an even number */
	atomic_store_explicit(&sequence, seq + (seq & 1), memory_order_release);
}

/* A change was cut off by a fork, or an unmapping whose change had not begun. */
static void mend(void)
{
	uintptr_t end = atomic_load_explicit(&doomed_end, memory_order_relaxed);

	set_changer(self());
	if (atomic_load_explicit(&is_changing, memory_order_relaxed))
		equalise();
	atomic_store_explicit(&is_changing, false, memory_order_release);
	if (end)
		change_both_locked(
		    atomic_load_explicit(&doomed_begin, memory_order_relaxed), end, NULL);
	atomic_store_explicit(&doomed_end, 0, memory_order_release);
	set_changer(0);
}

/* The end of the last page of [addr, addr + len). The highest page of all is left out. */
static uintptr_t end_of_pages(const void *addr, size_t len)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t max = UINTPTR_MAX & ~(page - 1);
	uintptr_t at = (uintptr_t)addr;

	if (at > max || len > max - at)
		return max;
	return (at + len + page - 1) & ~(page - 1);
}

int is_pmem_add(const void *addr, size_t len, int region)
{
	const struct is_pmem_range fresh = {(uintptr_t)addr, (uintptr_t)addr + len,
					    region};

	return change(fresh.begin, end_of_pages(addr, len), &fresh, 0);
}

int is_pmem_remove(const void *addr, size_t len)
{
	struct is_pmem_range range;
	uintptr_t end = end_of_pages(addr, len);

	if (!is_pmem_find((uintptr_t)addr, &range) || range.begin >= end)
		return 0;
	return change((uintptr_t)addr, end, NULL, 0);
}

int is_pmem_unmap(void *addr, size_t len)
{
	struct is_pmem_range range;

	/* A range behind addr + len may be in the huge page that is unmapped last. */
	if (!is_pmem_find((uintptr_t)addr, &range))
		return mapping_unmap(addr, len, NULL);
	return change((uintptr_t)addr, end_of_pages(addr, len), NULL, len);
}
