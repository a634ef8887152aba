/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Places mappings of files in the address space. Mappings of 2 GiB and more are aligned
 * to 1 GiB, others to 2 MiB, so that the kernel can use large pages. PMEM_MMAP_HINT
 * (hexadecimal) sets the lowest address. The addresses are reserved first, and the file
 * is mapped over the reservation, so that no other thread can take them in between.
 *
 * Functions return 0 or -errno and have set the message when they fail.
 */
#ifndef MAPPING_H
#define MAPPING_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

/* The smallest page, which is also the unit of the pool format. */
#define MAPPING_PAGE 4096u

/*
 * Reads PMEM_MMAP_HINT (secure_getenv). Called once, by the constructor of each library.
 */
void mapping_init(void);

/*
 * The unit in which fd can be mapped: the huge page of a file on hugetlbfs, otherwise the
 * page. A mapping covers whole units, whatever length is asked for. Its address and its
 * offset in the file are multiples of the unit. An access behind the last whole unit of a
 * file on hugetlbfs raises SIGBUS.
 */
size_t mapping_unit(int fd);

/*
 * Reserves len bytes of address space (PROT_NONE), rounded up to whole units. The
 * alignment depends on len, see above, and is at least unit (a power of two; 0: the
 * page). *addr receives the start. mapping_release(), called with the same len and unit,
 * unmaps everything that has been mapped there since.
 */
int mapping_reserve(size_t len, size_t unit, void **addr) MUST_CHECK;
void mapping_release(void *addr, size_t len, size_t unit);

/*
 * Unmaps [addr, addr + len), which may hold several mappings. The end is rounded up to
 * the end of the page, or huge page, that is mapped there; *end, if not NULL, receives it
 * (with release) before anything is unmapped up to there, and may receive a smaller value
 * first. -errno as from munmap(2). Sets no message.
 */
int mapping_unmap(void *addr, size_t len, atomic_uintptr_t *end) MUST_CHECK;

enum mapping_kind {
	MAPPING_SHARED,	 /* MAP_SYNC if the file system grants it, otherwise MAP_SHARED */
	MAPPING_PRIVATE, /* copy on write: the file is never changed */
};

/*
 * Maps len bytes of fd from offset off over a reservation, for reading and writing. off
 * and addr are multiples of mapping_unit(fd), and the reservation has whole units.
 * *is_sync, if not NULL, receives whether MAP_SYNC was granted; *why, if not NULL, the
 * reason why it was not (a static text). If the attempt with MAP_SYNC fails with EINVAL
 * or EOPNOTSUPP, the file is mapped without it. -errno as from mmap(2). Sets no message.
 */
int mapping_place(void *addr, size_t len, int fd, uint64_t off, enum mapping_kind kind,
		  bool *is_sync, const char **why) MUST_CHECK;

#endif
