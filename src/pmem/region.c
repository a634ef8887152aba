/* SPDX-License-Identifier: BSD-3-Clause */
#include "region.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "errormsg.h"
#include "sysfs.h"

#define REGIONS "bus/nd/devices"

/*
 * True if the folder dir is the nd bus's region of this name: the cxl bus has regions, too,
 * which are numbered on their own.
 */
static bool is_nd_region(const char *dir, const char *name)
{
	char link[PATH_MAX];
	char target[PATH_MAX];

	return sysfs_path(link, REGIONS "/%s", name) == 0 && realpath(link, target) &&
	       strcmp(target, dir) == 0;
}

/* A device's folder lies below that of its region, which is named region<number>. */
int region_of_device(dev_t dev)
{
	static const char prefix[] = "region";
	char link[PATH_MAX];
	char path[PATH_MAX];
	char *slash;

	if (sysfs_path(link, "dev/char/%u:%u", major(dev), minor(dev)) != 0)
		return -1;
	if (!realpath(link, path))
		return -1;
	while ((slash = strrchr(path, '/')) != NULL) {
		char *name = slash + 1;
		char *digits = name + strlen(prefix);
		char *end;

		if (strncmp(name, prefix, strlen(prefix)) == 0) {
			unsigned long n = strtoul(digits, &end, 10);

			if (end != digits && *end == '\0' && n <= INT_MAX &&
			    is_nd_region(path, name))
				return (int)n;
		}
		*slash = '\0';
	}
	return -1;
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
	    text[0] == '0') /* there are no flush hints: nothing below the caches */
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
