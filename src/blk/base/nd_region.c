/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/nd_region.h"

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sysfs.h"

/* Cuts "../../devices/.../ndbus0/region0/pfn0.0/block/pmem0" behind "region0". */
static bool cut_behind_region(char *path)
{
	char *p = strstr(path, "/ndbus");

	if (!p)
		return false;
	p = strstr(p, "/region");
	if (!p)
		return false;
	p[1 + strcspn(p + 1, "/")] = '\0';
	return true;
}

int nd_region_find(dev_t dev, bool is_char_device, char region[PATH_MAX])
{
	char link[PATH_MAX];
	char target[PATH_MAX];
	const char *folder = is_char_device ? "char" : "block";
	ssize_t n;
	int ret;

	if (major(dev) == 0) /* tmpfs, overlays, network: no block device below */
		return -ENODEV;
	ret = sysfs_path(link, "dev/%s/%u:%u", folder, major(dev), minor(dev));
	if (ret < 0)
		return -ENODEV;
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return -ENODEV;
	target[n] = '\0';
	if (!cut_behind_region(target))
		return -ENODEV;
	return sysfs_path(region, "dev/%s/%s", folder, target);
}
