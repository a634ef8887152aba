/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shutdown state: persistent memory modules count the power losses in which they could not
 * save what the CPU had already flushed. The sum over a pool's modules is kept in its
 * header together with a mark that says whether the pool is open. A pool that was open
 * while the counters moved may have lost completed writes and must not be opened as if
 * nothing had happened.
 *
 * The functions below are pure; shutdown_devices_add() reads the counters.
 */
#ifndef SHUTDOWN_STATE_H
#define SHUTDOWN_STATE_H 1

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "base/pool_format.h"

/* What the modules say now; all zero for files that are on none. */
struct shutdown_state {
	uint64_t usc;  /* sum of the unsafe shutdown counters */
	uint64_t uuid; /* sum of the checksums of the modules' names */
};

/* Adds one region's worth: the sum of its counters and its modules' joined names. */
void shutdown_state_add(struct shutdown_state *state, uint64_t usc, const char *names);

/*
 * -EINVAL, message set: the pool was open when the modules failed to save data. Everything
 * else is fine, a damaged block included: it is what an interrupted update leaves.
 */
int shutdown_state_check(const struct pool_sds *stored, const struct shutdown_state *now,
			 const char *path) MUST_CHECK;

/* The block to store; the all-zero one when nothing is to be remembered. */
void shutdown_state_make(struct pool_sds *sds, const struct shutdown_state *now,
			 bool dirty);

#endif
