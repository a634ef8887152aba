/* SPDX-License-Identifier: BSD-3-Clause */
/* The pool image: all parts of a set mapped one behind the other. */
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
 * Maps the open files of a set. MAPPING_PRIVATE leaves the files as they are for good;
 * -EOPNOTSUPP for device DAX. -EINVAL where the pages of the machine or of a file system are
 * too large for the set. Else -ENOMEM and as from mmap(2), message set.
 */
int poolset_map(struct poolset *set, enum mapping_kind kind,
		struct poolset_mapping *map) MUST_CHECK;

/* Makes all pages resident, writable ones without their data changing. */
void poolset_map_prefault(const struct poolset_mapping *map);

/* To be called before the mapping goes while the files are open. */
void poolset_map_forget(struct poolset *set);

/* Children that are forked from now on do not get it: they could not give it back. */
void poolset_map_keep_from_children(const struct poolset_mapping *map);

void poolset_unmap(struct poolset_mapping *map);

#endif
