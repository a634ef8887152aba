/* SPDX-License-Identifier: BSD-3-Clause */
#include "poolset/map.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "blame.h"
#include "errormsg.h"
#include "poolset/files.h"
#include "poolset/fork.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static size_t unit_of(const struct poolset_part *part)
{
	return part->is_devdax ? (size_t)part->align : mapping_unit(part->fd);
}

/*
 * Checks that a part can be mapped at its place. Parts follow each other without a gap and
 * without their own headers, so a part may begin at any multiple of 4096. Pages are larger on
 * some machines, and much larger on hugetlbfs. There a file must also end with a whole page,
 * because the rest of a page cannot be accessed.
 */
static int check_unit(const struct poolset *set, const struct poolset_part *part,
		      uint64_t off, uint64_t skip, uint64_t len)
{
	size_t unit = unit_of(part);
	bool is_huge = unit > (size_t)sysconf(_SC_PAGESIZE);

	if (is_huge && !part->is_devdax && (skip + len) % unit != 0)
		return errormsg_fail(
		    EINVAL,
		    "%s: the length %llu is no multiple of %zu, the huge "
		    "page of its file system",
		    part->path, ULL(part->length), unit);
	if (off % unit != 0 || skip % unit != 0)
		return errormsg_fail(EINVAL,
				     "%s: the part would lie at offset %llu of the pool "
				     "%s, from offset %llu of its file; it can be mapped "
				     "only at multiples of %zu, its page size",
				     part->path, ULL(off), set->path, ULL(skip), unit);
	return 0;
}

static int place_parts(const struct poolset *set, enum mapping_kind kind,
		       struct poolset_mapping *map, bool *all_sync)
{
	uint64_t off = 0;

	for (unsigned i = 0; i < set->npart; i++) {
		const struct poolset_part *part = &set->part[i];
		uint64_t skip = poolset_part_skip(set, i);
		uint64_t len = poolset_part_used(set, i, part->length);
		bool is_sync;
		int ret = check_unit(set, part, off, skip, len);

		if (ret < 0)
			return ret;
		if (kind == MAPPING_PRIVATE && part->is_devdax)
			return errormsg_fail(EOPNOTSUPP,
					     "device DAX %s cannot be mapped privately",
					     part->path);
		ret = mapping_place(map->base + off, (size_t)len, part->fd, skip, kind,
				    &is_sync, NULL);
		if (ret < 0)
			return errormsg_fail_sys(-ret, "cannot map %s", part->path);
		if (!is_sync && !part->is_devdax)
			*all_sync = false;
		off += len;
	}
	return 0;
}

/*
 * If one part has no MAP_SYNC, or if the CPU cannot flush, the pool counts as an ordinary file.
 * msync(2) works on the other parts, too.
 */
static enum storage_medium choose_medium(const struct poolset *set,
					 const struct poolset_mapping *map,
					 enum mapping_kind kind, bool all_sync)
{
	if (kind == MAPPING_PRIVATE)
		return STORAGE_PRIVATE;
	if (all_sync && storage_pool_can_flush(set->part[0].path))
		return STORAGE_PMEM;
	if (storage_pool_is_pmem(map->base, map->size))
		return STORAGE_PMEM;
	return STORAGE_FILE;
}

static int reserve_and_place(struct poolset *set, enum mapping_kind kind,
			     struct poolset_mapping *map, bool *all_sync)
{
	void *base;
	int ret = mapping_reserve((size_t)map->size, map->unit, &base);

	if (ret < 0)
		return blame_file(set->path, ret);
	map->base = base;
	poolset_fork_note_mapping(set, base, (size_t)map->size, map->unit);
	ret = place_parts(set, kind, map, all_sync);
	if (ret < 0) {
		poolset_map_forget(set, map);
		poolset_unmap(map);
	}
	return ret;
}

int poolset_map(struct poolset *set, enum mapping_kind kind, struct poolset_mapping *map)
{
	bool all_sync = true;
	int ret;

	map->size = poolset_files_image_size(set);
	map->unit = 0;
	for (unsigned i = 0; i < set->npart; i++) {
		size_t unit = unit_of(&set->part[i]);

		if (unit > map->unit)
			map->unit = unit;
	}
	ret = reserve_and_place(set, kind, map, &all_sync);
	if (ret < 0)
		return ret;
	map->medium = choose_medium(set, map, kind, all_sync);
	return 0;
}

void poolset_map_prefault(const struct poolset_mapping *map)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (madvise(map->base, (size_t)map->size, MADV_POPULATE_WRITE) == 0)
		return;
	/*
	 * For older kernels. No other thread knows the pool yet, so it is safe to store the bytes
	 * that were loaded.
	 */
	for (uint64_t off = 0; off < map->size; off += page) {
		volatile unsigned char *p = map->base + off;

		*p = *p;
	}
}

void poolset_map_forget(struct poolset *set, const struct poolset_mapping *map)
{
	if (map->base)
		madvise(map->base, (size_t)map->size, MADV_DONTFORK);
	poolset_fork_note_mapping(set, NULL, 0, 0);
}

void poolset_unmap(struct poolset_mapping *map)
{
	if (map->base)
		mapping_release(map->base, (size_t)map->size, map->unit);
	map->base = NULL;
}
