/* SPDX-License-Identifier: BSD-3-Clause */
/* Builds folders that imitate /sys, and makes the library use them. Each imitation is new. */
#ifndef FAKE_SYSFS_H
#define FAKE_SYSFS_H 1

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"
#include "sysfs.h"

static inline void fake_sysfs_begin(void)
{
	static int number;
	char name[32];

	snprintf(name, sizeof(name), "sysfs%d", number++);
	sysfs_root = support_path(false, name);
	assert_int_equal(mkdir(sysfs_root, 0755), 0);
}

static inline const char *fake_sysfs_path(const char *rel)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", sysfs_root, rel);
	return path;
}

/* Makes the folders above rel. */
static inline void fake_sysfs_parents(const char *rel)
{
	char path[PATH_MAX];
	char *slash;

	snprintf(path, sizeof(path), "%s/%s", sysfs_root, rel);
	slash = path + strlen(sysfs_root);
	while ((slash = strchr(slash + 1, '/')) != NULL) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
}

static inline void fake_sysfs_file(const char *rel, const char *text)
{
	fake_sysfs_parents(rel);
	support_write_file(fake_sysfs_path(rel), text, strlen(text));
}

static inline void fake_sysfs_dir(const char *rel)
{
	fake_sysfs_parents(rel);
	assert_int_equal(mkdir(fake_sysfs_path(rel), 0755), 0);
}

/* Makes a link at rel to another path of the same imitation. */
static inline void fake_sysfs_link(const char *rel, const char *target)
{
	char to[PATH_MAX];

	snprintf(to, sizeof(to), "%s/%s", sysfs_root, target);
	fake_sysfs_parents(rel);
	assert_int_equal(symlink(to, fake_sysfs_path(rel)), 0);
}

#endif
