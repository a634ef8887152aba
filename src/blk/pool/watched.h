/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools that survive media errors, see storage/sigbus.h. 0 or -errno, message set.
 *
 * A read that meets a lost page fails. A read that ran while another thread met one is
 * repeated. A modifying call for which either is true fails too, and so do all that follow
 * until the pool is opened again: it is not known which of its stores went to the
 * replacement, just as after a failed sync.
 */
#ifndef POOL_WATCHED_H
#define POOL_WATCHED_H 1

#include <stdint.h>

#include "btt/runs.h"
#include "compiler.h"
#include "pool/pool.h"

/* Watches the pool's mapping if that is wished for (ctl). */
int pool_watch(struct pmemblk *pool) MUST_CHECK;

/*
 * Around work on the mapping of a pool that may be watched. pool_leave() returns ret, or
 * -EIO with a message if a media error was met.
 */
void pool_enter(struct pmemblk *pool);
int pool_leave(struct pmemblk *pool, int ret) MUST_CHECK;

/* Reads a block by read(), which is as btt_read(), in a pool with is_watched. */
int pool_read_watched(struct pmemblk *pool,
		      int (*read)(struct pmemblk *pool, void *buf, uint64_t lba),
		      void *buf, uint64_t lba) MUST_CHECK;

/* As btt_write() etc., in a pool with is_watched. */
enum pool_change { POOL_WRITE, POOL_SET_ZERO, POOL_SET_ERROR };
int pool_modify_watched(struct pmemblk *pool, enum pool_change change, const void *buf,
			uint64_t lba) MUST_CHECK;

/* As btt_write_runs() and btt_zero_range(). Of a media error no single block is to blame. */
int pool_write_runs_watched(struct pmemblk *pool, const struct btt_run *run, size_t nrun,
			    long long *failed) MUST_CHECK;
int pool_zero_range_watched(struct pmemblk *pool, uint64_t lba, uint64_t nblock,
			    long long *failed) MUST_CHECK;

#endif
