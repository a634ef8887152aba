/* SPDX-License-Identifier: BSD-3-Clause */
#include "disk/extents.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest.h"

/* What was written and what was not are extents of their own, in many pieces. */
#define MAX_PIECES 1024

/* The kernel's extents begin before off and go on behind end. */
static struct extent cut(const struct fiemap_extent *e, uint64_t off, uint64_t end)
{
	uint64_t start = e->fe_logical > off ? e->fe_logical : off;
	uint64_t stop = e->fe_logical + e->fe_length;

	return (struct extent){.disk_off = e->fe_physical + start - e->fe_logical,
			       .length = (stop < end ? stop : end) - start};
}

unsigned extents_find(const char *path, uint64_t off, uint64_t end,
		      struct extent extent[MAX_EXTENTS])
{
	union {
		struct fiemap map;
		char room[sizeof(struct fiemap) +
			  MAX_PIECES * sizeof(struct fiemap_extent)];
	} request;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned n = 0;

	memset(&request, 0, sizeof(request));
	request.map.fm_start = off;
	request.map.fm_length = end - off;
	request.map.fm_extent_count = MAX_PIECES;
	if (fd < 0 || ioctl(fd, FS_IOC_FIEMAP, &request.map) != 0)
		die("%s: %s", path, strerror(errno));
	close(fd);
	if (request.map.fm_mapped_extents == MAX_PIECES)
		die("%s: too many extents", path);
	for (unsigned i = 0; i < request.map.fm_mapped_extents; i++) {
		struct extent e = cut(&request.map.fm_extents[i], off, end);

		if (n > 0 &&
		    extent[n - 1].disk_off + extent[n - 1].length == e.disk_off) {
			extent[n - 1].length += e.length;
			continue;
		}
		if (n == MAX_EXTENTS)
			die("%s: too many extents", path);
		extent[n++] = e;
	}
	return n;
}
