/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shutdown state. Modules of persistent memory count their unsafe shutdowns: power losses in
 * which they could not save data that the CPU had already flushed. The header of a pool holds the
 * sum of the counters of its modules, and a mark that says whether the pool is open. If the
 * counters have changed while the pool was open, completed writes may be lost, and the pool must
 * not be opened as usual.
 *
 * The functions below are pure; shutdown_devices_add() reads the counters.
 */
#ifndef SHUTDOWN_STATE_H
#define SHUTDOWN_STATE_H 1

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "base/pool_format.h"

/* The present state of the modules; all zero for files that are not on modules. */
struct shutdown_state {
	uint64_t usc;  /* sum of the unsafe shutdown counters */
	uint64_t uuid; /* sum of the checksums of the modules' names */
};

/* Adds a region: the sum of the counters of its modules, and their joined names. */
void shutdown_state_add(struct shutdown_state *state, uint64_t usc, const char *names);

/*
 * -EINVAL, message set: the pool was open when the modules failed to save data. 0 in all other
 * cases, also for a damaged block, which an interrupted update leaves.
 */
int shutdown_state_check(const struct pool_sds *stored, const struct shutdown_state *now,
			 const char *path) MUST_CHECK;

/* Makes the block to store; it is all zero if there is nothing to record. */
void shutdown_state_make(struct pool_sds *sds, const struct shutdown_state *now,
			 bool dirty);

#endif
