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
 * The unit in which fd can be mapped: the huge page of a file on hugetlbfs, else the page. A
 * mapping covers whole units, whatever length is asked for, and starts at a multiple of them;
 * so does its place in the file. Beyond the last whole unit in a file on hugetlbfs an access
 * is a bus error.
 */
size_t mapping_unit(int fd);

/*
 * Reserves len bytes of address space (PROT_NONE), rounded up to whole units, at the
 * alignment that len calls for or at least unit (a power of two; 0: the page). *addr receives
 * the start. mapping_release, with the same len and unit, gives back whatever has been mapped
 * there since.
 */
int mapping_reserve(size_t len, size_t unit, void **addr) MUST_CHECK;
void mapping_release(void *addr, size_t len, size_t unit);

/*
 * Unmaps [addr, addr + len), which need not be one mapping; the end is rounded up to the end
 * of the page, or huge page, that is mapped there. -errno as from munmap(2); no message.
 */
int mapping_unmap(void *addr, size_t len) MUST_CHECK;

enum mapping_kind {
	MAPPING_SHARED,	 /* MAP_SYNC where the file system grants it, else MAP_SHARED */
	MAPPING_PRIVATE, /* copy on write: the file is never changed */
};

/*
 * Maps len bytes of fd from offset off over a reservation, read and write; off and addr are
 * multiples of mapping_unit(fd), and the reservation is that of whole units. *is_sync, if not NULL, tells whether MAP_SYNC was granted. The reason
 * why it was not is left in *why (a static text), if not NULL. -errno as from mmap(2);
 * only EINVAL and EOPNOTSUPP of the MAP_SYNC attempt lead to the plain mapping. Sets no
 * message.
 */
int mapping_place(void *addr, size_t len, int fd, uint64_t off, enum mapping_kind kind,
		  bool *is_sync, const char **why) MUST_CHECK;

#endif
