/* SPDX-License-Identifier: BSD-3-Clause */
/* How dump, export and import open pools, and the chunks in which they move blocks. */
#ifndef BLOCKS_H
#define BLOCKS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpmemblk.h>

/* The approximate number of bytes that are moved at once. */
#define BLOCKS_CHUNK ((size_t)1 << 20)

/*
 * Opens a pool for reading, without changing its files; a device DAX is changed. Complains and
 * returns NULL if that fails.
 */
PMEMblkpool *blocks_open_to_read(const char *path);

/* Opens a pool for writing. Complains and returns NULL if that fails. */
PMEMblkpool *blocks_open(const char *path);

/* Whether there is a block of this number. Complains if not. */
bool blocks_have(PMEMblkpool *pool, const char *path, uint64_t number);

/* How many blocks make a chunk, at least 1. */
size_t blocks_per_chunk(PMEMblkpool *pool);

/*
 * The most blocks that are written with one call, see pmemblk_writev(). Three such calls at the
 * same time find enough free lanes, so that each of them takes two ordered steps only.
 */
#define BLOCKS_BATCH 64u

/* How many blocks make a batch: at least 1, and not more bytes than a chunk. */
size_t blocks_per_batch(PMEMblkpool *pool);

bool blocks_are_zero(const void *buf, size_t len);

#endif
