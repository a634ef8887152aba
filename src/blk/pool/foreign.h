/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool in a process that was forked after the pool had been opened, see pool/foreign.c.
 * Functions return 0 or -errno and have set the message.
 */
#ifndef POOL_FOREIGN_H
#define POOL_FOREIGN_H 1

#include <stdint.h>

#include "compiler.h"
#include "pool/pool.h"

/*
 * To be called first by a process that is not the owner of the pool (pool_owner_is_self() is not
 * true). Puts in order what the fork has interrupted.
 */
void pool_arrive(struct pmemblk *pool);

/* Makes such a process the owner if the present owner is gone. Otherwise fails with -EBUSY. */
int pool_take_over(struct pmemblk *pool) MUST_CHECK;

/*
 * Reads a block in a process that is not the owner, as btt_read() does. Also fails with -EBUSY if
 * the owner changes the block all the time.
 */
int pool_read_foreign(struct pmemblk *pool, void *buf, uint64_t lba) MUST_CHECK;

#endif
