/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The public functions that deal with pools and blocks: arguments are checked here, and
 * this is where errno is set. On their way to success, creating, opening, checking, closing and
 * taking over try things that may fail, MAP_SYNC for one; these put errno back.
 */
#include <libpmemblk.h>

#include <errno.h>

#include "btt/btt.h"
#include "errormsg.h"
#include "pool/create.h"
#include "pool/foreign.h"
#include "pool/open.h"
#include "pool/pool.h"
#include "pool/watched.h"

static int fail(int ret)
{
	errno = -ret;
	return -1;
}

/* Of what may have touched errno on its way to success; before: what it was. */
static int end(int ret, int before)
{
	errno = ret < 0 ? -ret : before;
	return ret < 0 ? -1 : ret;
}

API_EXPORT PMEMblkpool *pmemblk_create(const char *path, size_t bsize, size_t poolsize,
				       mode_t mode)
{
	struct pmemblk *pool;
	int before = errno;
	int ret = pool_create(path, bsize, poolsize, mode, &pool);

	return end(ret, before) < 0 ? NULL : pool;
}

API_EXPORT PMEMblkpool *pmemblk_open(const char *path, size_t bsize)
{
	struct pmemblk *pool;
	int before = errno;
	int ret = pool_open(path, bsize, &pool);

	return end(ret, before) < 0 ? NULL : pool;
}

API_EXPORT void pmemblk_close(PMEMblkpool *pbp)
{
	int before = errno;

	if (pbp)
		pool_close(pbp);
	errno = before;
}

API_EXPORT int pmemblk_check(const char *path, size_t bsize)
{
	int before = errno;
	int ret = pool_check(path, bsize);

	return end(ret, before);
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

/* 0, or what forbids the call. A negative number makes a very large one. */
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
	if (unlikely(ret == 0 && !pool_owner_is_self(&pbp->owner))) {
		int before = errno;

		ret = pool_take_over(pbp);
		errno = before;
	}
	return ret;
}

static inline int finish(int ret)
{
	return likely(ret == 0) ? 0 : fail(ret);
}

static int read_own(PMEMblkpool *pbp, void *buf, uint64_t blockno)
{
	return btt_read(table(pbp), buf, blockno);
}

/* Where the pool survives media errors, or belongs to another process. */
static __attribute__((noinline)) int read_with_care(PMEMblkpool *pbp, void *buf,
						    uint64_t blockno)
{
	bool is_own = pool_owner_is_self(&pbp->owner);
	int before = errno;
	int ret;

	if (!is_own)
		pool_arrive(pbp);
	if (pbp->is_watched)
		ret = pool_read_watched(pbp, is_own ? read_own : pool_read_foreign, buf,
					blockno);
	else
		ret = pool_read_foreign(pbp, buf, blockno);
	return end(ret, before);
}

API_EXPORT int pmemblk_read(PMEMblkpool *pbp, void *buf, long long blockno)
{
	if (unlikely(pbp->is_watched) || unlikely(!pool_owner_is_self(&pbp->owner)))
		return read_with_care(pbp, buf, (uint64_t)blockno);
	return finish(btt_read(table(pbp), buf, (uint64_t)blockno));
}

API_EXPORT int pmemblk_write(PMEMblkpool *pbp, const void *buf, long long blockno)
{
	int ret = check_modify(pbp, blockno);

	if (unlikely(ret < 0))
		return fail(ret);
	if (unlikely(pbp->is_watched))
		return finish(
		    pool_modify_watched(pbp, POOL_WRITE, buf, (uint64_t)blockno));
	return finish(btt_write(table(pbp), buf, (uint64_t)blockno));
}

API_EXPORT int pmemblk_set_zero(PMEMblkpool *pbp, long long blockno)
{
	int ret = check_modify(pbp, blockno);

	if (unlikely(ret < 0))
		return fail(ret);
	if (unlikely(pbp->is_watched))
		return finish(
		    pool_modify_watched(pbp, POOL_SET_ZERO, NULL, (uint64_t)blockno));
	return finish(btt_set_zero(table(pbp), (uint64_t)blockno));
}

API_EXPORT int pmemblk_set_error(PMEMblkpool *pbp, long long blockno)
{
	int ret = check_modify(pbp, blockno);

	if (unlikely(ret < 0))
		return fail(ret);
	if (unlikely(pbp->is_watched))
		return finish(
		    pool_modify_watched(pbp, POOL_SET_ERROR, NULL, (uint64_t)blockno));
	return finish(btt_set_error(table(pbp), (uint64_t)blockno));
}
