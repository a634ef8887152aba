/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The steps that creating and opening have in common. For the files of pool/ only. Functions
 * that return int return 0 or -errno and have set the message, which names the file.
 */
#ifndef POOL_BUILD_H
#define POOL_BUILD_H 1

#include <stdbool.h>

#include "compiler.h"
#include "pool/pool.h"
#include "pool/shutdown_state.h"
#include "poolset/poolset.h"

/* Allocates a pool with its path, or NULL. To be given to pool_destroy(). */
struct pmemblk *pool_alloc(const char *path);

/* Sums up the memory modules under the open files of a set. */
int pool_read_modules(const struct poolset *set, struct shutdown_state *state) MUST_CHECK;

/*
 * Sets up the storages and the table's parameters of a pool whose map, bsize, is_watched, and
 * parent uuid, zeroed and user_file in params are set. The open files of set tell about holes.
 */
void pool_prepare(struct pmemblk *pool, struct poolset *set);

/* pool_prepare(), then owner and table. The files of set may be closed after it. */
int pool_attach(struct pmemblk *pool, struct poolset *set) MUST_CHECK;

/* Stores the shutdown state durably, down to the memory modules. */
int pool_store_sds(struct pmemblk *pool, bool dirty) MUST_CHECK;

/* Flushes a shutdown state that is durable already down to the memory modules. */
int pool_deepen_sds(struct pmemblk *pool) MUST_CHECK;

#endif
