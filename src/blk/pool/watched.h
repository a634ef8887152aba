/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools that survive media errors, see storage/sigbus.h. Functions return 0 or -errno and have
 * set the message.
 *
 *   1. A read that meets a lost page fails.
 *   2. A read during which another thread has met one is repeated.
 *   3. In both cases a modifying call fails, and so do all later ones until the pool is opened
 *      again. As after a failed sync, it is not known which stores have reached the file: some
 *      may have gone to the replacement of the page.
 */
#ifndef POOL_WATCHED_H
#define POOL_WATCHED_H 1

#include <stdint.h>

#include "btt/runs.h"
#include "compiler.h"
#include "pool/pool.h"

/* Watches the pool's mapping if the settings (ctl) say so. */
int pool_watch(struct pmemblk *pool) MUST_CHECK;

/*
 * To be called before and after work on the mapping of a pool that may be watched. pool_leave()
 * returns ret, or -EIO with a message if there was a media error.
 */
void pool_enter(struct pmemblk *pool);
int pool_leave(struct pmemblk *pool, int ret) MUST_CHECK;

/* Reads a block of a watched pool with read(), which works as btt_read(). */
int pool_read_watched(struct pmemblk *pool,
		      int (*read)(struct pmemblk *pool, void *buf, uint64_t lba),
		      void *buf, uint64_t lba) MUST_CHECK;

/* As btt_write() etc., in a watched pool. */
enum pool_change { POOL_WRITE, POOL_SET_ZERO, POOL_SET_ERROR };
int pool_modify_watched(struct pmemblk *pool, enum pool_change change, const void *buf,
			uint64_t lba) MUST_CHECK;

/*
 * As btt_write_runs() and btt_zero_range(), in a watched pool. A media error is not reported for
 * a single block.
 */
int pool_write_runs_watched(struct pmemblk *pool, const struct btt_run *run, size_t nrun,
			    long long *failed) MUST_CHECK;
int pool_zero_range_watched(struct pmemblk *pool, uint64_t lba, uint64_t nblock,
			    long long *failed) MUST_CHECK;

#endif
