/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The public functions for pools and blocks. They check the arguments and set errno, see edge.h.
 */
#include <libpmemblk.h>

#include <errno.h>
#include <stddef.h>

#include "base/ctl_config.h"
#include "btt/batch.h"
#include "btt/btt.h"
#include "btt/fast.h"
#include "btt/read.h"
#include "btt/read_runs.h"
#include "btt/zero_range.h"
#include "edge.h"
#include "errormsg.h"
#include "pool/create.h"
#include "pool/foreign.h"
#include "pool/open.h"
#include "pool/pool.h"
#include "pool/watched.h"

static int read_narrow(PMEMblkpool *pbp, void *buf, uint64_t blockno);
static int read_wide_512(PMEMblkpool *pbp, void *buf, uint64_t blockno);
static int read_wide(PMEMblkpool *pbp, void *buf, uint64_t blockno);

/* The end of a function that returns a pool, or -errno. */
static PMEMblkpool *leave_with(struct edge edge, int ret, struct pmemblk *pool)
{
	static int (*const reads[])(struct pmemblk * pool, void *buf,
				    uint64_t blockno) = {
	    [BTT_NARROW] = read_narrow,
	    [BTT_WIDE_512] = read_wide_512,
	    [BTT_WIDE] = read_wide,
	};

	if (edge_leave(edge, ret) < 0)
		return NULL;
	pool->read =
	    reads[ctl_config_permits_avx512() ? btt_fast_width(pool->bsize) : BTT_NARROW];
	return pool;
}

API_EXPORT PMEMblkpool *pmemblk_create(const char *path, size_t bsize, size_t poolsize,
				       mode_t mode)
{
	struct edge edge = edge_enter(true);
	struct pmemblk *pool;
	int ret = pool_create(path, bsize, poolsize, mode, &pool);

	return leave_with(edge, ret, pool);
}

API_EXPORT PMEMblkpool *pmemblk_open(const char *path, size_t bsize)
{
	struct edge edge = edge_enter(true);
	struct pmemblk *pool;
	int ret = pool_open(path, bsize, &pool);

	return leave_with(edge, ret, pool);
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

static int fail_read_only(const PMEMblkpool *pbp)
{
	return errormsg_fail(
	    EROFS, "%s is read-only: it has features that are not known here", pbp->path);
}

static inline int check_modify(PMEMblkpool *pbp, long long blockno)
{
	int ret;

	if (unlikely(pbp->is_read_only))
		return fail_read_only(pbp);
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

/* For a pool that survives media errors, or that another process owns. */
static int read_block(PMEMblkpool *pbp, void *buf, uint64_t blockno, bool is_own)
{
	if (pbp->is_watched)
		return pool_read_watched(pbp, is_own ? read_own : pool_read_foreign, buf,
					 blockno);
	return is_own ? read_own(pbp, buf, blockno)
		      : pool_read_foreign(pbp, buf, blockno);
}

/* The same, or for a pool that is being written. */
static NOINLINE int read_with_care(PMEMblkpool *pbp, void *buf, uint64_t blockno)
{
	bool is_own = pool_owner_is_self(&pbp->owner);
	struct edge edge = edge_enter(pbp->is_watched || !is_own);

	if (!is_own)
		pool_arrive(pbp);
	return edge_leave(edge, read_block(pbp, buf, blockno, is_own));
}

static int read_narrow(PMEMblkpool *pbp, void *buf, uint64_t blockno)
{
	if (likely(btt_fast_read(&pbp->owner.local->fast, buf, blockno)))
		return 0;
	return read_with_care(pbp, buf, blockno);
}

static BTT_FAST_WIDE int read_wide_512(PMEMblkpool *pbp, void *buf, uint64_t blockno)
{
	if (likely(
		btt_fast_read_wide(&pbp->owner.local->fast, buf, blockno, BTT_WIDE_512)))
		return 0;
	return read_with_care(pbp, buf, blockno);
}

static BTT_FAST_WIDE int read_wide(PMEMblkpool *pbp, void *buf, uint64_t blockno)
{
	if (likely(btt_fast_read_wide(&pbp->owner.local->fast, buf, blockno, BTT_WIDE)))
		return 0;
	return read_with_care(pbp, buf, blockno);
}

API_EXPORT int pmemblk_read(PMEMblkpool *pbp, void *buf, long long blockno)
{
	return pbp->read(pbp, buf, (uint64_t)blockno);
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

/* --- many blocks at once ------------------------------------------------------------------- */

_Static_assert(sizeof(struct pmemblk_iovec) == sizeof(struct btt_run) &&
		   offsetof(struct pmemblk_iovec, buf) == offsetof(struct btt_run, buf) &&
		   offsetof(struct pmemblk_iovec, blockno) ==
		       offsetof(struct btt_run, lba) &&
		   offsetof(struct pmemblk_iovec, nblock) ==
		       offsetof(struct btt_run, nblock),
	       "the table takes the public vectors as they are");

static const struct btt_run *runs_of(const struct pmemblk_iovec *iov)
{
	return (const struct btt_run *)iov;
}

/* 0, or -EINVAL and *failed if blocks of the range do not exist. */
static int check_range(const PMEMblkpool *pbp, long long blockno, size_t nblock,
		       long long *failed)
{
	unsigned long long first = (unsigned long long)blockno;

	if (nblock == 0 || (first < pbp->nblock && nblock <= pbp->nblock - first))
		return 0;
	*failed = first < pbp->nblock ? (long long)pbp->nblock : blockno;
	return check_number(pbp, *failed);
}

/* Everything about a vector that can be known beforehand. */
static int check_vector(const PMEMblkpool *pbp, const struct pmemblk_iovec *iov, size_t n,
			long long *failed)
{
	if (n && !iov)
		return errormsg_fail(EFAULT, "%s: the vector of blocks is NULL",
				     pbp->path);
	if (n > PTRDIFF_MAX / sizeof(*iov))
		return errormsg_fail(EINVAL, "%s: no vector has %zu elements", pbp->path,
				     n);
	for (size_t i = 0; i < n; i++) {
		int ret = check_range(pbp, iov[i].blockno, iov[i].nblock, failed);

		if (ret)
			return ret;
		if (iov[i].nblock && !iov[i].buf) {
			*failed = iov[i].blockno;
			return errormsg_fail(EFAULT,
					     "%s: the buffer of block %lld is NULL",
					     pbp->path, *failed);
		}
	}
	return 0;
}

static int check_owner(PMEMblkpool *pbp)
{
	return pool_owner_is_self(&pbp->owner) ? 0 : pool_take_over(pbp);
}

/* As edge_leave(); tells the caller who is to blame. */
static int leave_batch(struct edge edge, int ret, long long culprit, long long *failed)
{
	if (failed)
		*failed = ret < 0 ? culprit : BTT_NOBODY;
	return edge_leave(edge, ret);
}

API_EXPORT int pmemblk_writev(PMEMblkpool *pbp, const struct pmemblk_iovec *iov, size_t n,
			      long long *failed)
{
	struct edge edge = enter_modify(pbp);
	long long culprit = BTT_NOBODY;
	int ret = 0;

	if (n == 0)
		return leave_batch(edge, 0, BTT_NOBODY, failed);
	if (unlikely(pbp->is_read_only))
		ret = fail_read_only(pbp);
	if (ret == 0)
		ret = check_vector(pbp, iov, n, &culprit);
	if (ret == 0)
		ret = check_owner(pbp);
	if (unlikely(ret < 0))
		return leave_batch(edge, ret, culprit, failed);
	if (unlikely(pbp->is_watched))
		ret = pool_write_runs_watched(pbp, runs_of(iov), n, &culprit);
	else
		ret = btt_write_runs(table(pbp), runs_of(iov), n, &culprit);
	return leave_batch(edge, ret, culprit, failed);
}

API_EXPORT int pmemblk_set_zero_range(PMEMblkpool *pbp, long long blockno, size_t nblock,
				      long long *failed)
{
	struct edge edge = enter_modify(pbp);
	long long culprit = BTT_NOBODY;
	int ret = 0;

	if (nblock == 0)
		return leave_batch(edge, 0, BTT_NOBODY, failed);
	if (unlikely(pbp->is_read_only))
		ret = fail_read_only(pbp);
	if (ret == 0)
		ret = check_range(pbp, blockno, nblock, &culprit);
	if (ret == 0)
		ret = check_owner(pbp);
	if (unlikely(ret < 0))
		return leave_batch(edge, ret, culprit, failed);
	if (unlikely(pbp->is_watched))
		ret = pool_zero_range_watched(pbp, (uint64_t)blockno, nblock, &culprit);
	else
		ret = btt_zero_range(table(pbp), (uint64_t)blockno, nblock, &culprit);
	return leave_batch(edge, ret, culprit, failed);
}

/* Block by block, where they cannot be prefetched. */
static int read_each(PMEMblkpool *pbp, const struct pmemblk_iovec *iov, size_t n,
		     bool is_own, long long *failed)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < iov[i].nblock; k++) {
			char *buf = (char *)iov[i].buf + k * pbp->bsize;
			long long blockno = iov[i].blockno + (long long)k;
			int ret = read_block(pbp, buf, (uint64_t)blockno, is_own);

			if (ret < 0) {
				*failed = blockno;
				return ret;
			}
		}
	return 0;
}

API_EXPORT int pmemblk_readv(PMEMblkpool *pbp, const struct pmemblk_iovec *iov, size_t n,
			     long long *failed)
{
	bool is_own = pool_owner_is_self(&pbp->owner);
	struct edge edge = edge_enter(pbp->is_watched || !is_own);
	long long culprit = BTT_NOBODY;
	int ret = check_vector(pbp, iov, n, &culprit);

	if (ret < 0)
		return leave_batch(edge, ret, culprit, failed);
	if (!is_own)
		pool_arrive(pbp);
	if (pbp->is_watched || !is_own)
		ret = read_each(pbp, iov, n, is_own, &culprit);
	else
		ret = btt_read_runs(table(pbp), runs_of(iov), n, &culprit);
	return leave_batch(edge, ret, culprit, failed);
}
