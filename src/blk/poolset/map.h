/* SPDX-License-Identifier: BSD-3-Clause */
/* Maps the pool image: all parts of a set, one behind the other. */
#ifndef POOLSET_MAP_H
#define POOLSET_MAP_H 1

#include "mapping.h"
#include "poolset/poolset.h"
#include "storage/pool.h"

struct poolset_mapping {
	unsigned char *base;
	uint64_t size; /* bytes, a multiple of 4096 */
	size_t unit;   /* pages, or huge pages, in which it is mapped; see mapping.h */
	enum storage_medium medium;
};

/*
 * Maps the open files of a set. With MAPPING_PRIVATE stores never reach the files; this fails
 * with -EOPNOTSUPP for device DAX. -EINVAL if the pages of the machine or of a file system are
 * too large for the set. Other errors are -ENOMEM and those of mmap(2). The message is set.
 */
int poolset_map(struct poolset *set, enum mapping_kind kind,
		struct poolset_mapping *map) MUST_CHECK;

/* Makes all pages resident and writable, without a change of their data. */
void poolset_map_prefault(const struct poolset_mapping *map);

/*
 * To be called before poolset_unmap() while the files are open, unless the mapping was given to a
 * pool that children inherit. Children that are forked from now on do not get the mapping: they
 * would not know of it.
 */
void poolset_map_forget(struct poolset *set, const struct poolset_mapping *map);

void poolset_unmap(struct poolset_mapping *map);

#endif
