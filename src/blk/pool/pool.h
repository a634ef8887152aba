/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools: files, header, descriptor and shutdown state around a block translation table.
 *
 * Nothing of a pool's run-time state lies inside the mapped file; struct pmemblk is
 * ordinary memory. Functions return 0 or -errno and have set the message, which names the
 * file, when they fail.
 */
#ifndef POOL_H
#define POOL_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "btt/btt.h"
#include "pool/owner.h"
#include "poolset/deep.h"
#include "poolset/map.h"
#include "pool/shutdown_state.h"
#include "storage/sigbus.h"
#include "storage/storage.h"
#include "storage/sync_group.h"

/* A table that a takeover has replaced; readers may still be inside it. */
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
	_Atomic(unsigned)
	    viewed_in;	     /* fork generation in which btt became a view, or 0 */
	struct poolset *set; /* while its files are open, else NULL */
	char *path;
};

/* See pmemblk_create(), pmemblk_open(). *out is to be given to pool_close(). */
int pool_create(const char *path, size_t bsize, size_t poolsize, mode_t mode,
		struct pmemblk **out) MUST_CHECK;
int pool_open(const char *path, size_t bsize, struct pmemblk **out) MUST_CHECK;

/* 1 consistent, 0 not, -errno. Changes nothing. */
int pool_check(const char *path, size_t bsize) MUST_CHECK;

void pool_close(struct pmemblk *pool);

/* Frees a pool, half-built ones too, and stores nothing. */
void pool_destroy(struct pmemblk *pool);

/*
 * For a process that is not the owner of the pool (pool_owner_is_self() is not true): takes
 * it over if the owner is gone, else -EBUSY.
 */
int pool_take_over(struct pmemblk *pool) MUST_CHECK;

/*
 * Reads a block in a process that is not the owner (pool_owner_is_self() is not true). As
 * btt_read(); besides -EBUSY when the owner changes the block all the time.
 */
int pool_read_foreign(struct pmemblk *pool, void *buf, uint64_t lba) MUST_CHECK;

/* The calls for a pool with is_watched. As btt_read() etc.; -EIO for media errors. */
enum pool_change { POOL_WRITE, POOL_SET_ZERO, POOL_SET_ERROR };
int pool_read_watched(struct pmemblk *pool, void *buf, uint64_t lba) MUST_CHECK;
int pool_modify_watched(struct pmemblk *pool, enum pool_change change, const void *buf,
			uint64_t lba) MUST_CHECK;

/* Watches the pool's mapping if that is wished for (ctl). */
int pool_watch(struct pmemblk *pool) MUST_CHECK;

/*
 * Around work on the mapping of a pool that may be watched. pool_leave() returns ret, or
 * -EIO with a message if a media error was met.
 */
void pool_enter(struct pmemblk *pool);
int pool_leave(struct pmemblk *pool, int ret) MUST_CHECK;

/*
 * Puts another table in the place of the present one, which lives on until the pool is
 * closed. pool_owner_lock() is held. -ENOMEM, message set.
 */
int pool_replace_btt_locked(struct pmemblk *pool, struct btt *fresh) MUST_CHECK;

/* Allocates a pool with its path, or NULL. */
struct pmemblk *pool_alloc(const char *path);

/*
 * Completes a pool whose map, bsize, is_read_only and parent uuid, zeroed and user_file in
 * params are set: storage and table. The files of set are open.
 */
int pool_attach(struct pmemblk *pool, struct poolset *set) MUST_CHECK;

/* Stores the shutdown state durably, down to the memory modules. */
int pool_store_sds(struct pmemblk *pool, bool dirty) MUST_CHECK;

/* The second half of it: takes down to the modules what is durable otherwise. */
int pool_deepen_sds(struct pmemblk *pool) MUST_CHECK;

/* Sums up the memory modules under the open files of a set. */
int pool_read_modules(const struct poolset *set, struct shutdown_state *state) MUST_CHECK;

#endif
