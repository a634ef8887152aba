/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The storages of real pools. storage/pool.c is the only file of libpmemblk that calls libpmem.
 */
#ifndef STORAGE_POOL_H
#define STORAGE_POOL_H 1

#include "storage/storage.h"

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
 * From now on a fence fails with -EIO, message set, if a page was lost since sigbus_enter(watch):
 * stores before the fence may have been lost. For pools whose mapping is watched. Nothing changes
 * for private copies and views.
 */
void storage_pool_watch(struct storage *s, struct sigbus_watch *watch);

/*
 * Deep flushes. The memory controller and the modules have buffers of their own. On power loss
 * the platform saves these buffers; if it fails to do so, the modules count an unsafe shutdown.
 * The shutdown state is compared with that count, so it must not stay in these buffers itself.
 *
 * msync(2) of any page of a file on persistent memory flushes the file deeply. A device DAX has
 * no msync(2), but libpmem knows the NVDIMM region of each device that it has mapped itself. So
 * libpmem maps the device once more, only for this. Nothing accesses that mapping.
 */
struct storage_deep {
	void *addr;
	size_t len;
	bool is_device; /* mapped by storage_pool_deep_map() */
};

/* For a device DAX. -errno as from pmem_map_file(), message set. */
int storage_pool_deep_map(const char *path, struct storage_deep *deep) MUST_CHECK;
void storage_pool_deep_unmap(const struct storage_deep *deep);

/* Writes the lines back from the caches, even if the platform saves the caches on power loss. */
void storage_pool_deep_flush(const struct storage *s, uint64_t off, size_t len);

/*
 * Returns when the buffers below hold nothing any more that was flushed before. -errno, message
 * set: they may still hold some of it.
 */
int storage_pool_deep_drain(const struct storage_deep *deep) MUST_CHECK;

/*
 * Whether libpmem can make a file durable that is mapped with MAP_SYNC. On CPUs without
 * instructions that write cache lines back it cannot: there libpmem takes no file for persistent
 * memory, and the pool needs msync(2).
 */
bool storage_pool_can_flush(const char *path);

/* Whether libpmem takes a mapping for persistent memory (PMEM_IS_PMEM_FORCE). */
bool storage_pool_is_pmem(const void *base, uint64_t size);

#endif
