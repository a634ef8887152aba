/* SPDX-License-Identifier: BSD-3-Clause */
#include "auto_flush.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <fcntl.h>

#include "sysfs.h"

static bool is_region(DIR *dir, const struct dirent *entry)
{
	struct stat st;

	if (!strstr(entry->d_name, "region"))
		return false;
	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_LNK;
	return fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISLNK(st.st_mode);
}

static int read_region(const char *name)
{
	static const char all_caches[] = "cpu_cache\n";
	char path[PATH_MAX];
	char text[32];
	struct stat st;
	ssize_t n;

	if (sysfs_path(path, "bus/nd/devices/%s/persistence_domain", name) != 0 ||
	    stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return 0;
	n = sysfs_read(path, text, sizeof(text));
	if (n == -EACCES || n == -ENOENT)
		return 0;
	if (n <= 0 || text[n - 1] != '\n')
		return -EIO;
	return (size_t)n == strlen(all_caches) &&
	       memcmp(text, all_caches, (size_t)n) == 0;
}

int auto_flush_read(void)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;
	int result = 0;

	if (sysfs_path(path, "bus/nd/devices") != 0)
		return 0;
	dir = opendir(path);
	if (!dir)
		return 0;
	while ((entry = readdir(dir)) != NULL) {
		if (!is_region(dir, entry))
			continue;
		result = read_region(entry->d_name);
		if (result != 1)
			break;
	}
	closedir(dir);
	return result;
}

/*
 * Threads that ask at the same time may all read. pthread_once(3) would prevent that, but
 * a child that is forked meanwhile would, with musl, wait for a thread that it does not
 * have.
 */
int auto_flush_get(void)
{
	enum { UNREAD = INT_MIN };
	static atomic_int answer = UNREAD;
	/* The value is all that is shared, so relaxed order is enough. */
	int value = atomic_load_explicit(&answer, memory_order_relaxed);
	int unread = UNREAD;

	if (value != UNREAD)
		return value;
	value = auto_flush_read();
	if (!atomic_compare_exchange_strong(&answer, &unread, value))
		value = unread;
	return value;
}
