/* SPDX-License-Identifier: BSD-3-Clause */
/*
 *	place FILE OFFSET
 *
 * Prints where that byte of the file lies on its file system's device.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest.h"

int main(int argc, char **argv)
{
	union {
		struct fiemap map;
		char room[sizeof(struct fiemap) + sizeof(struct fiemap_extent)];
	} request;
	const struct fiemap_extent *extent = request.map.fm_extents;
	uint64_t off = argc == 3 ? number(argv[2]) : 0;
	int fd = argc == 3 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		die("usage: place FILE OFFSET");
	memset(&request, 0, sizeof(request));
	request.map.fm_start = off;
	request.map.fm_length = 1;
	request.map.fm_flags = FIEMAP_FLAG_SYNC;
	request.map.fm_extent_count = 1;
	if (ioctl(fd, FS_IOC_FIEMAP, &request.map) != 0)
		die("%s: %s", argv[1], strerror(errno));
	/* What was never written has no place on the medium. */
	if (request.map.fm_mapped_extents != 1 ||
	    extent->fe_flags & FIEMAP_EXTENT_UNWRITTEN)
		die("%s: nothing was written at %" PRIu64, argv[1], off);
	printf("%llu\n", extent->fe_physical + off - extent->fe_logical);
	return close(fd);
}
