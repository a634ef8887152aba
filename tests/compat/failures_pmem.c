/* SPDX-License-Identifier: BSD-3-Clause */
#include "failures.h"

#include <libpmem.h>
#include <stddef.h>
#include <sys/mman.h>

static void map(const char *name, size_t len, int flags)
{
	pmem_map_file(failures_in_folder(name), len, flags, 0644, NULL, NULL);
}

static void map_missing(void)
{
	map("file", 0, 0);
}
static void map_no_folder(void)
{
	map("missing/file", 4096, PMEM_FILE_CREATE);
}
static void map_length_0(void)
{
	map("file", 0, PMEM_FILE_CREATE);
}
static void map_length_without_create(void)
{
	failures_make_file("file", 4096);
	map("file", 4096, 0);
}
static void map_flags(void)
{
	map("file", 4096, 1 << 30);
}
static void map_exists(void)
{
	failures_make_file("file", 4096);
	map("file", 4096, PMEM_FILE_CREATE | PMEM_FILE_EXCL);
}
static void map_tmpfile_without_create(void)
{
	pmem_map_file(failures_folder, 0, PMEM_FILE_TMPFILE, 0644, NULL, NULL);
}
static void map_tmpfile_no_folder(void)
{
	map("missing", 4096, PMEM_FILE_CREATE | PMEM_FILE_TMPFILE);
}
static void map_folder(void)
{
	pmem_map_file(failures_folder, 0, 0, 0, NULL, NULL);
}
static void map_device(void)
{
	pmem_map_file("/dev/null", 0, 0, 0, NULL, NULL);
}
static void map_empty(void)
{
	failures_make_file("file", 0);
	map("file", 0, 0);
}
static void map_2_63(void)
{
	map("file", (size_t)1 << 63, PMEM_FILE_CREATE);
}
static void map_beyond_limit(void)
{
	failures_limit_files(4096);
	map("file", MIB, PMEM_FILE_CREATE);
}
static void map_no_memory(void)
{
	failures_limit_memory(32 * MIB);
	map("file", 64 * MIB, PMEM_FILE_CREATE | PMEM_FILE_SPARSE);
}
static void unmap_unaligned(void)
{
	pmem_unmap((void *)0x1001, 4096);
}
static void unmap_0(void)
{
	pmem_unmap((void *)0x1000, 0);
}
static void msync_unmapped(void)
{
	char *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(p, 4096);
	pmem_msync(p, 4096);
}
static void pmem_major(void)
{
	pmem_check_version(2, 0);
}
static void pmem_minor(void)
{
	pmem_check_version(1, 99);
}

const struct failure pmem_failures[] = {
    FAILURE(map_missing),
    FAILURE(map_no_folder),
    FAILURE(map_length_0),
    FAILURE(map_length_without_create),
    FAILURE(map_flags),
    FAILURE(map_exists),
    FAILURE(map_tmpfile_without_create),
    FAILURE(map_tmpfile_no_folder),
    FAILURE(map_folder),
    FAILURE(map_device),
    FAILURE(map_empty),
    FAILURE(map_2_63),
    FAILURE(map_beyond_limit),
    FAILURE(map_no_memory),
    FAILURE(unmap_unaligned),
    FAILURE(unmap_0),
    FAILURE(msync_unmapped),
    FAILURE(pmem_major),
    FAILURE(pmem_minor),
    {0},
};
