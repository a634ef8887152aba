/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Creates a pool. The order of the steps leaves files as they were if the create fails:
 *
 * 1. Check everything that can be checked without a change.
 * 2. Make the files and allocate all memory.
 * 3. Store the headers. The one that makes the files a pool comes last.
 *
 * If step 3 fails, the stores are undone. The undo can fail, too, if the disk refuses it.
 */
#include "pool/create.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "poolset/badblocks.h"
#include "blame.h"
#include "base/ctl.h"
#include "base/ctl_config.h"
#include "errormsg.h"
#include "file.h"
#include "pool/build.h"
#include "pool/header.h"
#include "pool/watched.h"
#include "poolset/files.h"
#include "poolset/io.h"
#include "poolset/load.h"
#include "poolset/wait.h"

static int plan_set(const char *path, size_t poolsize, struct poolset_wait *wait,
		    struct poolset **set)
{
	int ret;

	if (poolsize == 0)
		return poolset_load(path, true, wait, set);
	if (access(path, F_OK) == 0)
		return errormsg_fail_sys(EEXIST, "cannot create %s", path);
	if (errno != ENOENT)
		return errormsg_fail_sys(errno, "cannot create %s", path);
	ret = poolset_single(path, poolsize, set);
	if (ret == 0)
		(*set)->wait = wait;
	return ret;
}

/* In parts that exist, the pages that get headers must be zero. */
static int check_empty(const struct poolset *set)
{
	for (unsigned i = 0; i < set->npart; i++) {
		struct pool_header h;
		int ret;

		if (set->part[i].fd < 0 || !poolset_part_has_header(set, i))
			continue;
		ret = poolset_io_read(set, i, 0, &h, sizeof(h));
		if (ret < 0)
			return ret;
		if (!pool_header_is_zero(&h))
			return errormsg_fail(
			    EEXIST, "%s is in use: its first %zu bytes are not zero",
			    set->part[i].path, sizeof(h));
	}
	return 0;
}

/* Opens the files that exist, and checks everything that can be checked without a new file. */
static int plan_files(struct poolset *set, uint32_t bsize, bool *all_new)
{
	uint64_t image;
	uint64_t nblock;
	int ret = poolset_files_open_existing(set, all_new);

	if (ret < 0)
		return ret;
	poolset_wait_over(set->wait);
	image = poolset_files_image_size(set);
	if (image < POOL_MIN_SIZE)
		return errormsg_fail(EINVAL,
				     "%s would have %llu usable bytes, a pool needs at "
				     "least %llu",
				     set->path, ULL(image), ULL(POOL_MIN_SIZE));
	ret = btt_count_blocks(set->path, image - POOL_DATA_OFF, bsize, &nblock);
	if (ret == 0)
		ret = badblocks_check_media(set);
	return ret < 0 ? ret : check_empty(set);
}

/* A hole is filled by an allocation, a prefault, or a store. */
static int make_files(struct poolset *set)
{
	int ret = poolset_files_note_holes(set);

	if (ret == 0)
		ret = poolset_files_make(set);
	if (ret == 0 && ctl_value(CTL_FALLOCATE_AT_CREATE))
		ret = poolset_files_allocate_existing(set);
	return ret;
}

/* --- headers ------------------------------------------------------------------------- */

static int fresh_uuid(const struct poolset *set, struct uuid *uuid)
{
	int ret = uuid_generate(uuid);

	return ret < 0 ? blame_file(set->path, ret) : 0;
}

static int make_headers(const struct poolset *set, const struct uuid *poolset,
			struct pool_header *h, unsigned nheader)
{
	uint32_t incompat = POOL_INCOMPAT_CKSUM_2K;
	struct uuid *part = alloc_zeroed(nheader * sizeof(*part));
	int ret = 0;

	if (!part)
		return errormsg_fail(ENOMEM, "out of memory for the headers of %s",
				     set->path);
	if (set->singlehdr)
		incompat |= POOL_INCOMPAT_SINGLEHDR;
	if (ctl_value(CTL_SDS_AT_CREATE))
		incompat |= POOL_INCOMPAT_SDS;
	for (unsigned i = 0; i < nheader && ret == 0; i++)
		ret = fresh_uuid(set, &part[i]);
	for (unsigned i = 0; i < nheader && ret == 0; i++) {
		struct stat st;

		if (fstat(set->part[i].fd, &st) != 0)
			ret =
			    errormsg_fail_sys(errno, "cannot stat %s", set->part[i].path);
		else
			pool_header_make(&h[i], POOL_COMPAT_CHECK_BAD_BLOCKS, incompat,
					 poolset, part, nheader, i,
					 (uint64_t)st.st_ctim.tv_sec);
	}
	alloc_free(part);
	return ret;
}

/* Stores the headers of later parts first; that of part 0, which makes them a pool, last. */
static int store_headers(struct poolset *set, struct pmemblk *pool, struct pool_header *h,
			 unsigned nheader)
{
	const struct pool_descriptor d = {
	    .bsize = cpu_to_le32(pool->bsize),
	    .is_zeroed = cpu_to_le32(pool->params.zeroed),
	    .size = cpu_to_le64(pool->map.size),
	    .data = cpu_to_le64(POOL_DATA_OFF),
	    .data_size = cpu_to_le64(pool->params.data_size),
	};
	struct storage *s = &pool->storage;
	struct storage_step step = STORAGE_STEP_INIT;
	int ret = 0;

	for (unsigned i = 1; i < nheader && ret == 0; i++)
		ret = poolset_io_write(set, i, 0, &h[i], sizeof(h[i]));
	if (ret < 0)
		return ret;
	set->part[0].is_stored = true;
	storage_write(s, &step, POOL_DESCRIPTOR_OFF, &d, sizeof(d));
	ret = storage_fence(s, &step);
	if (ret == 0) {
		if (pool->keeps_sds)
			shutdown_state_make(&h[0].sds, &pool->modules, true);
		storage_write(s, &step, 0, &h[0], sizeof(h[0]));
		ret = storage_fence(s, &step);
	}
	if (ret < 0)
		return blame_file(set->path, ret);
	return pool_deepen_sds(pool);
}

/*
 * Clears part 0. In a file of the user the page of the header becomes zero again, and the old
 * bytes behind it are restored. A device gets zeros at its start, because it cannot be removed:
 * nothing there must look like a part of a pool.
 */
static int clear_first(const struct poolset *set, struct pmemblk *pool,
		       const struct pool_descriptor *before)
{
	struct storage *s = &pool->storage;
	struct storage_step step = STORAGE_STEP_INIT;
	int ret;

	storage_zero(s, &step, 0, POOL_PAGE);
	ret = storage_fence(s, &step);
	if (set->part[0].is_devdax)
		storage_zero(s, &step, POOL_PAGE, POOL_DEVICE_START - POOL_PAGE);
	else
		storage_write(s, &step, POOL_DESCRIPTOR_OFF, before, sizeof(*before));
	return ret | storage_fence(s, &step);
}

/*
 * Best effort: a store may fail again. The message is kept. Parts to which nothing was stored are
 * not changed.
 */
static void take_back(struct poolset *set, struct pmemblk *pool, unsigned nheader,
		      const struct pool_descriptor *before)
{
	char message[1024];
	int ret = 0;

	snprintf(message, sizeof(message), "%s", errormsg_get());
	if (set->part[0].is_stored) {
		pool_enter(pool);
		ret = clear_first(set, pool, before);
		ret = pool_leave(pool, ret);
	}
	for (unsigned i = 1; i < nheader; i++)
		if (set->part[i].is_stored && !set->part[i].is_created)
			ret |= poolset_io_clear(set, i);
	ret |= poolset_deep_drain(&pool->deep);
	if (ret < 0)
		errormsg_set("%s", message);
}

/* --- all together -------------------------------------------------------------------- */

/* Maps the files and opens the table. Stores nothing yet. */
static int map_pool(struct poolset *set, struct pmemblk *pool)
{
	int ret = poolset_map(set, MAPPING_SHARED, &pool->map);

	if (ret == 0)
		ret = pool_read_modules(set, &pool->modules);
	if (ret == 0)
		ret = fresh_uuid(set, &pool->params.parent);
	if (ret == 0)
		ret = pool_watch(pool);
	if (ret < 0)
		return ret;
	pool_enter(pool);
	if (ctl_value(CTL_PREFAULT_AT_CREATE))
		poolset_map_prefault(&pool->map);
	pool->params.is_created = true;
	ret = pool_attach(pool, set);
	pool->params.is_created = false;
	return pool_leave(pool, ret);
}

static int build(struct poolset *set, struct pmemblk *pool, mode_t mode)
{
	unsigned nheader = set->singlehdr ? 1 : set->npart;
	struct pool_descriptor before;
	struct pool_header *h;
	int ret = map_pool(set, pool);

	if (ret < 0)
		return ret;
	h = alloc_zeroed(nheader * sizeof(*h));
	if (!h)
		return errormsg_fail(ENOMEM, "out of memory for the headers of %s",
				     set->path);
	ret = make_headers(set, &pool->params.parent, h, nheader);
	if (ret == 0) {
		pool->keeps_sds = pool_header_keeps_sds(h);
		if (pool->keeps_sds)
			ret = poolset_deep_init(&pool->deep, set, &pool->map);
	}
	if (ret == 0) {
		pool_enter(pool);
		memcpy(&before, storage_at(&pool->storage, POOL_DESCRIPTOR_OFF),
		       sizeof(before));
		ret = store_headers(set, pool, h, nheader);
		ret = pool_leave(pool, ret);
		if (ret == 0)
			ret = poolset_files_chmod(set, mode);
		if (ret < 0)
			take_back(set, pool, nheader, &before);
	}
	alloc_free(h);
	return ret;
}

static int create(struct poolset *set, const char *path, uint32_t bsize, mode_t mode,
		  struct pmemblk **out)
{
	struct pmemblk *pool;
	bool all_new;
	int ret = plan_files(set, bsize, &all_new);

	if (ret < 0)
		return ret;
	pool = pool_alloc(path);
	if (!pool)
		return errormsg_fail(ENOMEM, "out of memory for the pool %s", path);
	pool->bsize = bsize;
	pool->params.zeroed = all_new;
	pool->params.user_file = !all_new;
	ret = make_files(set);
	if (ret == 0)
		ret = build(set, pool, mode);
	if (ret < 0) {
		poolset_files_remove_created(set);
		poolset_map_forget(set, &pool->map);
		pool_destroy(pool);
		poolset_files_restore_holes(set);
		return ret;
	}
	*out = pool;
	return 0;
}

static int attempt(const char *path, uint32_t bsize, size_t poolsize, mode_t mode,
		   struct poolset_wait *wait, struct pmemblk **out)
{
	struct poolset *set;
	int ret = plan_set(path, poolsize, wait, &set);

	if (ret < 0)
		return ret;
	ret = create(set, path, bsize, mode, out);
	if (ret == 0)
		poolset_files_close(set);
	else
		poolset_files_unlock_and_close(set);
	poolset_free(set);
	return ret;
}

int pool_create(const char *path, size_t bsize, size_t poolsize, mode_t mode,
		struct pmemblk **out)
{
	struct poolset_wait wait;
	int ret = ctl_config_check();

	if (ret < 0)
		return ret;
	/* Scripts match the whole line. */
	if (bsize == 0 || bsize > UINT32_MAX)
		return errormsg_fail(EINVAL, "Invalid block size %zu", bsize);
	if (!path)
		return errormsg_fail(EFAULT, "no path given");
	poolset_wait_begin(&wait);
	do
		ret = attempt(path, (uint32_t)bsize, poolsize, mode, &wait, out);
	while (poolset_wait_again(&wait, path, &ret));
	return ret;
}
