/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A mark that the kernel takes away when the process that set it is gone.
 *
 * The mark is a System V shared memory segment that one process alone has attached: a child
 * does not inherit the attachment (MADV_DONTFORK), and the segment was removed in advance
 * (IPC_RMID), so the kernel frees it with the last attachment. That happens when the process's
 * memory goes: when it exits, is killed, or executes another program. From then on no thread
 * of it can store anything. Whoever knows the segment's number can ask whether it is still
 * there. Process ids and clocks play no part, no descriptor is needed, and closing all
 * descriptors changes nothing.
 *
 * A number means something in its own IPC namespace only. A second segment, the witness, tells:
 * it is attached by all processes that were forked since, and whoever can attach it again by
 * its number is in that namespace. A mark that is not found counts as gone only then.
 */
#ifndef LIVENESS_H
#define LIVENESS_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

struct liveness_nonce {
	uint64_t word[2];
};

struct liveness_witness {
	int id;
	struct liveness_nonce *content; /* attached, random; NULL: there is no witness */
};

struct liveness_mark {
	int id;
	void *at; /* NULL: no mark */
};

enum liveness { LIVENESS_UNKNOWN, LIVENESS_ALIVE, LIVENESS_GONE };

/*
 * Both return false where the kernel has no such segments, or no more. A mark can only be set
 * beside a witness in the namespace of this process. No message is set.
 *
 * A child that another thread forks meanwhile would inherit the mark, and keep it: half is where
 * it is told by, NULL at other times. The child calls liveness_drop_half().
 */
bool liveness_begin(struct liveness_witness *w) MUST_CHECK;
bool liveness_set_mark(const struct liveness_witness *w, struct liveness_mark *m,
		       _Atomic(void *) *half) MUST_CHECK;
void liveness_drop_half(_Atomic(void *) *half);

/* By the process that set the mark, not by its children. All zero is allowed in both. */
void liveness_drop_mark(struct liveness_mark *m);
void liveness_end(struct liveness_witness *w);

/*
 * About the process that set the mark with this number beside this witness. Unknown: this process was not forked
 * since the witness was made, is in another IPC namespace, or may not ask (another user).
 */
enum liveness liveness_judge(const struct liveness_witness *w, int id);

#endif
