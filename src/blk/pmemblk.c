/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The public functions for pools and blocks. They check the arguments and set errno, see edge.h.
 */
#include <libpmemblk.h>

#include <errno.h>

#include "btt/btt.h"
#include "edge.h"
#include "errormsg.h"
#include "pool/create.h"
#include "pool/foreign.h"
#include "pool/open.h"
#include "pool/pool.h"
#include "pool/watched.h"

API_EXPORT PMEMblkpool *pmemblk_create(const char *path, size_t bsize, size_t poolsize,
				       mode_t mode)
{
	struct edge edge = edge_enter(true);
	struct pmemblk *pool;
	int ret = pool_create(path, bsize, poolsize, mode, &pool);

	return edge_leave(edge, ret) < 0 ? NULL : pool;
}

API_EXPORT PMEMblkpool *pmemblk_open(const char *path, size_t bsize)
{
	struct edge edge = edge_enter(true);
	struct pmemblk *pool;
	int ret = pool_open(path, bsize, &pool);

	return edge_leave(edge, ret) < 0 ? NULL : pool;
}

API_EXPORT void pmemblk_close(PMEMblkpool *pbp)
{
	struct edge edge = edge_enter(true);

	if (pbp)
		pool_close(pbp);
	edge_leave(edge, 0);
}

API_EXPORT int pmemblk_check(const char *path, size_t bsize)
{
	struct edge edge = edge_enter(true);
	int ret = pool_check(path, bsize);

	return edge_leave(edge, ret);
}

API_EXPORT size_t pmemblk_bsize(PMEMblkpool *pbp)
{
	return pbp->bsize;
}

API_EXPORT size_t pmemblk_nblock(PMEMblkpool *pbp)
{
	return (size_t)pbp->nblock;
}

static struct btt *table(PMEMblkpool *pbp)
{
	return atomic_load_explicit(&pbp->btt, memory_order_acquire);
}

/* 0, or the error that forbids the call. A negative number becomes a very large one. */
static inline int check_number(const PMEMblkpool *pbp, long long blockno)
{
	if (likely((unsigned long long)blockno < pbp->nblock))
		return 0;
	return errormsg_fail(EINVAL, "%s has no block %lld, only 0 to %llu", pbp->path,
			     blockno, ULL(pbp->nblock - 1));
}

static inline int check_modify(PMEMblkpool *pbp, long long blockno)
{
	int ret;

	if (unlikely(pbp->is_read_only))
		return errormsg_fail(
		    EROFS,
		    "%s is read-only: it has features that are not known "
		    "here",
		    pbp->path);
	ret = check_number(pbp, blockno);
	if (unlikely(ret == 0 && !pool_owner_is_self(&pbp->owner)))
		ret = pool_take_over(pbp);
	return ret;
}

/*
 * A write reaches a cancellation point when it syncs, when it lays the pool out or takes it over,
 * and when it has to wait for a media error of another thread.
 */
static inline struct edge enter_modify(PMEMblkpool *pbp)
{
	return edge_enter(pbp->map.medium == STORAGE_FILE || pbp->is_watched ||
			  !btt_is_laid_out(table(pbp)) ||
			  !pool_owner_is_self(&pbp->owner));
}

static int read_own(PMEMblkpool *pbp, void *buf, uint64_t blockno)
{
	return btt_read(table(pbp), buf, blockno);
}

/* For a pool that survives media errors, that another process owns, or that is being written. */
static NOINLINE int read_with_care(PMEMblkpool *pbp, void *buf, uint64_t blockno)
{
	bool is_own = pool_owner_is_self(&pbp->owner);
	struct edge edge = edge_enter(pbp->is_watched || !is_own);
	int ret;

	if (!is_own)
		pool_arrive(pbp);
	if (pbp->is_watched)
		ret = pool_read_watched(pbp, is_own ? read_own : pool_read_foreign, buf,
					blockno);
	else if (is_own)
		ret = read_own(pbp, buf, blockno);
	else
		ret = pool_read_foreign(pbp, buf, blockno);
	return edge_leave(edge, ret);
}

API_EXPORT int pmemblk_read(PMEMblkpool *pbp, void *buf, long long blockno)
{
	if (likely(!pbp->is_watched) && likely(pool_owner_is_self(&pbp->owner)) &&
	    likely(btt_read_at_once(table(pbp), buf, (uint64_t)blockno)))
		return 0;
	return read_with_care(pbp, buf, (uint64_t)blockno);
}

API_EXPORT int pmemblk_write(PMEMblkpool *pbp, const void *buf, long long blockno)
{
	struct edge edge = enter_modify(pbp);
	int ret = check_modify(pbp, blockno);

	if (unlikely(ret < 0))
		return edge_leave(edge, ret);
	if (unlikely(pbp->is_watched))
		ret = pool_modify_watched(pbp, POOL_WRITE, buf, (uint64_t)blockno);
	else
		ret = btt_write(table(pbp), buf, (uint64_t)blockno);
	return edge_leave(edge, ret);
}

API_EXPORT int pmemblk_set_zero(PMEMblkpool *pbp, long long blockno)
{
	struct edge edge = enter_modify(pbp);
	int ret = check_modify(pbp, blockno);

	if (unlikely(ret < 0))
		return edge_leave(edge, ret);
	if (unlikely(pbp->is_watched))
		ret = pool_modify_watched(pbp, POOL_SET_ZERO, NULL, (uint64_t)blockno);
	else
		ret = btt_set_zero(table(pbp), (uint64_t)blockno);
	return edge_leave(edge, ret);
}

API_EXPORT int pmemblk_set_error(PMEMblkpool *pbp, long long blockno)
{
	struct edge edge = enter_modify(pbp);
	int ret = check_modify(pbp, blockno);

	if (unlikely(ret < 0))
		return edge_leave(edge, ret);
	if (unlikely(pbp->is_watched))
		ret = pool_modify_watched(pbp, POOL_SET_ERROR, NULL, (uint64_t)blockno);
	else
		ret = btt_set_error(table(pbp), (uint64_t)blockno);
	return edge_leave(edge, ret);
}
