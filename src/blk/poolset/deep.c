/* SPDX-License-Identifier: BSD-3-Clause */
#include "poolset/deep.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "blame.h"
#include "errormsg.h"
#include "nd_region.h"
#include "base/pool_format.h"

/* For memory that is not on NVDIMMs (CXL, hmem) the kernel has no buffers to flush. */
static int init_device(struct storage_deep *deep, const struct poolset_part *part)
{
	char region[PATH_MAX];
	int number;
	struct stat st;

	if (fstat(part->fd, &st) != 0)
		return errormsg_fail_sys(errno, "cannot stat %s", part->path);
	if (nd_region_find(st.st_rdev, true, region, &number) < 0)
		return 0;
	return storage_pool_deep_map(part->path, deep);
}

int poolset_deep_init(struct poolset_deep *deep, const struct poolset *set,
		      const struct poolset_mapping *map)
{
	uint64_t off = 0;
	int ret = 0;

	if (map->medium != STORAGE_PMEM)
		return 0;
	deep->part = alloc_zeroed(set->npart * sizeof(*deep->part));
	if (!deep->part)
		return errormsg_fail(ENOMEM, "out of memory for the parts of %s",
				     set->path);
	deep->npart = set->npart;
	for (unsigned i = 0; i < set->npart && ret == 0; i++) {
		const struct poolset_part *part = &set->part[i];

		if (part->is_devdax)
			ret = init_device(&deep->part[i], part);
		else
			deep->part[i] =
			    (struct storage_deep){map->base + off, POOL_PAGE, false};
		off += poolset_part_used(set, i, part->length);
	}
	return ret < 0 ? blame_file(set->path, ret) : 0;
}

void poolset_deep_fini(struct poolset_deep *deep)
{
	for (unsigned i = 0; i < deep->npart; i++)
		storage_pool_deep_unmap(&deep->part[i]);
	alloc_free(deep->part);
	*deep = (struct poolset_deep){NULL, 0};
}

static int drain_parts(const struct poolset_deep *deep, unsigned npart)
{
	int ret = 0;

	for (unsigned i = 0; i < npart && ret == 0; i++)
		if (deep->part[i].len)
			ret = storage_pool_deep_drain(&deep->part[i]);
	return ret;
}

int poolset_deep_drain(const struct poolset_deep *deep)
{
	return drain_parts(deep, deep->npart);
}

int poolset_deep_drain_header(const struct poolset_deep *deep)
{
	return drain_parts(deep, deep->npart ? 1 : 0);
}
