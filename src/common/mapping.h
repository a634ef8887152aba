/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Placing files in the address space: 1 GiB alignment for 2 GiB and more, else 2 MiB, so
 * that the kernel can use large pages; PMEM_MMAP_HINT (hexadecimal) instead of a free
 * choice of the address. A reservation is held while the file is mapped over it, so that
 * no other thread can take the place in between.
 *
 * Functions return 0 or -errno and have set the message when they fail.
 */
#ifndef MAPPING_H
#define MAPPING_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

/* The smallest distance of mappings and the unit of the pool format. */
#define MAPPING_PAGE 4096u

/*
 * Reads PMEM_MMAP_HINT (secure_getenv). Called once, by the constructor of each library.
 */
void mapping_init(void);

/*
 * Reserves len bytes of address space (PROT_NONE) at the alignment that len calls for, or
 * at least min_align (a power of two; 0: no wish). *addr receives the start.
 * mapping_release gives back whatever has been mapped there since.
 */
int mapping_reserve(size_t len, size_t min_align, void **addr) MUST_CHECK;
void mapping_release(void *addr, size_t len);

/* Tells that somebody has unmapped this range: a good place for the next reservation. */
void mapping_is_free(void *addr, size_t len);

enum mapping_kind {
	MAPPING_SHARED,	 /* MAP_SYNC where the file system grants it, else MAP_SHARED */
	MAPPING_PRIVATE, /* copy on write: the file is never changed */
};

/*
 * Maps len bytes of fd from offset off (a multiple of the page size) over a reservation,
 * read and write. *is_sync, if not NULL, tells whether MAP_SYNC was granted. The reason
 * why it was not is left in *why (a static text), if not NULL. -errno as from mmap(2);
 * only EINVAL and EOPNOTSUPP of the MAP_SYNC attempt lead to the plain mapping. Sets no
 * message.
 */
int mapping_place(void *addr, size_t len, int fd, uint64_t off, enum mapping_kind kind,
		  bool *is_sync, const char **why) MUST_CHECK;

#endif
