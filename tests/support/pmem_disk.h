/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An imitation of sysfs, below `machine`, which says that the disk with a file of the test's is
 * persistent memory.
 */
#ifndef PMEM_DISK_H
#define PMEM_DISK_H 1

#include "support.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kernel.h"
#include "sysfs.h"

#define DISK "devices/ndbus0/region0/pfn0.0/block/pmem0"

static char *machine;

static void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void run(const char *fmt, ...)
{
	char command[2000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	assert_int_equal(system(command), 0);
}

/* The offset on the disk of a byte of the file; 0: the file system does not tell. */
static uint64_t physical(const char *path, uint64_t off)
{
	union {
		struct fiemap map;
		char space[sizeof(struct fiemap) + sizeof(struct fiemap_extent)];
	} m = {.map = {.fm_start = off, .fm_length = 1, .fm_extent_count = 1}};
	int fd = open(path, O_RDONLY);
	int ret = ioctl(fd, FS_IOC_FIEMAP, &m);

	close(fd);
	if (ret != 0 || m.map.fm_mapped_extents != 1 ||
	    (m.map.fm_extents[0].fe_flags & FIEMAP_EXTENT_UNKNOWN))
		return 0;
	return m.map.fm_extents[0].fe_physical + (off - m.map.fm_extents[0].fe_logical);
}

/* Makes the disk of the file appear, and sysfs_root point there. */
static void make_disk(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_true(asprintf(&machine, "%s/sys", support_tmpdir(false)) > 0);
	run("mkdir -p %s/" DISK "/pmem0p1 %s/dev/block", machine, machine);
	run("ln -s ../../" DISK " %s/dev/block/%u:%u", machine, major(st.st_dev),
	    minor(st.st_dev));
	sysfs_root = machine;
}

static void drop_disk(void)
{
	sysfs_root = "/sys";
	run("rm -rf %s", machine);
	free(machine);
}

#endif
