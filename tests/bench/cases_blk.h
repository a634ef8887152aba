/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CASES_BLK_H
#define CASES_BLK_H 1

#include <stddef.h>

#include <libpmemblk.h>

#include "turns.h"

#define CASES_BLK_SIZE ((size_t)300 << 20)

/* On a disk. */
#define CASES_BLK_DISK_SIZE ((size_t)32 << 20)
#define CASES_BLK_DISK_BLOCKS 1024u

/*
 * Returns the case of this name; ends the process for an unknown name. The names are
 *
 *	OP/BSIZE/THREADS	OP is read, write, write-noload (its limit does not load the old map
 *				entry), mix (70 % reads), zero (set_zero and write) or flag
 *				(set_error and set_zero in turn)
 *	LIFE/BSIZE		LIFE is first (the first write to a new pool), open (open and close),
 *				check or check-written (both of a pool of 1 GiB)
 *
 * is_disk: the pool is an ordinary file.
 */
struct turns_case cases_blk_find(const char *name, bool is_disk);

/*
 * Makes a pool and writes the first *nblock blocks, or all of them if that is 0. *nblock receives
 * how many blocks were written.
 */
PMEMblkpool *cases_blk_pool(const char *path, size_t bsize, size_t size,
			    uint64_t *nblock);

#endif
