/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The seam between the block translation table and the medium below it.
 *
 * A storage is one contiguous run of bytes, mapped at `base`: the pool image from its
 * header to its end. Loads go straight to memory. Every store, flush and fence goes
 * through the operations, so that a test can put a model of the medium underneath and cut
 * the power between any two of them.
 *
 * Durability: a store is durable once its bytes were flushed after it and a fence of the
 * same step returned 0 after that flush. A step is the bookkeeping of one thread's
 * unfenced flushes; it lives on the caller's stack and is empty again after the fence.
 * That holds for stores of this process. What somebody else stored, or this process before a sync
 * that failed, has to be renewed: after a failed write-back the kernel takes a page for clean and
 * keeps it, so that it can be read, and a later sync succeeds, but nothing writes it.
 *
 * Nothing is ordered by the order of calls alone, except that the 4- and 8-byte stores of
 * one thread to one cache line reach persistent memory in order (but not an ordinary
 * file: there the kernel may write a page out in any state and at any time).
 *
 * All functions may be called by several threads at once; callers see to it that two
 * threads do not store to the same bytes. Offsets and lengths are the caller's
 * responsibility: they were validated when they were read from the medium.
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

struct storage_ops {
	/* Copies bytes of the storage into memory that is no part of it, like memcpy. */
	void *(*copy_out)(void *dest, const void *src, size_t len);
	/* One aligned store each, never torn. Not flushed. */
	void (*store32)(struct storage *s, uint64_t off, uint32_t value);
	void (*store64)(struct storage *s, uint64_t off, uint64_t value);

	/* Copies or zeroes and flushes; on persistent memory perhaps past the caches. */
	void (*write)(struct storage *s, struct storage_step *step, uint64_t off,
		      const void *src, size_t len);
	void (*zero)(struct storage *s, struct storage_step *step, uint64_t off,
		     size_t len);

	/* Starts to write back the cache lines (or notes the pages) of the range. */
	void (*flush)(struct storage *s, struct storage_step *step, uint64_t off,
		      size_t len);

	/*
	 * Flush, and before that, where a flush alone may do nothing (files), store what the
	 * caller has read there and relies on. No other thread changes the bytes meanwhile.
	 * renew32: one aligned store; renew: off and len are multiples of 8.
	 */
	void (*renew32)(struct storage *s, struct storage_step *step, uint64_t off,
			uint32_t seen);
	void (*renew)(struct storage *s, struct storage_step *step, uint64_t off,
		      const void *seen, size_t len);

	/*
	 * Returns when everything flushed in this step is durable, and orders all stores
	 * before it ahead of all stores after it. -errno of the failing msync on a file,
	 * or -EIO where stores met a lost page; then nothing is known about the
	 * durability of the step, and every later fence of a table's storage fails, too:
	 * the kernel reports a failed write-back only once, to whoever asks first.
	 */
	int (*fence)(struct storage *s, struct storage_step *step);
};

struct storage {
	const struct storage_ops *ops;
	unsigned char *base;
	uint64_t size; /* bytes */

	/*
	 * The media keep the order of one thread's stores to a cache line (x86-64 persistent
	 * memory; neither page cache nor ARM).
	 */
	bool line_order;

	/* A flush takes effect with the thread's next fence, whatever step that belongs to. */
	bool eager_flush;

	/* A flush leaves the line in the cache, as far as is known; else it is better gone there. */
	bool flush_keeps_line;

	/* After a failed sync a page may go out of memory and come back as the medium has it. */
	bool drops_pages;

	/*
	 * The first offset in [off, end) that may hold anything but zeros, end if there is
	 * none: lets a search skip the holes of sparse files. NULL: every byte may.
	 */
	uint64_t (*next_data)(struct storage *s, uint64_t off, uint64_t end);
	void *holes; /* what next_data knows them from */

	/* Files: the syncs that concurrent callers share; NULL: everybody syncs alone. */
	struct sync_group *group;

	/* Of the mapping, where media errors are survived, else NULL. */
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
