/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The path of most reads: written blocks of the first arena, which nobody writes meanwhile. Rule
 * R11, on top of btt/btt.c, makes it safe without a lock.
 *
 * While a read waits for memory, a CPU begins as many of the next reads as its window of
 * instructions holds. So each instruction less makes reads of blocks that are not in the caches
 * faster: on Emerald Rapids about 1 ns of 110, for blocks of 512 bytes. For this reason all that
 * such a read needs is in one cache line, and one comparison makes all its checks.
 */
#ifndef BTT_FAST_H
#define BTT_FAST_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/le.h"
#include "btt/format.h"
#include "btt/open.h"
#include "btt/race.h"
#include "compiler.h"

#if defined(__x86_64__) && !defined(RACE_TSAN)
#include <immintrin.h>
/* For functions that call btt_fast_read_wide(). */
#define BTT_FAST_WIDE __attribute__((target("avx512f")))
#define INLINE static inline __attribute__((always_inline))
#else
#define BTT_FAST_WIDE
#endif

/* Copies of the values that a read in an arena needs. */
struct btt_view {
	const _Atomic(uint32_t) *map; /* little-endian */
	const unsigned char *data;
	uint32_t nblock; /* data blocks, fewer than 2^30: see btt_look() */
	uint32_t stride; /* bytes from one to the next */
	size_t bsize;
	const struct btt_version *version;
	void *(*copy_out)(void *dest, const void *src, size_t len);
};

/*
 * The blocks that can be read on this path. Not, for example, while the table is not laid out, and
 * after a failed sync (R9).
 */
struct btt_fast {
	/* their number, the first ones; release after view; acquire: readers */
	_Alignas(64) _Atomic(uint64_t) nblock;
	struct btt_view view; /* of the first arena; constant from the first nblock on */
};

_Static_assert(sizeof(struct btt_fast) == 64, "it is one cache line");

/* An attempt to read a block. */
struct btt_look {
	const _Atomic(uint64_t) *version;
	uint64_t before;
	uint32_t postmap;
};

/* The number of an entry's map lock, and of its version, in its arena. */
static inline uint32_t btt_map_lock_number(uint32_t premap)
{
	return premap / BTT_LINE_ENTRIES % BTT_MAP_LOCKS;
}

/* The version of an entry: version[btt_map_lock_number(premap)], in fewer instructions. */
static inline const struct btt_version *btt_view_version(const struct btt_view *v,
							 uint32_t premap)
{
	const size_t size = sizeof(struct btt_version);
	size_t off =
	    (size_t)premap * (size / BTT_LINE_ENTRIES) & (BTT_MAP_LOCKS * size - size);

	return (const void *)((const char *)v->version + off);
}

/* Begins an attempt. Returns false if the entry is not a normal one. */
static inline bool btt_look(const struct btt_view *v, uint32_t premap,
			    struct btt_look *look)
{
	look->version = &btt_view_version(v, premap)->count;
	look->before = atomic_load_explicit(look->version, memory_order_acquire);
	/* the number of a normal entry; other entries give a number that is too large */
	look->postmap = BTT_MAP_NORMAL ^ le32_to_cpu((le32){atomic_load_explicit(
					     &v->map[premap], memory_order_acquire)});
	return likely(look->postmap < v->nblock);
}

static inline const unsigned char *btt_look_data(const struct btt_view *v,
						 const struct btt_look *look)
{
	return v->data + (uint64_t)look->postmap * v->stride;
}

/* After the copy: whether it holds the block as it was at one moment. */
static inline bool btt_look_again(const struct btt_look *look)
{
	/* acquire: the copy's loads come before the one that validates it */
	atomic_thread_fence(memory_order_acquire);
	return likely(atomic_load_explicit(look->version, memory_order_relaxed) ==
		      look->before);
}

/* Makes one attempt. Returns true if buf holds the block. */
static inline bool btt_view_read(const struct btt_view *v, uint32_t premap, void *buf)
{
	struct btt_look look;

	if (!btt_look(v, premap, &look))
		return false;
	race_copy(v->copy_out, buf, btt_look_data(v, &look), v->bsize);
	return btt_look_again(&look);
}

/*
 * Reads a block. Returns true if buf holds it; false if the block cannot be read on this path, now
 * or at all, or does not exist. Makes no system call and does not change errno.
 */
static inline bool btt_fast_read(const struct btt_fast *f, void *buf, uint64_t lba)
{
	return likely(lba < atomic_load_explicit(&f->nblock, memory_order_acquire)) &&
	       likely(btt_view_read(&f->view, (uint32_t)lba, buf));
}

/* --- with registers of a cache line ------------------------------------------------------------ */

enum btt_width {
	BTT_NARROW,   /* not at all */
	BTT_WIDE_512, /* blocks of 512 bytes */
	BTT_WIDE,     /* blocks of up to one line more */
};

#if defined(__x86_64__) && !defined(RACE_TSAN)

static inline enum btt_width btt_fast_width(size_t bsize)
{
	if (bsize < 512 || bsize > 576 || !__builtin_cpu_supports("avx512f"))
		return BTT_NARROW;
	return bsize == 512 ? BTT_WIDE_512 : BTT_WIDE;
}

/* All bytes are loaded before the first store, so that no load waits for a store. */
INLINE BTT_FAST_WIDE void fast_copy_wide(unsigned char *dest, const unsigned char *src,
					 size_t len)
{
	__m512i v[9];

#pragma GCC unroll 8
	for (unsigned i = 0; i < 8; i++)
		v[i] = _mm512_loadu_si512(src + 64 * i);
	if (len > 512)
		v[8] = _mm512_loadu_si512(src + len - 64);
	__asm__ volatile("" ::: "memory");
#pragma GCC unroll 8
	for (unsigned i = 0; i < 8; i++)
		_mm512_storeu_si512(dest + 64 * i, v[i]);
	if (len > 512)
		_mm512_storeu_si512(dest + len - 64, v[8]);
}

/* btt_fast_read() for tables with such blocks, on CPUs that have these registers. */
INLINE BTT_FAST_WIDE bool btt_fast_read_wide(const struct btt_fast *f, void *buf,
					     uint64_t lba, enum btt_width width)
{
	struct btt_look look;

	if (unlikely(lba >= atomic_load_explicit(&f->nblock, memory_order_acquire)) ||
	    !btt_look(&f->view, (uint32_t)lba, &look))
		return false;
	if (width == BTT_WIDE_512)
		fast_copy_wide(buf, btt_look_data(&f->view, &look), 512);
	else
		fast_copy_wide(buf, btt_look_data(&f->view, &look), f->view.bsize);
	return btt_look_again(&look);
}

#undef INLINE
#else

static inline enum btt_width btt_fast_width(size_t bsize)
{
	(void)bsize;
	return BTT_NARROW;
}

static inline bool btt_fast_read_wide(const struct btt_fast *f, void *buf, uint64_t lba,
				      enum btt_width width)
{
	(void)width;
	return btt_fast_read(f, buf, lba);
}

#endif

#endif
