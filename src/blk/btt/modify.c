/* SPDX-License-Identifier: BSD-3-Clause */
#include "btt/modify.h"

#include "btt/layout.h"
#include "errormsg.h"

int btt_fail_range(const struct btt *btt, uint64_t lba)
{
	return errormsg_fail(EINVAL,
			     "%s: block %lld is out of range: the pool has %llu blocks",
			     btt->params.name, (long long)lba, ULL(btt->nblock));
}

int btt_fail_corrupt(const struct btt *btt, const struct btt_arena *arena,
		     uint32_t premap, uint32_t entry)
{
	return errormsg_fail(
	    EIO,
	    "%s: arena at offset %#llx: the map entry %#x of block %u names a "
	    "data block out of range; check and repair the pool",
	    btt->params.name, ULL(arena->off), entry, premap);
}

int btt_fail_read_only(const struct btt *btt, const struct btt_arena *arena)
{
	return errormsg_fail(EIO,
			     "%s: the arena at offset %#llx is read-only since errors "
			     "were found in it; check and repair the pool",
			     btt->params.name, ULL(arena->off));
}

/*
 * Reading the turn of another number costs a cache miss, so the result is remembered. A turn ends
 * without a fence only if the table was poisoned before; then the poison is visible here, too.
 */
void btt_settle_last_slow_locked(struct btt *btt, const struct btt_arena *arena,
				 struct btt_version *v, struct storage_step *step,
				 unsigned hint)
{
	uint64_t turn = atomic_load_explicit(&v->last_turn, memory_order_relaxed);
	uint64_t *known = lanes_known(&btt->lanes, hint, turn);
	uint64_t now;

	if (turn != LANE_NO_TURN) {
		now = lanes_look(&btt->lanes, (unsigned)(turn & LANE_NUMBER_MASK));
		if (!btt_poison_is_set(btt)) {
			if (known)
				*known = now;
			if (lane_turn_is_past(turn, now))
				return;
		}
	}
	btt_flush_entry(btt, arena,
			atomic_load_explicit(&v->last_premap, memory_order_relaxed),
			step);
}

int btt_lay_out(struct btt *btt)
{
	int ret = 0;

	lock_acquire(&btt->layout_lock);
	if (btt_poison_is_set(btt))
		ret = btt_poison_fail(btt);
	else if (!atomic_load_explicit(&btt->nfirst, memory_order_relaxed))
		ret = btt_layout_format_locked(btt);
	lock_release(&btt->layout_lock);
	return ret;
}
