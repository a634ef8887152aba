/* SPDX-License-Identifier: BSD-3-Clause */
#include "sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

const char *sysfs_root = "/sys";

int sysfs_path(char path[PATH_MAX], const char *fmt, ...)
{
	va_list ap;
	int root = snprintf(path, PATH_MAX, "%s/", sysfs_root);
	int rest;

	if (root < 0 || root >= PATH_MAX)
		return -ENAMETOOLONG;
	va_start(ap, fmt);
	rest = vsnprintf(path + root, (size_t)(PATH_MAX - root), fmt, ap);
	va_end(ap);
	return rest < 0 || rest >= PATH_MAX - root ? -ENAMETOOLONG : 0;
}

ssize_t sysfs_read(const char *path, void *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = file_read(fd, buf, size);
	close(fd);
	return n;
}

int sysfs_read_number(const char *path, uint64_t *value)
{
	char text[32];
	char *end;
	ssize_t n = sysfs_read(path, text, sizeof(text) - 1);

	if (n < 0)
		return (int)n;
	text[n] = '\0';
	if ((size_t)n == sizeof(text) - 1 || text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	*value = strtoull(text, &end, 0);
	return errno || (*end != '\0' && *end != '\n') ? -EINVAL : 0;
}

bool sysfs_find_number(const char *text, const char *name, uint64_t *value)
{
	const size_t len = strlen(name);

	while (strncmp(text, name, len) != 0 || text[len] != ' ') {
		text = strchr(text, '\n');
		if (!text)
			return false;
		text++;
	}
	*value = strtoull(text + len, NULL, 10);
	return true;
}
