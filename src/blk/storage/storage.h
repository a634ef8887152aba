/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The interface between the block translation table and the medium below it.
 *
 * A storage is one contiguous range of bytes, mapped at `base`: the pool image from its header to
 * its end. Loads go straight to memory. Every store, flush and fence goes through the operations.
 * So a test can put a model of the medium underneath and cut the power between any two of them.
 *
 * 1. Durability. A store is durable when its bytes were flushed after it, and a fence of the same
 *    step returned 0 after that flush. A step records the flushes of one thread since its last
 *    fence. It lives on the caller's stack and is empty again after the fence.
 *
 * 2. Renewal. Rule 1 holds for stores of this process only. What another process stored, and what
 *    this process stored before a sync that failed, has to be renewed, that is, stored again.
 *    Reason: after a failed write-back the kernel marks the page as clean and keeps it in memory.
 *    The page can still be read, and a later sync succeeds, but the kernel does not write the
 *    page.
 *
 * 3. Order. The order of calls alone orders nothing, with one exception: on persistent memory the
 *    4- and 8-byte stores of one thread to one cache line reach the medium in order. In an
 *    ordinary file they do not, because the kernel may write a page in any state and at any time.
 *
 * 4. Threads. Several threads may call all functions at once. The callers make sure that two
 *    threads do not store to the same bytes.
 *
 * 5. Bounds. The caller is responsible for offsets and lengths: they were validated when they
 *    were read from the medium.
 */
#ifndef STORAGE_H
#define STORAGE_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "compiler.h"
#include "base/le.h"

struct storage;
struct sync_group;
struct sigbus_watch;

/* The byte range that a thread has flushed since its last fence; empty while lo >= hi. */
struct storage_step {
	uint64_t lo;
	uint64_t hi;
};

#define STORAGE_STEP_INIT                                                                \
	{                                                                                \
		UINT64_MAX, 0                                                            \
	}

/* Bytes of a cache line, the unit in which persistent memory is written. */
#define STORAGE_LINE ((size_t)64)

struct storage_ops {
	/* Copies bytes from the storage to other memory, like memcpy. */
	void *(*copy_out)(void *dest, const void *src, size_t len);
	/* One aligned store each, never torn. Not flushed. */
	void (*store32)(struct storage *s, uint64_t off, uint32_t value);
	void (*store64)(struct storage *s, uint64_t off, uint64_t value);

	/*
	 * Copies or zeroes, and flushes; on persistent memory perhaps with non-temporal stores.
	 */
	void (*write)(struct storage *s, struct storage_step *step, uint64_t off,
		      const void *src, size_t len);
	void (*zero)(struct storage *s, struct storage_step *step, uint64_t off,
		     size_t len);

	/*
	 * Starts the write-back of the cache lines of the range, or notes its pages for the sync.
	 */
	void (*flush)(struct storage *s, struct storage_step *step, uint64_t off,
		      size_t len);

	/*
	 * See rule 2. On files, stores again what the caller has read there and relies on; then
	 * flushes. No other thread changes the bytes meanwhile. renew32: one aligned store;
	 * renew: off and len are multiples of 8.
	 */
	void (*renew32)(struct storage *s, struct storage_step *step, uint64_t off,
			uint32_t seen);
	void (*renew)(struct storage *s, struct storage_step *step, uint64_t off,
		      const void *seen, size_t len);

	/*
	 * Returns when everything flushed in this step is durable, and orders all stores before
	 * it ahead of all stores after it. -errno of the failed msync of a file, or -EIO if
	 * stores met a lost page. After a failure nothing is known about the durability of the
	 * step, and every later fence of a table's storage fails, too: the kernel reports a
	 * failed write-back only once, to the first sync that follows.
	 */
	int (*fence)(struct storage *s, struct storage_step *step);
};

struct storage {
	const struct storage_ops *ops;
	unsigned char *base;
	uint64_t size; /* bytes */

	/*
	 * The medium keeps the order of one thread's stores to a cache line. True for persistent
	 * memory on x86-64; false for the page cache and on ARM.
	 */
	bool line_order;

	/*
	 * A flush takes effect with the thread's next fence, also with a fence of another step.
	 */
	bool eager_flush;

	/* After a failed sync a page may be evicted and then be read again from the medium. */
	bool drops_pages;

	/*
	 * Returns the first offset in [off, end) that may hold anything but zeros, or end if
	 * there is none. With it a search skips the holes of sparse files. NULL: every byte may.
	 */
	uint64_t (*next_data)(struct storage *s, uint64_t off, uint64_t end);
	void *holes; /* where next_data finds the holes */

	/* Files: the syncs that concurrent callers share; NULL: each caller syncs alone. */
	struct sync_group *group;

	/* The watch of the mapping if the pool survives media errors, otherwise NULL. */
	struct sigbus_watch *watch;
};

static inline const void *storage_at(const struct storage *s, uint64_t off)
{
	return s->base + off;
}

/* The first offset in [off, end) that may hold anything but zeros, or end. */
static inline uint64_t storage_next_data(struct storage *s, uint64_t off, uint64_t end)
{
	return s->next_data ? s->next_data(s, off, end) : off;
}

/* Single atomic loads of an aligned value. */
static inline uint32_t storage_load32(const struct storage *s, uint64_t off,
				      memory_order order)
{
	const _Atomic(uint32_t) *p = (const void *)(s->base + off);

	return le32_to_cpu((le32){atomic_load_explicit(p, order)});
}

static inline uint64_t storage_load64(const struct storage *s, uint64_t off,
				      memory_order order)
{
	const _Atomic(uint64_t) *p = (const void *)(s->base + off);

	return le64_to_cpu((le64){atomic_load_explicit(p, order)});
}

/* Values in host order; the medium is little-endian. */
static inline void storage_store32(struct storage *s, uint64_t off, uint32_t value)
{
	s->ops->store32(s, off, cpu_to_le32(value).raw);
}

static inline void storage_store64(struct storage *s, uint64_t off, uint64_t value)
{
	s->ops->store64(s, off, cpu_to_le64(value).raw);
}

static inline void storage_write(struct storage *s, struct storage_step *step,
				 uint64_t off, const void *src, size_t len)
{
	s->ops->write(s, step, off, src, len);
}

static inline void storage_zero(struct storage *s, struct storage_step *step,
				uint64_t off, size_t len)
{
	s->ops->zero(s, step, off, len);
}

static inline void storage_flush(struct storage *s, struct storage_step *step,
				 uint64_t off, size_t len)
{
	s->ops->flush(s, step, off, len);
}

static inline void storage_renew32(struct storage *s, struct storage_step *step,
				   uint64_t off, uint32_t seen)
{
	s->ops->renew32(s, step, off, cpu_to_le32(seen).raw);
}

static inline void storage_renew(struct storage *s, struct storage_step *step,
				 uint64_t off, const void *seen, size_t len)
{
	s->ops->renew(s, step, off, seen, len);
}

static inline int MUST_CHECK storage_fence(struct storage *s, struct storage_step *step)
{
	return s->ops->fence(s, step);
}

#endif
