/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools: files, header, descriptor and shutdown state around a block translation table.
 *
 * The run-time state of a pool is not in the mapped file; struct pmemblk is ordinary memory.
 */
#ifndef POOL_H
#define POOL_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "btt/btt.h"
#include "pool/owner.h"
#include "pool/shutdown_state.h"
#include "poolset/deep.h"
#include "poolset/map.h"
#include "storage/sigbus.h"
#include "storage/storage.h"
#include "storage/sync_group.h"

/* A table that was replaced by another one; readers may still use it. */
struct retired_btt {
	struct retired_btt *next;
	struct btt *btt;
};

struct pmemblk {
	_Atomic(struct btt *) btt; /* replaced by pool_take_over(), with release */
	uint64_t nblock;
	uint32_t bsize;
	bool is_read_only; /* unknown ro_compat features; the mapping is private then */
	bool is_watched;   /* media errors are survived, see storage/sigbus.h */
	/* a modifying call has met a media error, or ran at the same time as one */
	_Atomic(bool) media_failed;
	/* pmemblk_read(), the function for these blocks on this CPU */
	int (*read)(struct pmemblk *pool, void *buf, uint64_t blockno);
	bool keeps_sds; /* open and close mark the shutdown state */
	struct pool_owner owner;
	struct shutdown_state modules;
	struct storage storage;
	struct sync_group group; /* shared syncs of a pool on an ordinary file */
	struct poolset_mapping map;
	struct poolset_deep deep; /* empty unless keeps_sds */
	struct btt_params params;
	struct retired_btt *retired; /* under pool_owner_lock() */
	struct sigbus_watch watch;
	struct storage view; /* for processes that may only read */
	char *path;
};

/* Registers the fork handlers. Called once, by the library's constructor. */
void pool_setup(void);

void pool_close(struct pmemblk *pool);

/* Frees a pool, also a half-built one. Stores nothing. */
void pool_destroy(struct pmemblk *pool);

#endif
