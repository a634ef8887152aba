/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel has a list of bad blocks for each device, in units of 512 bytes from its start.
 * FIEMAP tells where a file lies on its device. A device DAX is a part of a region, and the
 * region has the list.
 */
#include "poolset/badblocks.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/alloc.h"
#include "errormsg.h"
#include "kernel.h"
#include "nd_region.h"
#include "sysfs.h"

#define SECTOR 512u

/* The number of extents requested at a time. */
#define EXTENTS 64u

/* The kernel shows at most a page of the list. */
#define LIST_SIZE 4096

struct bad_list {
	/* where the part's device starts on the device of the list, bytes */
	uint64_t origin;
	char text[LIST_SIZE + 1]; /* lines "sector count" */
};

/* The bad blocks found in one part. */
struct hits {
	uint64_t first; /* offset in the file */
	uint64_t bytes;
};

int badblocks_check_recovery(const struct poolset *set)
{
	for (unsigned i = 0; i < set->npart; i++) {
		char path[PATH_MAX];
		int n =
		    snprintf(path, sizeof(path), "%s_r0_p%u_badblocks.txt", set->path, i);

		/* If the name would be too long, there is no such file. */
		if (n > 0 && (size_t)n < sizeof(path) && access(path, F_OK) == 0)
			return errormsg_fail(
			    EINVAL,
			    "a repair of bad blocks in %s was interrupted: %s exists",
			    set->path, path);
	}
	return 0;
}

/* The start of a partition on its disk, in sectors. */
static uint64_t partition_start(dev_t dev)
{
	char path[PATH_MAX];
	uint64_t value;

	if (sysfs_path(path, "dev/block/%u:%u/start", major(dev), minor(dev)) != 0 ||
	    sysfs_read_number(path, &value) != 0)
		return 0;
	return value;
}

static bool read_list(const char *path, struct bad_list *list)
{
	ssize_t n = sysfs_read(path, list->text, LIST_SIZE);

	list->text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* Loads the list of a disk; for a partition, that of its disk. */
static bool load_block_list(dev_t dev, struct bad_list *list)
{
	char path[PATH_MAX];

	list->origin = 0;
	if (sysfs_path(path, "dev/block/%u:%u/badblocks", major(dev), minor(dev)) == 0 &&
	    access(path, F_OK) == 0)
		return read_list(path, list);
	list->origin = SECTOR * partition_start(dev);
	return sysfs_path(path, "dev/block/%u:%u/../badblocks", major(dev), minor(dev)) ==
		   0 &&
	       read_list(path, list);
}

/* Loads the list of the region, and finds the place of the device in the region. */
static bool load_region_list(dev_t dev, const char *region, struct bad_list *list)
{
	char path[PATH_MAX];
	uint64_t device_at;
	uint64_t region_at;
	int n;

	if (sysfs_path(path, "dev/char/%u:%u/resource", major(dev), minor(dev)) != 0 ||
	    sysfs_read_number(path, &device_at) != 0)
		return false;
	n = snprintf(path, sizeof(path), "%s/resource", region);
	if (n < 0 || (size_t)n >= sizeof(path) ||
	    sysfs_read_number(path, &region_at) != 0 || device_at < region_at)
		return false;
	list->origin = device_at - region_at;
	n = snprintf(path, sizeof(path), "%s/badblocks", region);
	return n > 0 && (size_t)n < sizeof(path) && read_list(path, list);
}

/* Adds the bad blocks in [physical, physical + len) of the device, at `logical` in the file. */
static void add_hits(const struct bad_list *list, uint64_t physical, uint64_t logical,
		     uint64_t len, struct hits *hits)
{
	uint64_t from = list->origin + physical;
	const char *line = list->text;
	unsigned long long sector;
	unsigned long long count;

	while (sscanf(line, "%llu %llu", &sector, &count) == 2) {
		uint64_t lo = sector * SECTOR;
		uint64_t hi = lo + count * SECTOR;

		if (lo < from)
			lo = from;
		if (hi > from + len)
			hi = from + len;
		if (lo < hi) {
			if (hits->bytes == 0 || logical + (lo - from) < hits->first)
				hits->first = logical + (lo - from);
			hits->bytes += hi - lo;
		}
		line += strcspn(line, "\n");
		if (*line == '\0')
			break;
		line++;
	}
}

/*
 * Uses the system call, because the type of ioctl()'s second argument differs between C
 * libraries.
 */
static long get_extents(int fd, struct fiemap *map)
{
	return syscall(SYS_ioctl, fd, FS_IOC_FIEMAP, map);
}

static int search_file(const struct poolset_part *part, const struct bad_list *list,
		       struct hits *hits)
{
	size_t size = sizeof(struct fiemap) + EXTENTS * sizeof(struct fiemap_extent);
	struct fiemap *map = alloc_zeroed(size);
	uint64_t at = 0;
	bool last = false;

	if (!map)
		return errormsg_fail(ENOMEM, "out of memory for the extents of %s",
				     part->path);
	while (!last && at < part->length) {
		memset(map, 0, size);
		map->fm_start = at;
		map->fm_length = part->length - at;
		map->fm_extent_count = EXTENTS;
		if (get_extents(part->fd, map) != 0 || map->fm_mapped_extents == 0)
			break;
		for (unsigned i = 0; i < map->fm_mapped_extents; i++) {
			const struct fiemap_extent *e = &map->fm_extents[i];

			if (!(e->fe_flags &
			      (FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC)))
				add_hits(list, e->fe_physical, e->fe_logical,
					 e->fe_length, hits);
			at = e->fe_logical + e->fe_length;
			last = last || (e->fe_flags & FIEMAP_EXTENT_LAST);
		}
	}
	alloc_free(map);
	return 0;
}

static int check_part(const struct poolset_part *part)
{
	char region[PATH_MAX];
	struct bad_list list;
	struct hits hits = {0, 0};
	struct stat st;
	dev_t dev;
	int number;
	int ret = 0;

	if (fstat(part->fd, &st) != 0)
		return errormsg_fail_sys(errno, "cannot stat %s", part->path);
	dev = part->is_devdax ? st.st_rdev : st.st_dev;
	if (nd_region_find(dev, part->is_devdax, region, &number) != 0)
		return 0;
	if (part->is_devdax) {
		if (load_region_list(dev, region, &list))
			add_hits(&list, 0, 0, part->length, &hits);
	} else if (load_block_list(dev, &list)) {
		ret = search_file(part, &list, &hits);
	}
	if (ret == 0 && hits.bytes != 0)
		ret =
		    errormsg_fail(EIO,
				  "%s lies on bad blocks of its device: %llu bytes, the "
				  "first at offset %llu",
				  part->path, ULL(hits.bytes), ULL(hits.first));
	return ret;
}

int badblocks_check_media(const struct poolset *set)
{
	int ret = 0;

	for (unsigned i = 0; i < set->npart && ret == 0; i++)
		if (set->part[i].fd >= 0)
			ret = check_part(&set->part[i]);
	return ret;
}
