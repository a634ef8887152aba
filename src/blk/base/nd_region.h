/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which region of persistent memory a device belongs to, from sysfs. Nothing here sets a
 * message.
 */
#ifndef ND_REGION_H
#define ND_REGION_H 1

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "compiler.h"

/*
 * Finds the region's folder in sysfs. 0; -ENODEV if the device is in none: an ordinary
 * disk, a file system in memory, persistent memory that is not on an NVDIMM bus.
 */
int nd_region_find(dev_t dev, bool is_char_device, char region[PATH_MAX]) MUST_CHECK;

#endif
