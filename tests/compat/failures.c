/* SPDX-License-Identifier: BSD-3-Clause */
#include "failures.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

char failures_folder[4096];

const char *failures_in_folder(const char *name)
{
	static char paths[8][4200];
	static unsigned n;
	char *path = paths[n++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", failures_folder, name);
	return path;
}

void failures_make_file(const char *name, size_t size)
{
	int fd = open(failures_in_folder(name), O_RDWR | O_CREAT, 0644);

	if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
		abort();
	close(fd);
}

void failures_put(const char *name, off_t off, const void *data, size_t len)
{
	int fd = open(failures_in_folder(name), O_RDWR);

	if (fd < 0 || pwrite(fd, data, len, off) != (ssize_t)len)
		abort();
	close(fd);
}

void failures_limit_files(rlim_t size)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_FSIZE, &l) != 0)
		abort();
	l.rlim_cur = size;
	if (setrlimit(RLIMIT_FSIZE, &l) != 0)
		abort();
}

void failures_limit_memory(rlim_t size)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_AS, &l) != 0)
		abort();
	l.rlim_cur = size;
	if (setrlimit(RLIMIT_AS, &l) != 0)
		abort();
}

void failures_unlimit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_FSIZE, &l) == 0)
		failures_limit_files(l.rlim_max);
	if (getrlimit(RLIMIT_AS, &l) == 0)
		failures_limit_memory(l.rlim_max);
}
