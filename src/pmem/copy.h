/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver of the copy functions: it decides by length and flags whether the stores are
 * cached or non-temporal, runs the engine's kernel and backend, and drains. "nt" in a
 * name means non-temporal. Which flag wins:
 *
 *	flushing	NOFLUSH	> NONTEMPORAL, WC > TEMPORAL, WB > length >= threshold
 *	not flushing	NOFLUSH > NONTEMPORAL; everything else is cached
 *
 * Overlapping moves by little are cached, too: see ENGINE_NT_NEAR.
 *
 * Only whole lines are stored non-temporally. The beginning of a copy, up to the first line
 * boundary, and its end are stored through the cache and flushed, and so is a copy of less
 * than a line. Measured on Sapphire Rapids: a non-temporal store to a part of a line takes 80 ns,
 * and one through the cache with its flush 15 ns. Some kernels store parts of lines, too: see
 * has_nt_parts() in copy.c.
 */
#ifndef COPY_H
#define COPY_H 1

#include "compiler.h"
#include "engine.h"
#include "libpmem.h"
#include "small.h"

/* The copies that are not inlined, of at least a line. All these functions return dest. */
void *copy_move_long(const struct engine *e, char *dest, const char *src, size_t len,
		     unsigned flags);
void *copy_set_long(const struct engine *e, char *dest, int c, size_t len,
		    unsigned flags);

/* With non-temporal stores, also below the threshold; at least a line. */
void *copy_move_nt(const struct engine *e, char *dest, const char *src, size_t len,
		   unsigned flags);
void *copy_set_nt(const struct engine *e, char *dest, int c, size_t len, unsigned flags);

/*
 * Flushes the lines of a short copy. Inline, because a call would add a third to its
 * time.
 */
static inline void copy_flush(const struct engine *e, const char *dest, size_t len)
{
#ifdef __x86_64__
	if (likely(e->clwb)) {
		uintptr_t line = (uintptr_t)dest & ~(ENGINE_LINE - 1);
		uintptr_t end = (uintptr_t)dest + len;

		engine_fetch_short(line, end);
		for (; len && line < end; line += ENGINE_LINE)
			__asm__ volatile("clwb %0" : "+m"(*(char *)line));
		return;
	}
#endif
	e->flush(dest, len);
}

/* What a cached copy does after its stores. */
static inline void copy_finish(const struct engine *e, const void *dest, size_t len,
			       unsigned flags)
{
	if (flags & PMEM_F_MEM_NOFLUSH)
		return;
	copy_flush(e, dest, len);
	if (!(flags & PMEM_F_MEM_NODRAIN))
		e->fence();
}

static inline bool copy_is_small(const struct engine *e, size_t len, unsigned flags)
{
	return len < ENGINE_LINE || (len <= SMALL_MAX && len < e->nt_threshold &&
				     !(flags & (PMEM_F_MEM_NONTEMPORAL | PMEM_F_MEM_WC)));
}

/* Whether the kernel alone does the copy, without a flush. */
static inline bool copy_is_plain(size_t len, unsigned flags)
{
	return flags & PMEM_F_MEM_NOFLUSH && len > SMALL_MAX;
}

static inline bool copy_is_nt(const struct engine *e, size_t len, unsigned flags)
{
	return flags & (PMEM_F_MEM_NONTEMPORAL | PMEM_F_MEM_WC) &&
	       !(flags & PMEM_F_MEM_NOFLUSH) && len >= ENGINE_LINE && e->nt;
}

/* Whether a copy that no flag decides is long enough to be non-temporal. */
static inline bool copy_is_nt_by_length(const struct engine *e, size_t len,
					unsigned flags)
{
	return !(flags & (PMEM_F_MEM_NOFLUSH | PMEM_F_MEM_TEMPORAL | PMEM_F_MEM_WB)) &&
	       len >= ENGINE_LINE && len >= e->nt_threshold && e->nt;
}

static inline void *copy_move(const struct engine *e, void *dest, const void *src,
			      size_t len, unsigned flags)
{
	if (copy_is_nt(e, len, flags))
		return copy_move_nt(e, dest, src, len, flags);
	if (likely(copy_is_small(e, len, flags))) {
		small_move(dest, src, len);
		copy_finish(e, dest, len, flags);
		return dest;
	}
	if (copy_is_nt_by_length(e, len, flags))
		return copy_move_nt(e, dest, src, len, flags);
	if (copy_is_plain(len, flags))
		return e->kernel->move(dest, src, len);
	return copy_move_long(e, dest, src, len, flags);
}

static inline void *copy_set(const struct engine *e, void *dest, int c, size_t len,
			     unsigned flags)
{
	if (copy_is_nt(e, len, flags))
		return copy_set_nt(e, dest, c, len, flags);
	if (likely(copy_is_small(e, len, flags))) {
		small_set(dest, c, len);
		copy_finish(e, dest, len, flags);
		return dest;
	}
	if (copy_is_nt_by_length(e, len, flags))
		return copy_set_nt(e, dest, c, len, flags);
	if (copy_is_plain(len, flags))
		return e->kernel->set(dest, c, len);
	return copy_set_long(e, dest, c, len, flags);
}

#endif
