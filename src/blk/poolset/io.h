/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading and writing the open files of a pool set, and finding their holes. */
#ifndef POOLSET_IO_H
#define POOLSET_IO_H 1

#include "poolset/poolset.h"

/*
 * Read or write len bytes at off of part i. A write is durable when it returns 0. -EIO also if
 * the file is too short. A write sets is_stored of the part before the part may change.
 */
int poolset_io_read(const struct poolset *set, unsigned i, uint64_t off, void *buf,
		    size_t len) MUST_CHECK;

int poolset_io_write(struct poolset *set, unsigned i, uint64_t off, const void *buf,
		     size_t len) MUST_CHECK;

/*
 * Removes the header of part i, durably: zeroes its page or, for a device DAX, the first
 * POOL_DEVICE_START bytes. -errno; then only some of it may be zero.
 */
int poolset_io_clear(struct poolset *set, unsigned i) MUST_CHECK;

/*
 * Returns the first offset in [off, end) of the pool image that may hold anything but zeros, or
 * end if there is none. It asks the file systems for the holes of the files.
 */
uint64_t poolset_io_next_data(struct poolset *set, uint64_t off, uint64_t end);

#endif
