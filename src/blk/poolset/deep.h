/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Deep flushes (storage/pool.h) of a mapped pool on persistent memory, part by part. A pool on
 * ordinary files needs none: it uses msync(2), which reaches as deep.
 */
#ifndef POOLSET_DEEP_H
#define POOLSET_DEEP_H 1

#include "poolset/map.h"

struct poolset_deep {
	struct storage_deep *part; /* NULL: there is nothing to do */
	unsigned npart;
};

/*
 * The files of set are open and mapped by map. -errno, message set. Call poolset_deep_fini()
 * later, also after a failure; that also accepts a zeroed struct.
 */
int poolset_deep_init(struct poolset_deep *deep, const struct poolset *set,
		      const struct poolset_mapping *map) MUST_CHECK;
void poolset_deep_fini(struct poolset_deep *deep);

/* Drain all parts, or only the one with the pool's header. -errno, message set. */
int poolset_deep_drain(const struct poolset_deep *deep) MUST_CHECK;
int poolset_deep_drain_header(const struct poolset_deep *deep) MUST_CHECK;

#endif
