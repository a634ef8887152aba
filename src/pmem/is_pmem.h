/* SPDX-License-Identifier: BSD-3-Clause */
/* The ranges of address space that are known to be persistent memory. */
#ifndef IS_PMEM_H
#define IS_PMEM_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

/*
 * The memory of a range: the number of a device DAX's NVDIMM region (region.h), or one of
 * these.
 */
enum {
	IS_PMEM_NO_REGION = -1, /* a device DAX without a region */
	IS_PMEM_FILE = -2,	/* a file mapped with MAP_SYNC */
};

struct is_pmem_range {
	uintptr_t begin;
	uintptr_t end; /* first byte after the range */
	int region;
};

/* Once, at load. */
void is_pmem_load(void);
/* Forgets everything; at unload. */
void is_pmem_unload(void);

/*
 * Adds [addr, addr + len), exact to the byte. Forgets what was known about its pages
 * before: that is out of date, because the program has called munmap(2). -ENOMEM.
 */
int is_pmem_add(const void *addr, size_t len, int region) MUST_CHECK;

/*
 * Forgets the pages of [addr, addr + len), which may shorten or split a range. -ENOMEM;
 * nothing has changed then.
 */
int is_pmem_remove(const void *addr, size_t len) MUST_CHECK;

/*
 * Unmaps [addr, addr + len), which begins with a page, up to the end of its last page or huge
 * page, and forgets all that it has unmapped. What somebody else maps there meanwhile does not
 * count as known. -ENOMEM and others of munmap(2), and then nothing has changed.
 */
int is_pmem_unmap(void *addr, size_t len) MUST_CHECK;

/*
 * True if all of [addr, addr + len) is known and len is not 0. Takes no lock and can be
 * called from a signal handler.
 */
bool is_pmem_covers(const void *addr, size_t len);

/*
 * Finds the lowest range that ends above addr; false if there is none. As
 * is_pmem_covers().
 */
bool is_pmem_find(uintptr_t addr, struct is_pmem_range *range);

#endif
