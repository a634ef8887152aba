/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The counters behind the shutdown state, as the kernel's NVDIMM subsystem shows them:
 *
 *	<region>/mappings			number of modules in the region
 *	<region>/mapping<i>			"nmem<n>,..." the i-th of them
 *	bus/nd/devices/nmem<n>/nfit/dirty_shutdown	its counter
 *	bus/nd/devices/nmem<n>/nfit/id			its name
 */
#include "pool/shutdown_devices.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "errormsg.h"
#include "nd_region.h"
#include "sysfs.h"

/* More modules than any region has. An attribute with a larger number is not believed. */
#define MAX_MODULES 256u

#define MAX_NAMES 4096

static bool is_missing(int err)
{
	return err == -ENOENT || err == -ENOTDIR || err == -ENODEV || err == -ENXIO ||
	       err == -EOPNOTSUPP || err == -ENOTTY;
}

/* Reads a short text without its end of line. */
static int read_word(const char *path, char *buf, size_t size)
{
	ssize_t n = sysfs_read(path, buf, size - 1);

	if (n < 0)
		return (int)n;
	buf[n] = '\0';
	buf[strcspn(buf, " \t\n,")] = '\0';
	return 0;
}

/* Adds module i's counter to *usc and its name to names. */
static int add_module(const char *region, unsigned i, uint64_t *usc, char *names)
{
	char path[PATH_MAX];
	char module[64];
	char id[256];
	uint64_t count;
	size_t used = strlen(names);
	int n = snprintf(path, sizeof(path), "%s/mapping%u", region, i);
	int ret;

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	ret = read_word(path, module, sizeof(module));
	if (ret == 0)
		ret = sysfs_path(path, "bus/nd/devices/%s/nfit/dirty_shutdown", module);
	if (ret == 0) {
		ret = sysfs_read_number(path, &count);
		if (is_missing(ret)) { /* virtual modules do not count, but have a name */
			count = 0;
			ret = 0;
		}
	}
	if (ret == 0)
		ret = sysfs_path(path, "bus/nd/devices/%s/nfit/id", module);
	if (ret == 0)
		ret = read_word(path, id, sizeof(id));
	if (ret != 0)
		return ret;
	if (used + strlen(id) >= MAX_NAMES)
		return -ENAMETOOLONG;
	memcpy(names + used, id, strlen(id) + 1);
	*usc += count;
	return 0;
}

int shutdown_devices_add(struct shutdown_state *state, const char *path, dev_t dev,
			 bool is_char_device)
{
	char region[PATH_MAX];
	char attribute[PATH_MAX];
	char names[MAX_NAMES] = "";
	uint64_t usc = 0;
	uint64_t modules = 0;
	int number;
	int n;
	int ret = nd_region_find(dev, is_char_device, region, &number);

	if (ret < 0)
		return 0;
	n = snprintf(attribute, sizeof(attribute), "%s/mappings", region);
	ret = n < 0 || (size_t)n >= sizeof(attribute)
		  ? -ENAMETOOLONG
		  : sysfs_read_number(attribute, &modules);
	for (unsigned i = 0; i < modules && i < MAX_MODULES && ret == 0; i++)
		ret = add_module(region, i, &usc, names);
	if (is_missing(ret))
		return 0;
	if (ret < 0)
		return errormsg_fail_sys(
		    -ret, "cannot read the unsafe shutdown counters of %s (%s)", path,
		    region);
	shutdown_state_add(state, usc, names);
	return 0;
}
