/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening, checking and closing.
 *
 * Headers and descriptor are read through the files' descriptors, judged and then dropped:
 * the pool is not mapped before it is known to be one, and nothing that was judged is ever
 * read again from the mapping, where it might have changed.
 */
#include "pool/pool.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "poolset/badblocks.h"
#include "blame.h"
#include "base/ctl.h"
#include "base/ctl_config.h"
#include "errormsg.h"
#include "pool/header.h"
#include "poolset/files.h"
#include "poolset/load.h"

struct pmemblk *pool_alloc(const char *path)
{
	struct pmemblk *pool = alloc_zeroed(sizeof(*pool));

	if (!pool)
		return NULL;
	pool->path = alloc_strdup(path);
	if (!pool->path) {
		alloc_free(pool);
		return NULL;
	}
	return pool;
}

static uint64_t next_data(struct storage *s, uint64_t off, uint64_t end)
{
	const struct pmemblk *pool =
	    (const void *)((const char *)s - offsetof(struct pmemblk, storage));

	return poolset_files_next_data(pool->set, off, end);
}

static void prepare(struct pmemblk *pool, struct poolset *set)
{
	storage_pool_init(&pool->storage, pool->map.base, pool->map.size,
			  pool->map.medium);
	if (pool->is_watched)
		storage_pool_watch(&pool->storage);
	storage_pool_init(&pool->view, pool->map.base, pool->map.size, STORAGE_VIEW);
	sync_group_init(&pool->group);
	if (pool->map.medium == STORAGE_FILE)
		pool->storage.group = &pool->group;
	pool->set = set;
	pool->storage.next_data = next_data;
	pool->params.name = pool->path;
	pool->params.data_off = POOL_DATA_OFF;
	pool->params.data_size = pool->map.size - POOL_DATA_OFF;
	pool->params.bsize = pool->bsize;
	pool->params.nlane = BTT_MAX_LANES;
}

/* The files are going to be closed. */
static void detach_set(struct pmemblk *pool)
{
	pool->storage.next_data = NULL;
	pool->set = NULL;
}

int pool_attach(struct pmemblk *pool, struct poolset *set)
{
	struct btt *btt;
	int ret = pool_owner_init(&pool->owner);

	if (ret < 0)
		return blame_file(pool->path, ret);
	prepare(pool, set);
	ret = btt_open(&pool->storage, &pool->params, &btt);
	detach_set(pool);
	if (ret < 0) /* below, a failed sync knows no file; the others name it */
		return ret == -EINVAL || ret == -ENOMEM ? ret
							: blame_file(pool->path, ret);
	pool->nblock = btt_nblock(btt);
	atomic_store_explicit(&pool->btt, btt, memory_order_release);
	return 0;
}

int pool_store_sds(struct pmemblk *pool, bool dirty)
{
	struct storage_step step = STORAGE_STEP_INIT;
	struct pool_sds sds;
	int ret;

	shutdown_state_make(&sds, &pool->modules, dirty);
	storage_write(&pool->storage, &step, offsetof(struct pool_header, sds), &sds,
		      sizeof(sds));
	ret = storage_fence(&pool->storage, &step);
	return ret < 0 ? blame_file(pool->path, ret) : pool_deepen_sds(pool);
}

int pool_deepen_sds(struct pmemblk *pool)
{
	int ret;

	if (!pool->deep.part)
		return 0;
	storage_pool_deep_flush(&pool->storage, offsetof(struct pool_header, sds),
				sizeof(struct pool_sds));
	ret = poolset_deep_drain_header(&pool->deep);
	return ret < 0 ? blame_file(pool->path, ret) : 0;
}

int pool_read_modules(const struct poolset *set, struct shutdown_state *state)
{
	*state = (struct shutdown_state){0, 0};
	for (unsigned i = 0; i < set->npart; i++) {
		const struct poolset_part *part = &set->part[i];
		struct stat st;
		int ret;

		if (fstat(part->fd, &st) != 0)
			return errormsg_fail_sys(errno, "cannot stat %s", part->path);
		ret = shutdown_state_add_part(state, part->path,
					      part->is_devdax ? st.st_rdev : st.st_dev,
					      part->is_devdax);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* --- judging ------------------------------------------------------------------------- */

/* Reads and judges the headers of all parts that have one; *first receives part 0's. */
static int check_headers(const struct poolset *set, struct pool_header *first)
{
	unsigned nheader = set->singlehdr ? 1 : set->npart;
	struct pool_header *h = alloc_zeroed(nheader * sizeof(*h));
	int ret = 0;

	if (!h)
		return errormsg_fail(ENOMEM, "out of memory for the headers of %s",
				     set->path);
	for (unsigned i = 0; i < nheader && ret == 0; i++) {
		ret = poolset_files_read(set, i, 0, &h[i], sizeof(h[i]));
		if (ret == 0)
			ret = pool_header_check(&h[i], set->part[i].path);
	}
	if (ret == 0 &&
	    pool_header_has(h->incompat, POOL_INCOMPAT_SINGLEHDR) != set->singlehdr)
		ret = errormsg_fail(
		    EINVAL,
		    set->singlehdr
			? "%s was made without OPTION SINGLEHDR"
			: "%s was made with OPTION SINGLEHDR, which is not given",
		    set->part[0].path);
	for (unsigned i = 0; i < nheader && ret == 0; i++)
		ret = pool_header_check_links(h, nheader, i, set->part[i].path);
	*first = *h;
	alloc_free(h);
	return ret;
}

static int check_descriptor(const struct poolset *set, size_t bsize, struct pmemblk *pool)
{
	const char *path = set->part[0].path;
	struct pool_descriptor d;
	uint64_t image = poolset_files_image_size(set);
	uint32_t stored;
	int ret;

	if (image < POOL_MIN_SIZE)
		return errormsg_fail(
		    EINVAL, "%s has %llu usable bytes, a pool needs at least %llu",
		    set->path, ULL(image), ULL(POOL_MIN_SIZE));
	ret = poolset_files_read(set, 0, POOL_DESCRIPTOR_OFF, &d, sizeof(d));
	if (ret < 0)
		return ret;
	stored = le32_to_cpu(d.bsize);
	if (stored == 0)
		return errormsg_fail(
		    EINVAL, "the pool in %s is damaged: its block size is 0", path);
	if (bsize != 0 && bsize != stored)
		return errormsg_fail(EINVAL,
				     "%s has blocks of %u bytes, but %zu were asked for",
				     path, stored, bsize);
	pool->bsize = stored;
	pool->params.zeroed = le32_to_cpu(d.is_zeroed) != 0;
	pool->params.user_file = !pool->params.zeroed;
	return 0;
}

/*
 * Everything that can be said about the open files of a pool without mapping it. *kind
 * becomes MAPPING_PRIVATE where the pool must not be written.
 */
static int judge(const struct poolset *set, size_t bsize, struct pmemblk *pool,
		 enum mapping_kind *kind)
{
	struct pool_header h;
	int ret = check_headers(set, &h);

	if (ret < 0)
		return ret;
	if (pool_header_has(h.compat, POOL_COMPAT_CHECK_BAD_BLOCKS)) {
		ret = badblocks_check_recovery(set);
		if (ret == 0)
			ret = badblocks_check_media(set);
		if (ret < 0)
			return ret;
	}
	ret = check_descriptor(set, bsize, pool);
	if (ret < 0)
		return ret;
	if (pool_header_has(h.incompat, POOL_INCOMPAT_SDS)) {
		ret = pool_read_modules(set, &pool->modules);
		if (ret == 0)
			ret = shutdown_state_check(&h.sds, &pool->modules, set->path);
		if (ret < 0)
			return ret;
	}
	pool->is_read_only = h.ro_compat.raw != 0;
	if (pool->is_read_only)
		*kind = MAPPING_PRIVATE;
	pool->keeps_sds = *kind == MAPPING_SHARED && pool_header_keeps_sds(&h);
	pool->params.parent = h.poolset_uuid;
	return 0;
}

/* --- opening ------------------------------------------------------------------------- */

/* Opens and maps the files; *set stays open, so that they stay locked until the end. */
static int map_pool(const char *path, size_t bsize, enum mapping_kind kind,
		    struct poolset **set, struct pmemblk **out)
{
	struct pmemblk *pool;
	int ret = poolset_load(path, false, set);

	if (ret < 0)
		return ret;
	ret = poolset_files_open(*set,
				 kind == MAPPING_PRIVATE ? POOLSET_READ : POOLSET_WRITE);
	if (ret < 0)
		goto fail;
	pool = pool_alloc(path);
	if (!pool) {
		ret = errormsg_fail(ENOMEM, "out of memory for the pool %s", path);
		goto fail;
	}
	ret = judge(*set, bsize, pool, &kind);
	if (ret == 0)
		ret = poolset_map(*set, kind, &pool->map);
	if (ret == 0) {
		*out = pool;
		return 0;
	}
	pool_destroy(pool);
fail:
	poolset_files_close(*set);
	poolset_free(*set);
	return ret;
}

static void drop_set(struct poolset *set)
{
	poolset_files_close(set);
	poolset_free(set);
}

int pool_open(const char *path, size_t bsize, struct pmemblk **out)
{
	enum mapping_kind kind =
	    ctl_value(CTL_COPY_ON_WRITE_AT_OPEN) ? MAPPING_PRIVATE : MAPPING_SHARED;
	struct poolset *set;
	struct pmemblk *pool;
	int ret = ctl_config_check();

	if (ret < 0)
		return ret;
	if (!path)
		return errormsg_fail(EINVAL, "no path given");
	ret = map_pool(path, bsize, kind, &set, &pool);
	if (ret < 0)
		return ret;
	ret = pool_watch(pool);
	pool_enter(pool);
	if (ret == 0 && pool->keeps_sds)
		ret = poolset_deep_init(&pool->deep, set, &pool->map);
	if (ret == 0 && ctl_value(CTL_PREFAULT_AT_OPEN))
		poolset_map_prefault(&pool->map);
	if (ret == 0)
		ret = pool_attach(pool, set);
	if (ret == 0 && pool->keeps_sds)
		ret = pool_store_sds(pool, true);
	ret = pool_leave(pool, ret);
	drop_set(set);
	if (ret < 0) {
		pool_destroy(pool);
		return ret;
	}
	*out = pool;
	return 0;
}

int pool_check(const char *path, size_t bsize)
{
	struct poolset *set;
	struct pmemblk *pool;
	int ret;

	if (!path)
		return errormsg_fail(EINVAL, "no path given");
	ret = map_pool(path, bsize, MAPPING_PRIVATE, &set, &pool);
	if (ret < 0)
		return ret;
	ret = pool_watch(pool);
	if (ret == 0) {
		prepare(pool, set);
		pool_enter(pool);
		ret = btt_check(&pool->storage, &pool->params);
		ret = pool_leave(pool, ret);
	}
	drop_set(set);
	pool_destroy(pool);
	return ret;
}

void pool_destroy(struct pmemblk *pool)
{
	btt_close(atomic_load_explicit(&pool->btt, memory_order_relaxed));
	while (pool->retired) {
		struct retired_btt *next = pool->retired->next;

		btt_close(pool->retired->btt);
		alloc_free(pool->retired);
		pool->retired = next;
	}
	if (pool->storage.group)
		sync_group_fini(pool->storage.group);
	pool_owner_fini(&pool->owner);
	sigbus_unwatch(&pool->watch);
	poolset_deep_fini(&pool->deep);
	poolset_unmap(&pool->map);
	alloc_free(pool->path);
	alloc_free(pool);
}

/*
 * The mark that says closed must not be on the modules before the blocks that it vouches for:
 * should the platform fail to save the latter, their loss would not be noticed.
 */
static int make_durable(struct pmemblk *pool)
{
	int ret;

	pool_enter(pool);
	ret = btt_sync(atomic_load_explicit(&pool->btt, memory_order_relaxed));
	ret = pool_leave(pool, ret);
	if (ret == 0)
		ret = poolset_deep_drain(&pool->deep);
	if (ret == 0 && pool->keeps_sds) {
		pool_enter(pool);
		ret = pool_store_sds(pool, false);
		ret = pool_leave(pool, ret);
	}
	return ret;
}

/*
 * A pool whose last sync failed, or which met a media error, stays marked as open. So does
 * one that another process owns, and one whose owner has gone and that nobody has taken
 * over.
 */
void pool_close(struct pmemblk *pool)
{
	if (!pool->is_read_only && pool_owner_is_self(&pool->owner) &&
	    !atomic_load_explicit(&pool->media_failed, memory_order_relaxed) &&
	    make_durable(pool) < 0)
		errormsg_set("%s could not be marked as closed", pool->path);
	pool_destroy(pool);
}
