/* SPDX-License-Identifier: BSD-3-Clause */
#include "btt/poison.h"

#include <errno.h>
#include <string.h>

#include "errormsg.h"

void btt_note_failure(struct btt *btt)
{
	uint32_t present = BTT_LAID_OUT;

	atomic_thread_fence(memory_order_seq_cst);
	if (!btt->params.progress || !btt_is_laid_out(btt))
		return;
	if (atomic_load_explicit(&btt->undecided, memory_order_seq_cst) == 0)
		btt_note_progress(btt, BTT_FAILED);
	else /* unless the last thread has just left */
		atomic_compare_exchange_strong_explicit(btt->params.progress, &present,
							BTT_FAILING, memory_order_release,
							memory_order_relaxed);
}

int btt_poison(struct btt *btt, int err)
{
	int none = 0;

	atomic_compare_exchange_strong_explicit(
	    &btt->poisoned, &none, -err, memory_order_seq_cst, memory_order_relaxed);
	if (btt->storage->drops_pages) { /* readers have to redo, see btt/redo.h */
		atomic_store_explicit(&btt->fast->nblock, 0, memory_order_relaxed);
		btt_note_failure(btt);
	}
	return errormsg_fail(EIO, "%s: sync failed: %s; the pool takes no more changes",
			     btt->params.name, strerror(-err));
}

int btt_poison_fail(const struct btt *btt)
{
	return errormsg_fail(
	    EIO,
	    "%s: an earlier sync failed: %s; the pool takes no more changes until it "
	    "was closed and opened again",
	    btt->params.name,
	    strerror(atomic_load_explicit(&btt->poisoned, memory_order_relaxed)));
}
