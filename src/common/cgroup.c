/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The groups of version 2 are looked for in /sys/fs/cgroup, those of version 1 in
 * /sys/fs/cgroup/memory, where all systems mount them. A container may see its own group as the
 * uppermost one, under a path that does not exist there. So a path that is missing is passed over,
 * and the uppermost group is always looked at.
 *
 * A group may take its limit, less the pages that it cannot give back without swapping: those on the
 * lists for anonymous memory and tmpfs, and on the list for ramfs and locked memory. The page cache of
 * disks is not counted, and the kernel's own memory is not either, because some of it can be freed.
 * The result may be too large, but not too small.
 */
#include "cgroup.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "sysfs.h"

struct hierarchy {
	const char *place;   /* below sysfs_root */
	const char *limit;   /* the name of the file */
	const char *kept[3]; /* names in memory.stat, for the group and all below it */
};

static const struct hierarchy version_1 = {
    "fs/cgroup/memory",
    "memory.limit_in_bytes",
    {"total_inactive_anon", "total_active_anon", "total_unevictable"},
};
static const struct hierarchy version_2 = {
    "fs/cgroup",
    "memory.max",
    {"inactive_anon", "active_anon", "unevictable"},
};

/* The memory that a group cannot give back; 0 if it does not say. */
static uint64_t load_kept(const struct hierarchy *h, const char *group)
{
	char path[PATH_MAX];
	char stat[8192];
	uint64_t kept = 0;
	uint64_t bytes;
	ssize_t n;

	if (sysfs_path(path, "%s%s/memory.stat", h->place, group) != 0)
		return 0;
	n = sysfs_read(path, stat, sizeof(stat) - 1);
	if (n < 0)
		return 0;
	stat[n] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(h->kept); i++)
		if (sysfs_find_number(stat, h->kept[i], &bytes))
			kept += bytes;
	return kept;
}

static uint64_t load_spare(const struct hierarchy *h, const char *group)
{
	char path[PATH_MAX];
	uint64_t limit;
	uint64_t kept;

	/* Version 2 says "max" where there is none, and has no such file in the uppermost group. */
	if (sysfs_path(path, "%s%s/%s", h->place, group, h->limit) != 0 ||
	    sysfs_read_number(path, &limit) != 0)
		return UINT64_MAX;
	kept = load_kept(h, group);
	return limit > kept ? limit - kept : 0;
}

/* Whether a line "NUMBER:CONTROLLERS:PATH" is about the groups that limit memory. */
static bool is_about_memory(const char *line, const char *path)
{
	static const char name[] = "memory";
	const size_t len = sizeof(name) - 1;
	const char *at = strchr(line, ':');

	while (at && at < path) {
		at++;
		if (strncmp(at, name, len) == 0 && (at[len] == ',' || at[len] == ':'))
			return true;
		at = strpbrk(at, ",:");
	}
	return false;
}

/* Takes the path from its line. */
static const struct hierarchy *find_group(const char *text, char group[PATH_MAX])
{
	const struct hierarchy *found = NULL;
	const char *next;

	for (const char *line = text; *line; line = next) {
		const size_t len = strcspn(line, "\n");
		const char *path = memchr(line, ':', len);
		const struct hierarchy *h = NULL;

		next = line + len + (line[len] == '\n');
		path =
		    path ? memchr(path + 1, ':', (size_t)(line + len - path - 1)) : NULL;
		if (!path || line + len - path > PATH_MAX)
			continue;
		if (is_about_memory(line, path))
			h = &version_1;
		else if (!found && strncmp(line, "0::", 3) == 0)
			h = &version_2;
		if (!h)
			continue;
		found = h;
		path++;
		memcpy(group, path, (size_t)(line + len - path));
		group[line + len - path] = '\0';
	}
	return found;
}

uint64_t cgroup_spare_memory(const char *text)
{
	char group[PATH_MAX];
	const struct hierarchy *h = find_group(text, group);
	uint64_t spare = UINT64_MAX;
	char *end;

	if (!h)
		return UINT64_MAX;
	/* A group outside of those that this process may see. */
	if (strstr(group, "/.."))
		group[0] = '\0';
	for (;;) {
		const uint64_t s = load_spare(h, group);

		if (s < spare)
			spare = s;
		end = strrchr(group, '/');
		if (!end)
			return spare;
		*end = '\0';
	}
}
