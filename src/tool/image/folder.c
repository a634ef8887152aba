/* SPDX-License-Identifier: BSD-3-Clause */
#include "image/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

/* An error that does not say that something is lost. */
static bool is_refusal(bool is_open, int ret)
{
	return is_open ? ret == -EINVAL || ret == -ENOTSUP : ret == -EACCES;
}

int folder_sync(const char *name, int fd)
{
	char *copy = strdup(name);
	char *slash = copy ? strrchr(copy, '/') : NULL;
	int folder;
	int ret;

	if (!copy)
		return -ENOMEM;
	if (slash)
		slash[slash == copy] = '\0';
	folder = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret = folder < 0 ? -errno : file_sync(folder);
	free(copy);
	if (is_refusal(folder >= 0, ret))
		ret = syncfs(fd) == 0 ? 0 : -errno;
	if (folder >= 0)
		close(folder);
	return ret;
}
