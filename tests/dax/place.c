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
	struct {
		struct fiemap map;
		struct fiemap_extent extent[1];
	} request;
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
	    request.extent[0].fe_flags & FIEMAP_EXTENT_UNWRITTEN)
		die("%s: nothing was written at %" PRIu64, argv[1], off);
	printf("%llu\n",
	       request.extent[0].fe_physical + off - request.extent[0].fe_logical);
	return close(fd);
}
