/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A mark that the kernel removes when the process that has set it is gone.
 *
 * The mark is a System V shared memory segment that only one process has attached. A child does
 * not inherit the attachment (MADV_DONTFORK). The segment is removed as soon as it is attached
 * (IPC_RMID), so the kernel frees it with its last attachment. That happens when the process
 * loses its memory: when it exits, is killed, or executes another program. From then on none of
 * its threads can store anything. Every process that knows the segment's number can ask whether
 * it is still there. This needs no process ids, no clocks and no descriptors.
 *
 * A number is valid only in its own IPC namespace. A second segment, the witness, tells whether a
 * process is in that namespace: all processes that were forked since have it attached, and a
 * process in the namespace can attach it again by its number. Only such a process concludes from
 * a missing mark that the owner is gone.
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
 * liveness_begin() makes a witness, liveness_set_mark() sets a mark. Both return false, and set
 * no message, if the kernel has no such segments, or no free one. A mark needs a witness in the
 * namespace of this process.
 *
 * If another thread forks meanwhile, the child inherits the mark and would keep it. So *half has
 * the mark's address while it is being set, and is NULL at other times. The child calls
 * liveness_drop_half().
 */
bool liveness_begin(struct liveness_witness *w) MUST_CHECK;
bool liveness_set_mark(const struct liveness_witness *w, struct liveness_mark *m,
		       _Atomic(void *) *half) MUST_CHECK;
void liveness_drop_half(_Atomic(void *) *half);

/*
 * To be called by the process that has set the mark, not by its children. Both accept a zeroed
 * struct.
 */
void liveness_drop_mark(struct liveness_mark *m);
void liveness_end(struct liveness_witness *w);

/*
 * Judges the process that has set the mark with this number. Unknown: the calling process was not
 * forked since the witness was made, is in another IPC namespace, or may not ask (another user).
 */
enum liveness liveness_judge(const struct liveness_witness *w, int id);

#endif
