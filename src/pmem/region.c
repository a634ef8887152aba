/* SPDX-License-Identifier: BSD-3-Clause */
#include "region.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "errormsg.h"
#include "nd_region.h"
#include "sysfs.h"

#define REGIONS "bus/nd/devices"

int region_of_device(dev_t dev)
{
	char folder[PATH_MAX];
	int number;

	return nd_region_find(dev, true, folder, &number) == 0 ? number : -1;
}

int region_deep_flush(int region)
{
	char path[PATH_MAX];
	char text[3];
	ssize_t n;
	int fd;
	int err = 0;

	if (sysfs_path(path, REGIONS "/region%d/deep_flush", region) != 0)
		return 0;
	n = sysfs_read(path, text, sizeof(text));
	if (n != 2 ||
	    text[0] ==
		'0') /* no flush hints: there are no buffers to flush below the caches */
		return 0;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errormsg_fail_sys(errno, "cannot open %s", path);
	n = write(fd, "1", 1);
	if (n != 1)
		err = n < 0 ? errno : EIO;
	close(fd);
	if (err)
		return errormsg_fail_sys(err, "deep flush by %s", path);
	return 0;
}
