/* SPDX-License-Identifier: BSD-3-Clause */
#include "lanes.h"

#include <errno.h>
#include <stdatomic.h>

#include "alloc.h"
#include "errormsg.h"

static _Atomic(unsigned) threads_seen;
static __thread unsigned thread_number __attribute__((tls_model("initial-exec")));

unsigned lane_thread(void)
{
	if (unlikely(thread_number == 0))
		thread_number =
		    1 + atomic_fetch_add_explicit(&threads_seen, 1, memory_order_relaxed);
	return thread_number;
}

unsigned lane_hint(void)
{
	return lane_thread() - 1;
}

int lanes_init(struct lanes *lanes, unsigned n)
{
	lanes->lane = alloc_aligned(n * sizeof(*lanes->lane));
	if (!lanes->lane)
		return errormsg_fail(ENOMEM, "out of memory for %u lanes", n);
	lanes->n = n;
	return 0;
}

void lanes_fini(struct lanes *lanes)
{
	alloc_free_aligned(lanes->lane);
	lanes->lane = NULL;
}
