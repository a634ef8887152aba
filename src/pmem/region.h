/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NVDIMM region behind a device DAX, as the kernel's nd bus numbers it. Memory that
 * is not on that bus (CXL, hmem) has none.
 */
#ifndef REGION_H
#define REGION_H 1

#include <sys/types.h>

#include "compiler.h"

/* The number of the region of a character device, or -1. */
int region_of_device(dev_t dev);

/*
 * Asks the kernel to flush the buffers below the CPU caches of a region, if the kernel
 * says that this is needed. -errno, with the message set.
 */
int region_deep_flush(int region) MUST_CHECK;

#endif
