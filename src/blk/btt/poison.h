/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The effect of a failed sync on a table. Nobody knows which stores have reached the medium, and
 * a second sync would succeed without having written them. So all later modifying calls fail, and
 * reads look at the flog, too: see R9 in btt/btt.c.
 */
#ifndef BTT_POISON_H
#define BTT_POISON_H 1

#include "btt/arena.h"
#include "compiler.h"

/* Poisons the table after a sync that failed with err (negative). Returns -EIO, message set. */
int btt_poison(struct btt *btt, int err) MUST_CHECK;

/* Returns -EIO with a message, for a call on a poisoned table. */
int btt_poison_fail(const struct btt *btt) MUST_CHECK;

static inline bool btt_poison_is_set(const struct btt *btt)
{
	return atomic_load_explicit(&btt->poisoned, memory_order_relaxed) != 0;
}

/*
 * Around the part of a modifying call that stores records or flags, including the check for poison
 * (R15) and the stores that take them back (R18). Other processes begin to redo records when no
 * thread is in such a part, or when this process is gone: they have no lock that keeps them from what
 * is taken back. Until then they do not believe flags, either, if a sync has failed.
 */
static inline void btt_exchange_begin(struct btt *btt)
{
	if (!btt->storage->drops_pages)
		return;
	atomic_fetch_add_explicit(&btt->undecided, 1, memory_order_seq_cst);
	/* pairs with btt_poison(): it sees this thread, or the thread sees the poison */
	atomic_thread_fence(memory_order_seq_cst);
}

/*
 * The table is poisoned. Tells other processes to redo, unless a thread is in such a part: then the
 * last one does so, and BTT_FAILING tells them what to do if this process ends before.
 */
void btt_note_failure(struct btt *btt);

static inline void btt_exchange_end(struct btt *btt)
{
	if (!btt->storage->drops_pages)
		return;
	/* release: what was taken back */
	atomic_fetch_sub_explicit(&btt->undecided, 1, memory_order_seq_cst);
	/* as above; otherwise neither side might tell the other processes */
	atomic_thread_fence(memory_order_seq_cst);
	if (unlikely(btt_poison_is_set(btt)))
		btt_note_failure(btt);
}

#endif
