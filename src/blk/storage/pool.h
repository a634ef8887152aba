/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The storages of real pools; storage/pool.c is the only file of libpmemblk that calls
 * libpmem.
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
 * From now on a fence fails with -EIO, message set, where a page was lost since
 * sigbus_enter(watch): stores before it may have gone nowhere. For pools whose mapping is
 * watched; no change where nothing becomes durable.
 */
void storage_pool_watch(struct storage *s, struct sigbus_watch *watch);

/*
 * Deep flushes: memory controller and modules have buffers of their own. On power loss the
 * platform saves them, and its modules count when it could not. What is to be compared with
 * that count must not wait in these buffers itself.
 *
 * A file on persistent memory is flushed deeply by msync(2) of any of its pages. A device DAX has
 * no msync(2), but libpmem knows the NVDIMM region below each device that it has mapped itself.
 * So libpmem maps the device once more, for this purpose alone. Nobody uses that mapping.
 */
struct storage_deep {
	void *addr;
	size_t len;
	bool is_device; /* mapped by storage_pool_deep_map() */
};

/* For a device DAX. -errno as from pmem_map_file(), message set. */
int storage_pool_deep_map(const char *path, struct storage_deep *deep) MUST_CHECK;
void storage_pool_deep_unmap(struct storage_deep *deep);

/* Writes the lines back from the caches, even from those that are saved on power loss. */
void storage_pool_deep_flush(const struct storage *s, uint64_t off, size_t len);

/*
 * Returns when nothing that was flushed before is left in the buffers below. -errno, message
 * set; then nothing is known about that.
 */
int storage_pool_deep_drain(const struct storage_deep *deep) MUST_CHECK;

/*
 * Whether libpmem can make durable what is mapped with MAP_SYNC: on CPUs that have no instructions
 * to write cache lines back it calls no file persistent memory, and msync(2) has to do it.
 */
bool storage_pool_can_flush(const char *path);

/* Whether libpmem takes a mapping for persistent memory (PMEM_IS_PMEM_FORCE). */
bool storage_pool_is_pmem(const void *base, uint64_t size);

#endif
