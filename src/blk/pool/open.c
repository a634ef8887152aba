/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Headers and descriptor are read through the descriptors of the files, and judged before the
 * pool is mapped. Values that were judged are never read again from the mapping, where they might
 * have changed.
 */
#include "pool/open.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/ctl.h"
#include "base/ctl_config.h"
#include "blame.h"
#include "btt/btt.h"
#include "btt/check.h"
#include "errormsg.h"
#include "pool/build.h"
#include "pool/header.h"
#include "pool/watched.h"
#include "poolset/acquire.h"
#include "poolset/badblocks.h"
#include "poolset/io.h"

/* --- judging ------------------------------------------------------------------------- */

/* The parts of the pool that were judged before it was mapped. */
struct front {
	struct pool_header header; /* of the first part */
	struct pool_descriptor descriptor;
};

/* Stores the front again, because it may be in memory only: see storage_renew(). */
static int renew_front(struct pmemblk *pool, const struct front *front)
{
	struct storage *s = &pool->storage;
	struct storage_step step = STORAGE_STEP_INIT;
	int ret;

	storage_renew(s, &step, 0, &front->header, sizeof(front->header));
	storage_renew(s, &step, POOL_DESCRIPTOR_OFF, &front->descriptor,
		      sizeof(front->descriptor));
	ret = storage_fence(s, &step);
	return ret < 0 ? blame_file(pool->path, ret) : 0;
}

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
		ret = poolset_io_read(set, i, 0, &h[i], sizeof(h[i]));
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

static int check_descriptor(const struct poolset *set, size_t bsize, struct pmemblk *pool,
			    struct pool_descriptor *d)
{
	const char *path = set->part[0].path;
	uint64_t image = poolset_files_image_size(set);
	uint32_t stored;
	int ret;

	if (image < POOL_MIN_SIZE)
		return errormsg_fail(
		    EINVAL, "%s has %llu usable bytes, a pool needs at least %llu",
		    set->path, ULL(image), ULL(POOL_MIN_SIZE));
	ret = poolset_io_read(set, 0, POOL_DESCRIPTOR_OFF, d, sizeof(*d));
	if (ret < 0)
		return ret;
	stored = le32_to_cpu(d->bsize);
	if (stored == 0)
		return errormsg_fail(
		    EINVAL, "the pool in %s is damaged: its block size is 0", path);
	if (bsize != 0 && bsize != stored)
		return errormsg_fail(EINVAL,
				     "%s has blocks of %u bytes, but %zu were asked for",
				     path, stored, bsize);
	pool->bsize = stored;
	pool->params.zeroed = le32_to_cpu(d->is_zeroed) != 0;
	pool->params.user_file = !pool->params.zeroed;
	return 0;
}

/*
 * Judges everything about the open files of a pool that can be judged without mapping it. *kind
 * becomes MAPPING_PRIVATE if the pool must not be written.
 */
static int judge(const struct poolset *set, size_t bsize, struct pmemblk *pool,
		 enum mapping_kind *kind, struct front *front)
{
	const struct pool_header *h = &front->header;
	int ret = check_headers(set, &front->header);

	if (ret < 0)
		return ret;
	if (pool_header_has(h->compat, POOL_COMPAT_CHECK_BAD_BLOCKS)) {
		ret = badblocks_check_recovery(set);
		if (ret == 0)
			ret = badblocks_check_media(set);
		if (ret < 0)
			return ret;
	}
	ret = check_descriptor(set, bsize, pool, &front->descriptor);
	if (ret < 0)
		return ret;
	if (pool_header_has(h->incompat, POOL_INCOMPAT_SDS)) {
		ret = pool_read_modules(set, &pool->modules);
		if (ret == 0)
			ret = shutdown_state_check(&h->sds, &pool->modules, set->path);
		if (ret < 0)
			return ret;
	}
	pool->is_read_only = h->ro_compat.raw != 0;
	if (pool->is_read_only)
		*kind = MAPPING_PRIVATE;
	pool->keeps_sds = *kind == MAPPING_SHARED && pool_header_keeps_sds(h);
	pool->params.parent = h->poolset_uuid;
	return 0;
}

/* --- opening ------------------------------------------------------------------------- */

/* Opens and maps the files. *set stays open, so that the files stay locked until the end. */
static int map_pool(const char *path, size_t bsize, enum mapping_kind kind,
		    struct poolset **set, struct pmemblk **out, struct front *front)
{
	struct pmemblk *pool;
	int ret = poolset_acquire(
	    path, kind == MAPPING_PRIVATE ? POOLSET_READ : POOLSET_WRITE, set);

	if (ret < 0)
		return ret;
	pool = pool_alloc(path);
	if (!pool) {
		ret = errormsg_fail(ENOMEM, "out of memory for the pool %s", path);
		goto fail;
	}
	ret = judge(*set, bsize, pool, &kind, front);
	if (ret == 0)
		ret = poolset_map(*set, kind, &pool->map);
	if (ret == 0) {
		*out = pool;
		return 0;
	}
	poolset_map_forget(*set, &pool->map);
	pool_destroy(pool);
fail:
	poolset_files_unlock_and_close(*set);
	poolset_free(*set);
	return ret;
}

/* Closes the files. Keeps the lock if the pool was opened. */
static void drop_set(struct poolset *set, bool is_opened)
{
	if (is_opened)
		poolset_files_close(set);
	else
		poolset_files_unlock_and_close(set);
	poolset_free(set);
}

int pool_open(const char *path, size_t bsize, struct pmemblk **out)
{
	enum mapping_kind kind =
	    ctl_value(CTL_COPY_ON_WRITE_AT_OPEN) ? MAPPING_PRIVATE : MAPPING_SHARED;
	struct poolset *set;
	struct pmemblk *pool;
	struct front front;
	int ret = ctl_config_check();

	if (ret < 0)
		return ret;
	if (!path)
		return errormsg_fail(EINVAL, "no path given");
	ret = map_pool(path, bsize, kind, &set, &pool, &front);
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
	if (ret == 0)
		ret = renew_front(pool, &front);
	if (ret == 0 && pool->keeps_sds)
		ret = pool_store_sds(pool, true);
	ret = pool_leave(pool, ret);
	if (ret < 0)
		poolset_map_forget(set, &pool->map);
	drop_set(set, ret == 0);
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
	struct front front;
	int ret;

	if (!path)
		return errormsg_fail(EINVAL, "no path given");
	ret = map_pool(path, bsize, MAPPING_PRIVATE, &set, &pool, &front);
	if (ret < 0)
		return ret;
	ret = pool_watch(pool);
	if (ret == 0) {
		pool_prepare(pool, set);
		pool_enter(pool);
		ret = btt_check(&pool->storage, &pool->params);
		ret = pool_leave(pool, ret);
	}
	poolset_map_forget(set, &pool->map);
	drop_set(set, false);
	pool_destroy(pool);
	return ret;
}
