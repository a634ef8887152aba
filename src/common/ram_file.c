/* SPDX-License-Identifier: BSD-3-Clause */
#include "ram_file.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>

#include "cgroup.h"
#include "errormsg.h"
#include "sysfs.h"

#define RAMFS 0x858458f6u
#define TMPFS 0x01021994u

/* The f_type of a file system that keeps files in memory; 0 for others. */
static unsigned find_type(int fd, bool *has_limit)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0)
		return 0;
	*has_limit = fs.f_blocks != 0;
	return fs.f_type == RAMFS || fs.f_type == TMPFS ? (unsigned)fs.f_type : 0;
}

/* Reads a file of /proc; "" if that is impossible. */
static const char *load_text(const char *path, char *text, size_t size)
{
	ssize_t n = sysfs_read(path, text, size - 1);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

/*
 * The machine's memory that can be allocated without swapping, and its free swap. Without /proc: all
 * memory of the machine.
 */
static uint64_t machine_memory(uint64_t *swap)
{
	char text[4096];
	uint64_t kib;
	struct sysinfo info;

	*swap = 0;
	load_text("/proc/meminfo", text, sizeof(text));
	if (sysfs_find_number(text, "SwapFree:", &kib))
		*swap = kib * 1024;
	if (sysfs_find_number(text, "MemAvailable:", &kib))
		return kib * 1024;
	if (sysinfo(&info) != 0)
		return UINT64_MAX;
	*swap = (uint64_t)info.freeswap * info.mem_unit;
	return (uint64_t)info.totalram * info.mem_unit;
}

bool ram_file_has_room(int fd, uint64_t len)
{
	char text[8192];
	bool has_limit;
	unsigned type = find_type(fd, &has_limit);
	struct stat st;
	uint64_t has;
	uint64_t swap;
	uint64_t machine;
	uint64_t spare;

	if (!type || fstat(fd, &st) != 0)
		return true;
	has = (uint64_t)st.st_blocks * 512;
	machine = machine_memory(&swap);
	spare = cgroup_spare_memory(load_text("/proc/self/cgroup", text, sizeof(text)));
	if (!has_limit && machine < spare)
		spare = machine;
	if (type == TMPFS)
		spare = swap < UINT64_MAX - spare ? spare + swap : UINT64_MAX;
	return len <= has || len - has <= spare;
}

int ram_file_check_length(int fd, uint64_t len)
{
	struct sysinfo info;
	uint64_t memory;
	bool has_limit;

	if (find_type(fd, &has_limit) != RAMFS || sysinfo(&info) != 0)
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
