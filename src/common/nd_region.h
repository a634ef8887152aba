/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which region of persistent memory (a set of NVDIMMs) a device belongs to, from sysfs. Memory
 * that is on no NVDIMM bus (CXL, hmem) has none. Nothing here sets a message.
 */
#ifndef ND_REGION_H
#define ND_REGION_H 1

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "compiler.h"

/*
 * Finds the region's folder in sysfs, .../ndbus<n>/region<number>, and its number. 0; -ENODEV if
 * the device is in none: an ordinary disk, a file system in memory, other memory.
 */
int nd_region_find(dev_t dev, bool is_char_device, char folder[PATH_MAX],
		   int *number) MUST_CHECK;

#endif
