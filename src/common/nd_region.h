/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finds in sysfs the region (a set of NVDIMMs) to which a device belongs. Memory that is
 * on no NVDIMM bus (CXL, hmem) has no region. Nothing here sets a message.
 */
#ifndef ND_REGION_H
#define ND_REGION_H 1

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "compiler.h"

/*
 * Finds the folder of the region in sysfs, .../ndbus<n>/region<number>, and its number.
 * 0, or -ENODEV if the device has no region: an ordinary disk, a file system in memory,
 * other memory.
 */
int nd_region_find(dev_t dev, bool is_char_device, char folder[PATH_MAX],
		   int *number) MUST_CHECK;

#endif
