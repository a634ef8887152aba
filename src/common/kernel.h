/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parts of the kernel's interface that the C library does not define. C libraries
 * other than glibc come without the kernel's headers, so the few names are defined here.
 * The values are the same on every machine that these libraries support.
 */
#ifndef KERNEL_H
#define KERNEL_H 1

#include <stdint.h>

/* futex(2) */
#define FUTEX_WAIT_PRIVATE (0 | 128)
#define FUTEX_WAKE_PRIVATE (1 | 128)

/* membarrier(2) */
#define MEMBARRIER_CMD_PRIVATE_EXPEDITED (1 << 3)
#define MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED (1 << 4)

/* statfs(2) */
#define HUGETLBFS_MAGIC 0x958458f6u

/* ioctl(2) with FS_IOC_FIEMAP tells where a file lies on its device. */
struct fiemap_extent {
	uint64_t fe_logical;  /* bytes, in the file */
	uint64_t fe_physical; /* bytes, on the device */
	uint64_t fe_length;
	uint64_t fe_reserved64[2];
	uint32_t fe_flags;
	uint32_t fe_reserved[3];
};

struct fiemap {
	uint64_t fm_start;
	uint64_t fm_length;
	uint32_t fm_flags;
	uint32_t fm_mapped_extents; /* number of extents that the kernel has written */
	uint32_t fm_extent_count;   /* number of extents that there is room for */
	uint32_t fm_reserved;
	struct fiemap_extent fm_extents[];
};

#define FS_IOC_FIEMAP 0xc020660bu
#define FIEMAP_EXTENT_LAST 0x1u
#define FIEMAP_EXTENT_UNKNOWN 0x2u
#define FIEMAP_EXTENT_DELALLOC 0x4u

_Static_assert(sizeof(struct fiemap) == 32 && sizeof(struct fiemap_extent) == 56,
	       "these are the kernel's");

#endif
