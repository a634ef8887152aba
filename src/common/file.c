/* SPDX-License-Identifier: BSD-3-Clause */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "errormsg.h"
#include "ram_file.h"
#include "sysfs.h"

static bool is_devdax(dev_t dev)
{
	char path[PATH_MAX];
	char target[PATH_MAX];
	const char *name;

	if (sysfs_path(path, "dev/char/%u:%u/subsystem", major(dev), minor(dev)) != 0)
		return false;
	if (!realpath(path, target))
		return false;
	name = strrchr(target, '/');
	return name && strcmp(name + 1, "dax") == 0;
}

int file_classify(const char *path, enum file_type *type)
{
	struct stat st;

	if (access(path, F_OK) != 0 || stat(path, &st) != 0) {
		if (errno != ENOENT)
			return errormsg_fail_sys(errno, "cannot access %s", path);
		*type = FILE_ABSENT;
		return 0;
	}
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		*type = FILE_REGULAR;
		return 0;
	case S_IFDIR:
		*type = FILE_DIRECTORY;
		return 0;
	case S_IFCHR:
		if (is_devdax(st.st_rdev)) {
			*type = FILE_DEVDAX;
			return 0;
		}
		return errormsg_fail(
		    EINVAL, "%s is a character device, but not a device DAX", path);
	default:
		return errormsg_fail(
		    EINVAL, "%s is neither a regular file nor a device DAX", path);
	}
}

/* The signal that the thread's own call has raised is taken back; another one stays pending. */
void file_limit_hold(struct file_limit *limit)
{
	struct rlimit size;
	sigset_t set;

	limit->is_held =
	    getrlimit(RLIMIT_FSIZE, &size) == 0 && size.rlim_cur != RLIM_INFINITY;
	if (!limit->is_held)
		return;
	limit->was_pending = sigpending(&set) == 0 && sigismember(&set, SIGXFSZ) == 1;
	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &set, &limit->before);
}

void file_limit_release(const struct file_limit *limit)
{
	const struct timespec none = {0, 0};
	sigset_t set;

	if (!limit->is_held)
		return;
	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	while (!limit->was_pending && sigtimedwait(&set, NULL, &none) < 0 &&
	       errno == EINTR)
		;
	pthread_sigmask(SIG_SETMASK, &limit->before, NULL);
}

int file_set_length(int fd, uint64_t len)
{
	struct file_limit limit;
	int ret;

	file_limit_hold(&limit);
	do
		ret = ftruncate(fd, (off_t)len) == 0 ? 0 : -errno;
	while (ret == -EINTR);
	file_limit_release(&limit);
	return ret;
}

int file_sync(int fd)
{
	while (fsync(fd) != 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/*
 * posix_fallocate starts again from the beginning when a signal interrupts it. In a
 * program with a timer it may never finish a large file. Allocating in pieces makes
 * progress.
 */
static int allocate_pieces(int fd, uint64_t len)
{
	const uint64_t smallest = 1u << 20;
	const int attempts = 5;
	uint64_t piece = 1u << 30;
	uint64_t off = 0;
	int failures = 0;

	while (off < len) {
		uint64_t n = len - off < piece ? len - off : piece;
		int err = posix_fallocate(fd, (off_t)off, (off_t)n);

		if (err == 0) {
			off += n;
			failures = 0;
			continue;
		}
		if (err != ENOMEM && err != EINTR)
			return -err;
		if (++failures < attempts)
			continue;
		if (piece == smallest)
			return -err;
		piece /= 2;
		failures = 0;
	}
	return 0;
}

/*
 * Writes the byte at off again, so that its block is allocated. If the byte is not zero,
 * the block is already allocated.
 */
static int touch(int fd, off_t off)
{
	char byte = 0;
	ssize_t n;

	do
		n = pread(fd, &byte, 1, off);
	while (n < 0 && errno == EINTR);
	if (n == 1 && byte != 0)
		return 0;
	while (n >= 0) {
		n = pwrite(fd, "", 1, off);
		if (n == 1)
			return 0;
		if (n == 0)
			return -ENOSPC;
		if (errno == EINTR)
			n = 0;
	}
	return -errno;
}

/*
 * Extends the file and writes to each of its blocks. For file systems that cannot
 * allocate (ext2, ramfs): some C libraries do this themselves, others do not.
 */
static int allocate_by_touching(int fd, uint64_t len)
{
	uint64_t step = 4096;
	struct statfs fs;
	struct stat st;
	int ret = 0;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (fstatfs(fd, &fs) == 0 && fs.f_bsize > 0 && (uint64_t)fs.f_bsize < step)
		step = (uint64_t)fs.f_bsize;
	if ((uint64_t)st.st_size < len)
		ret = touch(fd, (off_t)len - 1);
	for (uint64_t off = 0; off < len && ret == 0; off += step)
		ret = touch(fd, (off_t)off);
	return ret;
}

static int allocate(int fd, uint64_t len)
{
	int err = posix_fallocate(fd, 0, (off_t)len);
	if (err == EOPNOTSUPP || err == ENOSYS)
		return allocate_by_touching(fd, len);
	if (err == ENOMEM || err == EINTR)
		return allocate_pieces(fd, len);
	return -err;
}

int file_allocate(int fd, uint64_t len)
{
	struct file_limit limit;
	int ret;

	if (!ram_file_has_room(fd, len))
		return -ENOSPC;
	file_limit_hold(&limit);
	ret = allocate(fd, len);
	file_limit_release(&limit);
	return ret;
}

ssize_t file_read(int fd, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, (char *)buf + done, len - done);

		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int file_remove_made(const char *path, int fd)
{
	char real[PATH_MAX];
	struct stat mine;
	struct stat named;

	if (!realpath(path, real) || fstat(fd, &mine) != 0 || lstat(real, &named) != 0)
		return -errno;
	if (mine.st_dev != named.st_dev || mine.st_ino != named.st_ino)
		return -ENOENT;
	return unlink(real) == 0 ? 0 : -errno;
}

int file_check_size_limit(uint64_t len)
{
	struct rlimit limit;

	if (len > INT64_MAX)
		return errormsg_fail(EFBIG, "no file can hold %llu bytes", ULL(len));
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
	    len > limit.rlim_cur)
		return errormsg_fail(
		    EFBIG,
		    "%llu bytes exceed the file size limit of this process "
		    "(%llu, see RLIMIT_FSIZE)",
		    ULL(len), ULL(limit.rlim_cur));
	return 0;
}

/*
 * Reads an attribute of a device. Kernels have it in different places, because it was moved from
 * the region of the device to the device on the dax bus.
 */
static int read_devdax(const char *dev, const char *const *places, uint64_t *value)
{
	struct stat st;
	int ret = -ENOENT;

	if (stat(dev, &st) != 0)
		return errormsg_fail_sys(errno, "cannot access %s", dev);
	if (!S_ISCHR(st.st_mode))
		return errormsg_fail(EINVAL, "%s is not a device DAX", dev);
	for (; *places; places++) {
		char path[PATH_MAX];

		ret = sysfs_path(path, "dev/char/%u:%u/%s", major(st.st_rdev),
				 minor(st.st_rdev), *places);
		if (ret == 0)
			ret = sysfs_read_number(path, value);
		if (ret != -ENOENT && ret != -ENOTDIR)
			break;
	}
	return ret;
}

int file_devdax_size(const char *path, uint64_t *size)
{
	static const char *const places[] = {"size", NULL};
	int ret = read_devdax(path, places, size);

	if (ret < 0)
		return errormsg_fail_sys(-ret, "cannot read the size of device DAX %s",
					 path);
	return 0;
}

int file_devdax_alignment(const char *path, uint64_t *align)
{
	static const char *const places[] = {"align", "device/align",
					     "device/dax_region/align",
					     "../dax_region/align", NULL};
	int ret = read_devdax(path, places, align);

	if (ret < 0)
		return errormsg_fail_sys(
		    -ret, "cannot read the alignment of device DAX %s", path);
	if (*align == 0 || (*align & (*align - 1)) != 0)
		return errormsg_fail(EINVAL,
				     "alignment %llu of device DAX %s is no power of 2",
				     ULL(*align), path);
	return 0;
}
