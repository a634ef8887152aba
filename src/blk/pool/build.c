/* SPDX-License-Identifier: BSD-3-Clause */
#include "pool/build.h"

#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "blame.h"
#include "errormsg.h"
#include "pool/shutdown_devices.h"
#include "poolset/io.h"

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
	return poolset_io_next_data(s->holes, off, end);
}

void pool_prepare(struct pmemblk *pool, struct poolset *set)
{
	storage_pool_init(&pool->storage, pool->map.base, pool->map.size,
			  pool->map.medium);
	if (pool->is_watched)
		storage_pool_watch(&pool->storage, &pool->watch);
	storage_pool_init(&pool->view, pool->map.base, pool->map.size, STORAGE_VIEW);
	sync_group_init(&pool->group);
	if (pool->map.medium == STORAGE_FILE)
		pool->storage.group = &pool->group;
	pool->storage.next_data = next_data;
	pool->storage.holes = set;
	pool->params.name = pool->path;
	pool->params.data_off = POOL_DATA_OFF;
	pool->params.data_size = pool->map.size - POOL_DATA_OFF;
	pool->params.bsize = pool->bsize;
	pool->params.nlane = BTT_MAX_LANES;
}

/* Called before the files are closed. */
static void forget_files(struct pmemblk *pool)
{
	pool->storage.next_data = NULL;
	pool->storage.holes = NULL;
}

int pool_attach(struct pmemblk *pool, struct poolset *set)
{
	struct btt *btt;
	size_t nversion = btt_count_versions(pool->map.size - POOL_DATA_OFF);
	int ret = pool_owner_init(&pool->owner, nversion);

	if (ret < 0)
		return blame_file(pool->path, ret);
	pool_prepare(pool, set);
	pool->params.progress = &pool->owner.shared->progress;
	pool->params.versions = pool->owner.versions;
	/* other reads have to prepare for media errors */
	pool->params.fast = pool->is_watched ? NULL : &pool->owner.local->fast;
	ret = btt_open(&pool->storage, &pool->params, &btt);
	forget_files(pool);
	/* the lower layer does not know the file of a failed sync; other messages name it */
	if (ret < 0)
		return ret == -EINVAL || ret == -ENOMEM ? ret
							: blame_file(pool->path, ret);
	if (btt_is_laid_out(btt))
		atomic_store_explicit(pool->params.progress, BTT_LAID_OUT,
				      memory_order_release);
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
		ret = shutdown_devices_add(state, part->path,
					   part->is_devdax ? st.st_rdev : st.st_dev,
					   part->is_devdax);
		if (ret < 0)
			return ret;
	}
	return 0;
}
