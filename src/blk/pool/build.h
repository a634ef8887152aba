/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The steps that create and open share. For the files of pool/ only. Functions that return int
 * return 0 or -errno, and have set the message, which names the file.
 */
#ifndef POOL_BUILD_H
#define POOL_BUILD_H 1

#include <stdbool.h>

#include "compiler.h"
#include "pool/pool.h"
#include "pool/shutdown_state.h"
#include "poolset/poolset.h"

/* Allocates a pool with its path. NULL: no memory. The caller frees it with pool_destroy(). */
struct pmemblk *pool_alloc(const char *path);

/* Reads and sums up the state of the memory modules under the open files of a set. */
int pool_read_modules(const struct poolset *set, struct shutdown_state *state) MUST_CHECK;

/*
 * Sets up the storages of a pool and the parameters of its table. These members have to be set
 * before: map, bsize, is_watched, and in params the parent uuid, zeroed and user_file. The open
 * files of set are asked for holes.
 */
void pool_prepare(struct pmemblk *pool, struct poolset *set);

/*
 * Does pool_prepare(), then sets up the owner and opens the table. After it the files of set may
 * be closed.
 */
int pool_attach(struct pmemblk *pool, struct poolset *set) MUST_CHECK;

/* Stores the shutdown state durably, down to the memory modules. */
int pool_store_sds(struct pmemblk *pool, bool dirty) MUST_CHECK;

/*
 * Flushes the shutdown state deeply, down to the memory modules. It has been made durable before.
 */
int pool_deepen_sds(struct pmemblk *pool) MUST_CHECK;

#endif
