/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the counters of the memory modules under a device from sysfs. */
#ifndef SHUTDOWN_DEVICES_H
#define SHUTDOWN_DEVICES_H 1

#include <stdbool.h>
#include <sys/types.h>

#include "compiler.h"
#include "pool/shutdown_state.h"

/*
 * Adds the modules under the device with this number (st_dev of a file, st_rdev of a device DAX).
 * A device that is not persistent memory, or has no such attributes, adds nothing. -errno, with a
 * message that names path, if a counter exists but cannot be read.
 */
int shutdown_devices_add(struct shutdown_state *state, const char *path, dev_t dev,
			 bool is_char_device) MUST_CHECK;

#endif
