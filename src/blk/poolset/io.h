/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading and writing the open files of a pool set, and finding their holes. */
#ifndef POOLSET_IO_H
#define POOLSET_IO_H 1

#include "poolset/poolset.h"

/*
 * Reads or writes len bytes at off of part i; what was written is durable. -EIO also where
 * the file is too short. A write marks the part as stored to as soon as it may have changed.
 */
int poolset_io_read(const struct poolset *set, unsigned i, uint64_t off, void *buf,
		       size_t len) MUST_CHECK;

int poolset_io_write(struct poolset *set, unsigned i, uint64_t off, const void *buf,
			size_t len) MUST_CHECK;

/*
 * Leaves nothing of a header in part i, durably: zeroes its page, or all of the start of a
 * device DAX. -errno, and what could be zeroed is.
 */
int poolset_io_clear(struct poolset *set, unsigned i) MUST_CHECK;

/*
 * The first offset in [off, end) of the pool image that may hold anything but zeros, end if
 * there is none, from the holes that the file system knows of.
 */
uint64_t poolset_io_next_data(struct poolset *set, uint64_t off, uint64_t end);

#endif
