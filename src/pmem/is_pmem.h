/* SPDX-License-Identifier: BSD-3-Clause */
/* The ranges of address space that are known to be persistent memory. */
#ifndef IS_PMEM_H
#define IS_PMEM_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

/* What a range is made of: the number of a device DAX's NVDIMM region (region.h), or */
enum {
	IS_PMEM_NO_REGION = -1, /* a device DAX that has none */
	IS_PMEM_FILE = -2,	/* a file mapped with MAP_SYNC */
};

struct is_pmem_range {
	uintptr_t begin;
	uintptr_t end; /* first byte after it */
	int region;
};

/* Registers atfork handlers; once, at load. */
void is_pmem_load(void);
/* Forgets everything; at unload. */
void is_pmem_unload(void);

/*
 * Adds [addr, addr + len), to the byte. What was known about its pages before is stale
 * (the program has used munmap(2)) and is forgotten. -ENOMEM.
 */
int is_pmem_add(const void *addr, size_t len, int region) MUST_CHECK;

/*
 * Forgets the pages of [addr, addr + len); a range may be cut or split by it. -ENOMEM, and
 * then nothing has changed.
 */
int is_pmem_remove(const void *addr, size_t len) MUST_CHECK;

/*
 * True if all of [addr, addr + len) is known and len is not 0. Takes no lock and can be
 * called from a signal handler.
 */
bool is_pmem_covers(const void *addr, size_t len);

/* The lowest range that ends above addr, if any; as above. */
bool is_pmem_find(uintptr_t addr, struct is_pmem_range *range);

#endif
