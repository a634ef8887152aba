/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/fork_memory.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compiler.h"
#include "fork_lock.h"
#include "unload.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

#define ALIGNMENT ((size_t)64)

/* Larger pieces have mappings of their own, and so have all pieces when the tables are full. */
#define LARGEST_SMALL ((size_t)1 << 10)
#define LARGEST ((size_t)1 << 18)

#define MAX_REGIONS 64u
#define MAX_PAGES 16u
#define PIECES 32u /* of a page of cleared memory */
#define ALL_TAKEN (UINT64_MAX >> (64 - PIECES))

/*
 * A mapping from which shared pieces are cut. A child's copy is in order at any moment: the number
 * of pieces is raised before a piece is given out, and base is cleared before the unmapping.
 */
struct region {
	_Atomic(char *) base; /* NULL: there is none */
	size_t size;
	size_t used;	       /* bytes that were given out */
	_Atomic(unsigned) out; /* pieces that are out */
};

/* A page of cleared memory. */
struct page {
	_Atomic(char *) base;	 /* NULL: there is none */
	_Atomic(uint64_t) taken; /* one bit for each piece */
};

static void mend(void);

static struct fork_lock lock = {.mend = mend};

/* Under the lock. A child relies on the atomic ones: each change is one store, with release. */
static struct region regions[MAX_REGIONS];
static struct page pages[MAX_PAGES];
/* The regions from which small and large pieces are cut now. */
static struct {
	const size_t size;
	struct region *region;
} sources[] = {{(size_t)16 << 10, NULL}, {(size_t)1 << 20, NULL}};

static void *map(size_t size, int flags)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* --- shared memory ------------------------------------------------------------------------- */

static char *base_of(struct region *r)
{
	return atomic_load_explicit(&r->base, memory_order_relaxed);
}

static unsigned pieces_out(struct region *r)
{
	return atomic_load_explicit(&r->out, memory_order_relaxed);
}

static void set_out(struct region *r, unsigned n)
{
	atomic_store_explicit(&r->out, n, memory_order_release);
}

static void unmap_locked(struct region *r)
{
	char *base = base_of(r);

	atomic_store_explicit(&r->base, NULL, memory_order_release);
	munmap(base, r->size);
}

/* Rule 2. What the parent has not given out yet is of no use here. */
static void mend(void)
{
	int before = errno;

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
		sources[i].region = NULL;
	for (unsigned i = 0; i < MAX_REGIONS; i++)
		if (base_of(&regions[i]) && pieces_out(&regions[i]) == 0)
			unmap_locked(&regions[i]);
	errno = before;
}

/* NULL if the table is full, or there is no memory. */
static struct region *new_region_locked(size_t size)
{
	struct region *r = regions;
	void *base;

	while (r < regions + MAX_REGIONS && base_of(r))
		r++;
	base = r < regions + MAX_REGIONS ? map(size, MAP_SHARED) : NULL;
	if (!base)
		return NULL;
	r->size = size;
	r->used = 0;
	set_out(r, 0);
	atomic_store_explicit(&r->base, base, memory_order_release);
	return r;
}

static void *cut_locked(struct region *r, size_t size)
{
	char *at = base_of(r) + r->used;

	r->used += size;
	set_out(r, pieces_out(r) + 1);
	return at;
}

void *fork_memory_share(size_t size)
{
	size_t rounded = (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	unsigned which = size > LARGEST_SMALL;
	struct region *r;
	void *at = NULL;

	if (size > LARGEST)
		return map(size, MAP_SHARED);
	fork_lock_acquire(&lock);
	r = sources[which].region;
	if (r && r->size - r->used < rounded) {
		sources[which].region = NULL;
		if (pieces_out(r) == 0)
			unmap_locked(r);
		r = NULL;
	}
	if (!r)
		r = sources[which].region = new_region_locked(sources[which].size);
	if (likely(r))
		at = cut_locked(r, rounded);
	fork_lock_release(&lock);
	return likely(at) ? at : map(size, MAP_SHARED);
}

static bool is_source_locked(const struct region *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
		if (sources[i].region == r)
			return true;
	return false;
}

/* NULL: the piece has a mapping of its own. */
static struct region *find_locked(const char *at)
{
	for (unsigned i = 0; i < MAX_REGIONS; i++) {
		char *base = base_of(&regions[i]);

		if (base && at >= base && at < base + regions[i].size)
			return &regions[i];
	}
	return NULL;
}

void fork_memory_unshare(void *at, size_t size)
{
	struct region *r;

	if (!at)
		return;
	fork_lock_acquire(&lock);
	r = find_locked(at);
	if (r) {
		set_out(r, pieces_out(r) - 1);
		if (pieces_out(r) == 0 && !is_source_locked(r))
			unmap_locked(r);
	}
	fork_lock_release(&lock);
	if (!r)
		munmap(at, size);
}

/* --- cleared memory ------------------------------------------------------------------------ */

static char *base_of_page(struct page *p)
{
	return atomic_load_explicit(&p->base, memory_order_relaxed);
}

static uint64_t taken_of(struct page *p)
{
	return atomic_load_explicit(&p->taken, memory_order_relaxed);
}

static void set_taken(struct page *p, uint64_t taken)
{
	atomic_store_explicit(&p->taken, taken, memory_order_release);
}

/*
 * ENOMEM does not come from an old kernel. If such a page were used, all pools that get pieces of
 * it would pass their role on to children that run no handlers.
 */
static void *new_page(void)
{
	void *at = map(page_size(), MAP_PRIVATE);

	if (at && madvise(at, page_size(), MADV_WIPEONFORK) != 0 && errno == ENOMEM) {
		munmap(at, page_size());
		errno = ENOMEM;
		return NULL;
	}
	return at;
}

static void *take_locked(struct page *p)
{
	unsigned n = (unsigned)__builtin_ctzll(~taken_of(p));

	set_taken(p, taken_of(p) | UINT64_C(1) << n);
	return base_of_page(p) + n * FORK_MEMORY_CLEARED;
}

void *fork_memory_clear(void)
{
	void *at = NULL;

	fork_lock_acquire(&lock);
	for (struct page *p = pages; p < pages + MAX_PAGES && !at; p++) {
		if (!base_of_page(p))
			atomic_store_explicit(&p->base, new_page(), memory_order_release);
		if (base_of_page(p) && taken_of(p) != ALL_TAKEN)
			at = take_locked(p);
	}
	fork_lock_release(&lock);
	if (unlikely(!at))
		return new_page();
	return memset(at, 0, FORK_MEMORY_CLEARED);
}

void fork_memory_unclear(void *at)
{
	struct page *p = pages;
	size_t off = 0;

	if (!at)
		return;
	fork_lock_acquire(&lock);
	for (; p < pages + MAX_PAGES; p++) {
		off = (uintptr_t)at - (uintptr_t)base_of_page(p);
		if (base_of_page(p) && off < PIECES * FORK_MEMORY_CLEARED)
			break;
	}
	if (p < pages + MAX_PAGES)
		set_taken(p, taken_of(p) & ~(UINT64_C(1) << off / FORK_MEMORY_CLEARED));
	fork_lock_release(&lock);
	if (p == pages + MAX_PAGES)
		munmap(at, page_size());
}

/* ------------------------------------------------------------------------------------------- */

void fork_memory_setup(void)
{
	fork_lock_setup(&lock);
}

/*
 * Runs after the destructors that give pieces back. What is still out belongs to pools that were
 * not closed.
 */
__attribute__((destructor(102))) static void unload(void)
{
	if (unload_is_exit())
		return;
	for (unsigned i = 0; i < MAX_REGIONS; i++)
		if (base_of(&regions[i]) && pieces_out(&regions[i]) == 0)
			unmap_locked(&regions[i]);
	for (unsigned i = 0; i < MAX_PAGES; i++)
		if (base_of_page(&pages[i]) && taken_of(&pages[i]) == 0)
			munmap(base_of_page(&pages[i]), page_size());
}
