/* SPDX-License-Identifier: BSD-3-Clause */
#include "ram_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>

#include "errormsg.h"
#include "sysfs.h"

#define RAMFS 0x858458f6u
#define TMPFS 0x01021994u

/* The f_type of a file system without a limit; 0 if it has one. */
static unsigned type_without_limit(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0 || fs.f_blocks != 0)
		return 0;
	return (unsigned)fs.f_type;
}

/* The value of a line of /proc/meminfo in bytes; UINT64_MAX if there is no such line. */
static uint64_t find_line(const char *meminfo, const char *name)
{
	const char *at = strstr(meminfo, name);

	return at ? strtoull(at + strlen(name), NULL, 10) * 1024 : UINT64_MAX;
}

/*
 * Memory that can be allocated without swapping, or, if swaps is true, with it. Without /proc:
 * all memory of the machine.
 */
static uint64_t spare_memory(bool swaps)
{
	char text[4096];
	ssize_t n = sysfs_read("/proc/meminfo", text, sizeof(text) - 1);
	uint64_t memory = UINT64_MAX;
	uint64_t swap = 0;
	struct sysinfo info;

	if (n > 0) {
		text[n] = '\0';
		memory = find_line(text, "\nMemAvailable:");
		swap = find_line(text, "\nSwapFree:");
	}
	if (memory == UINT64_MAX && sysinfo(&info) == 0) {
		memory = (uint64_t)info.totalram * info.mem_unit;
		swap = (uint64_t)info.freeswap * info.mem_unit;
	}
	return swaps && swap != UINT64_MAX && memory <= UINT64_MAX - swap ? memory + swap
									  : memory;
}

bool ram_file_has_room(int fd, uint64_t len)
{
	unsigned type = type_without_limit(fd);
	struct stat st;
	uint64_t has;

	if ((type != RAMFS && type != TMPFS) || fstat(fd, &st) != 0)
		return true;
	has = (uint64_t)st.st_blocks * 512;
	return len <= has || len - has <= spare_memory(type == TMPFS);
}

int ram_file_check_length(int fd, uint64_t len)
{
	struct sysinfo info;
	uint64_t memory;

	if (type_without_limit(fd) != RAMFS || sysinfo(&info) != 0)
		return 0;
	memory = (uint64_t)info.totalram * info.mem_unit;
	if (len <= memory)
		return 0;
	return errormsg_fail(
	    EFBIG,
	    "it has %llu bytes on ramfs, which keeps files in memory, and "
	    "the machine has %llu",
	    ULL(len), ULL(memory));
}
