/* SPDX-License-Identifier: BSD-3-Clause */
#include "disk/copy.h"

#include <inttypes.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

#define DIRECTORY "/mnt/copy"

void copy_begin(const struct disk *disk, char copy[MAPPER_PATH])
{
	char table[128];

	snprintf(table, sizeof(table), "0 %" PRIu64 " snapshot %s %s N 8",
		 mapper_sectors(disk->base), disk->base, disk->cow);
	mapper_create("copy", table, copy);
}

void copy_end(void)
{
	mapper_remove("copy");
}

static int run_judge(const struct disk *disk, const char *library)
{
	char path[256];
	pid_t child = fork();
	int status;

	if (child < 0)
		die("fork: %s", strerror(errno));
	if (child == 0) {
		snprintf(path, sizeof(path), DIRECTORY "/%s", disk->file);
		if (strcmp(library, "ours") == 0)
			setenv("LD_LIBRARY_PATH", "/ours", 1);
		else
			unsetenv("LD_LIBRARY_PATH");
		execl("/ours/judge", "judge", library, disk->notes, path, (char *)NULL);
		die("judge: %s", strerror(errno));
	}
	if (waitpid(child, &status, 0) != child)
		die("judge: %s", strerror(errno));
	return status;
}

bool copy_judge(const struct disk *disk, const char *copy, const char *library)
{
	const char *options = strcmp(disk->fstype, "xfs") == 0 ? "nouuid" : "";
	int status;

	if (mkdir(DIRECTORY, 0700) != 0 && errno != EEXIST)
		die(DIRECTORY ": %s", strerror(errno));
	if (mount(copy, DIRECTORY, disk->fstype, 0, options) != 0) {
		fprintf(stderr, "the file system is not mounted: %s\n", strerror(errno));
		return false;
	}
	status = run_judge(disk, library);
	if (umount2(DIRECTORY, 0) != 0)
		die(DIRECTORY ": %s", strerror(errno));
	return status == 0;
}

bool disk_judge(const struct disk *disk)
{
	static const char *const library[] = {"ours", "original"};
	char copy[MAPPER_PATH];
	bool good = true;

	for (unsigned i = 0; i < (disk->original ? 2 : 1); i++) {
		copy_begin(disk, copy);
		good = copy_judge(disk, copy, library[i]) && good;
		copy_end();
	}
	return good;
}
