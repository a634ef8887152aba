/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver of the copy functions: decides by length and flags whether data goes through
 * the caches or past them, runs the engine's kernel and backend, and drains.
 *
 *	flushing	NOFLUSH	> NONTEMPORAL, WC > TEMPORAL, WB > length >= threshold
 *	not flushing	NOFLUSH > NONTEMPORAL; everything else goes through the caches
 *
 * The parts of a non-temporal copy that are not whole lines go through the caches and are
 * flushed.
 */
#ifndef COPY_H
#define COPY_H 1

#include "compiler.h"
#include "engine.h"
#include "libpmem.h"
#include "small.h"

/* Anything longer than SMALL_MAX, or a line that goes past the caches; does not drain. */
void copy_move_long(const struct engine *e, char *dest, const char *src, size_t len,
		    unsigned flags);
void copy_set_long(const struct engine *e, char *dest, int c, size_t len, unsigned flags);

/* Fewer bytes than a line never fill one, so that the flags make no difference to them. */
static inline bool copy_is_small(const struct engine *e, size_t len, unsigned flags)
{
	const unsigned wishes = PMEM_F_MEM_NONTEMPORAL | PMEM_F_MEM_WC;

	return len < ENGINE_LINE ||
	       (len <= SMALL_MAX && !(flags & wishes) && len < e->nt_threshold);
}

static inline void copy_move(const struct engine *e, void *dest, const void *src,
			     size_t len, unsigned flags)
{
	if (likely(copy_is_small(e, len, flags))) {
		small_move(dest, src, len);
		if (flags & PMEM_F_MEM_NOFLUSH)
			return;
		e->flush(dest, len);
	} else {
		copy_move_long(e, dest, src, len, flags);
	}
	if (!(flags & (PMEM_F_MEM_NODRAIN | PMEM_F_MEM_NOFLUSH)))
		e->fence();
}

static inline void copy_set(const struct engine *e, void *dest, int c, size_t len,
			    unsigned flags)
{
	if (likely(copy_is_small(e, len, flags))) {
		small_set(dest, c, len);
		if (flags & PMEM_F_MEM_NOFLUSH)
			return;
		e->flush(dest, len);
	} else {
		copy_set_long(e, dest, c, len, flags);
	}
	if (!(flags & (PMEM_F_MEM_NODRAIN | PMEM_F_MEM_NOFLUSH)))
		e->fence();
}

#endif
