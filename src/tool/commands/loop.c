/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel is asked for the identity of the file, not for its name: the name is that of the time
 * when the device was set up. By now it may be another file's, or nobody's, and it may be from another
 * mount namespace.
 */
#include "commands/loop.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sysfs.h"

/* From <linux/loop.h>, which not every C library comes with. */
#define LOOP_GET_STATUS64 0x4c05
#define LOOP_MAJOR 7

struct loop_status {
	uint64_t device; /* st_dev of the file */
	uint64_t inode;
	uint64_t
	    rdevice; /* st_rdev; on old kernels that of a block device only, else device */
	uint64_t range[2];
	uint32_t numbers[4];
	uint8_t names[64 + 64 + 32];
	uint64_t init[2];
};
static_assert(sizeof(struct loop_status) == 232, "the size of struct loop_info64");

/* The kernel's way to put a device number into 32 bits. */
static dev_t decode(uint64_t dev)
{
	return makedev((unsigned)(dev >> 8) & 0xfff,
		       ((unsigned)dev & 0xff) | ((unsigned)(dev >> 12) & 0xfff00));
}

static const char *const places[] = {"loop",
				     "../loop"}; /* of the device, of a partition */

static bool is_loop(dev_t dev)
{
	char path[PATH_MAX];

	if (major(dev) == LOOP_MAJOR)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (sysfs_path(path, "dev/block/%u:%u/%s", major(dev), minor(dev),
			       places[i]) == 0 &&
		    access(path, F_OK) == 0)
			return true;
	return false;
}

/* Opens the block device dev, which is behind the loop device above. Only that one names it. */
static int open_behind(dev_t above, dev_t dev)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		char path[PATH_MAX];
		char name[PATH_MAX + 1];
		struct stat st;
		ssize_t n = -1;
		int fd;

		if (sysfs_path(path, "dev/block/%u:%u/%s/backing_file", major(above),
			       minor(above), places[i]) == 0)
			n = sysfs_read(path, name, sizeof(name) - 1);
		if (n <= 1)
			continue;
		name[n - 1] = '\0'; /* the newline */
		fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		if (fstat(fd, &st) == 0 && S_ISBLK(st.st_mode) && st.st_rdev == dev)
			return fd;
		close(fd);
	}
	return -ENXIO;
}

/* If the device behind the loop device cannot be asked, the loop device's file is that device. */
static int find_behind(dev_t above, dev_t dev, struct stat *file)
{
	struct stat behind;
	int fd = open_behind(above, dev);
	int ret;

	if (fd < 0)
		return is_loop(dev) ? fd : 1;
	ret = loop_find(fd, dev, &behind);
	close(fd);
	if (ret > 0)
		*file = behind;
	return ret < 0 ? ret : 1;
}

int loop_find(int fd, dev_t dev, struct stat *file)
{
	struct loop_status status;

	if (ioctl(fd, LOOP_GET_STATUS64, &status) != 0) {
		int error = errno;

		return is_loop(dev) ? -error : 0;
	}
	*file =
	    (struct stat){.st_dev = decode(status.device), .st_ino = (ino_t)status.inode};
	if (status.rdevice == 0 || status.rdevice == status.device)
		return 1;
	return find_behind(dev, decode(status.rdevice), file);
}
