/* SPDX-License-Identifier: BSD-3-Clause */
#include "nd_region.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "sysfs.h"

/* The number n of a name "<prefix><n>"; -1 for other names. */
static int numbered(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);
	unsigned long n;
	char *end;

	if (strncmp(name, prefix, len) != 0 || name[len] < '0' || name[len] > '9')
		return -1;
	n = strtoul(name + len, &end, 10);
	return *end == '\0' && n <= INT_MAX ? (int)n : -1;
}

/*
 * The folder of a device lies below that of its region, which lies in that of the bus.
 * The cxl bus has regions, too, with numbers of their own.
 */
int nd_region_find(dev_t dev, bool is_char_device, char folder[PATH_MAX], int *number)
{
	char link[PATH_MAX];
	char *slash;

	if (major(dev) ==
	    0) /* tmpfs, overlays, network file systems: there is no block device */
		return -ENODEV;
	if (sysfs_path(link, "dev/%s/%u:%u", is_char_device ? "char" : "block",
		       major(dev), minor(dev)) != 0 ||
	    !realpath(link, folder))
		return -ENODEV;
	while ((slash = strrchr(folder, '/')) != NULL) {
		const char *bus;

		*number = numbered(slash + 1, "region");
		*slash = '\0';
		bus = strrchr(folder, '/');
		if (*number >= 0 && bus && numbered(bus + 1, "ndbus") >= 0) {
			*slash = '/';
			return 0;
		}
	}
	return -ENODEV;
}
