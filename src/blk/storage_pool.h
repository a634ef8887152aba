/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The storages of real pools; storage_pool.c is the only file of libpmemblk that calls
 * libpmem.
 */
#ifndef STORAGE_POOL_H
#define STORAGE_POOL_H 1

#include "storage.h"

enum storage_medium {
	STORAGE_PMEM,	 /* persistent memory: cache line write-back and store fences */
	STORAGE_FILE,	 /* page cache of an ordinary file: msync */
	STORAGE_PRIVATE, /* copy-on-write pages: nothing is ever durable */
	STORAGE_VIEW	 /* another process writes: stores are dropped */
};

/* Fills in s for a mapping of `size` bytes at `base`. It needs no teardown. */
void storage_pool_init(struct storage *s, void *base, uint64_t size,
		       enum storage_medium medium);

/*
 * From now on a fence fails with -EIO, message set, where a page was lost since
 * sigbus_enter(): stores before it may have gone nowhere. For pools whose mapping is watched;
 * no change where nothing becomes durable.
 */
void storage_pool_watch(struct storage *s);

/* Whether libpmem takes a mapping for persistent memory (PMEM_IS_PMEM_FORCE). */
bool storage_pool_is_pmem(const void *base, uint64_t size);

#endif
