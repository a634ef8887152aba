/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools: files, header, descriptor and shutdown state around a block translation table.
 *
 * Nothing of a pool's run-time state lies inside the mapped file; struct pmemblk is
 * ordinary memory.
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

/* A table that another one has replaced; readers may still be inside it. */
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
	_Atomic(bool) media_failed; /* one was met by a modifying call, or near one */
	bool keeps_sds; /* the shutdown state is to be marked at open and close */
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

/* Frees a pool, half-built ones too, and stores nothing. */
void pool_destroy(struct pmemblk *pool);

#endif
