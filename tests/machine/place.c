/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Uses a file system with both libraries, for the scripts of this folder:
 *
 *	place use FOLDER SIZE		uses a pool, a mapped file of SIZE bytes and a file
 *					without a name; prints what fails
 *	place create FILE SIZE		pmemblk_create; prints the message when it fails
 *	place map FILE			maps an existing file between neighbours, unmaps it, and
 *					prints how many neighbours have changed
 *	place lose FILE SIZE		makes a pool of SIZE bytes with sigbus.catch, truncates its
 *					file and uses it
 */
#include <errno.h>
#include <libpmem.h>
#include <libpmemblk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEIGHBOURS 64
#define NEIGHBOUR_SIZE (1u << 20)

static int complain(const char *what, const char *message)
{
	printf("%s: %s (errno %d)\n", what, message, errno);
	return 1;
}

static int use_pool(const char *path, size_t size)
{
	char block[512] = "block";
	char read[512];
	struct stat st;
	PMEMblkpool *p = pmemblk_create(path, sizeof(block), size, 0644);

	if (!p)
		return complain("create", pmemblk_errormsg());
	for (int i = 0; i < 50; i++)
		if (pmemblk_write(p, block, i * 7) != 0)
			return complain("write", pmemblk_errormsg());
	pmemblk_close(p);
	if (stat(path, &st) != 0 || (size_t)st.st_size != size)
		return complain("stat", "the file has another size");
	p = pmemblk_open(path, 0);
	if (!p)
		return complain("open", pmemblk_errormsg());
	if (pmemblk_read(p, read, 49 * 7) != 0)
		return complain("read", pmemblk_errormsg());
	if (memcmp(block, read, sizeof(block)) != 0)
		return complain("read", "other data");
	pmemblk_close(p);
	if (pmemblk_check(path, 0) != 1)
		return complain("check", pmemblk_errormsg());
	unlink(path);
	return 0;
}

static int use_mapping(const char *path, size_t size, int flags)
{
	size_t len;
	int is_pmem;
	char *p =
	    pmem_map_file(path, size, PMEM_FILE_CREATE | flags, 0644, &len, &is_pmem);

	if (!p)
		return complain("map", pmem_errormsg());
	memset(p, 7, len);
	if (len != size || pmem_msync(p, len) != 0)
		return complain("msync", pmem_errormsg());
	if (pmem_unmap(p, len) != 0)
		return complain("unmap", pmem_errormsg());
	return 0;
}

/* A file that is extended must keep its contents. */
static int extend(const char *path, size_t size)
{
	size_t len;
	char *p = pmem_map_file(path, 2 * size, PMEM_FILE_CREATE, 0644, &len, NULL);

	if (!p)
		return complain("extend", pmem_errormsg());
	for (size_t i = 0; i < len; i++)
		if (p[i] != (i < size ? 7 : 0))
			return complain("extend", "the contents have changed");
	pmem_unmap(p, len);
	unlink(path);
	return 0;
}

static int use(const char *folder, size_t size)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/pool", folder);
	if (use_pool(path, size) != 0)
		return 1;
	snprintf(path, sizeof(path), "%s/file", folder);
	if (use_mapping(path, size, PMEM_FILE_EXCL) != 0 || extend(path, size) != 0)
		return 1;
	return use_mapping(folder, size, PMEM_FILE_TMPFILE);
}

static int map(const char *path)
{
	static char *neighbour[NEIGHBOURS];
	size_t len;
	int lost = 0;
	char *p;

	for (int i = 0; i < NEIGHBOURS; i++) {
		neighbour[i] = mmap(NULL, NEIGHBOUR_SIZE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memset(neighbour[i], 'N', NEIGHBOUR_SIZE);
	}
	p = pmem_map_file(path, 0, 0, 0, &len, NULL);
	if (!p)
		return complain("map", pmem_errormsg());
	for (int unmapped = 0; unmapped < 2; unmapped++) {
		for (int i = 0; i < NEIGHBOURS; i++)
			for (size_t at = 0; at < NEIGHBOUR_SIZE; at += 4096)
				if (neighbour[i][at] != 'N') {
					lost++;
					break;
				}
		if (!unmapped && pmem_unmap(p, len) != 0)
			return complain("unmap", pmem_errormsg());
	}
	printf("%zu bytes mapped, %d neighbours lost\n", len, lost);
	return lost != 0;
}

/* The blocks at the end of the data are lost, and the map behind them. */
static int lose(const char *path, size_t size)
{
	char block[4096] = "block";
	int on = 1;
	PMEMblkpool *p;

	if (pmemblk_ctl_set(NULL, "sigbus.catch", &on) != 0)
		return complain("ctl", pmemblk_errormsg());
	p = pmemblk_create(path, sizeof(block), size, 0644);
	if (!p)
		return complain("create", pmemblk_errormsg());
	if (pmemblk_write(p, block, 0) != 0)
		return complain("write", pmemblk_errormsg());
	if (truncate(path, 4 << 20) != 0)
		return complain("truncate", path);
	for (int i = 0; i < 2; i++)
		if (pmemblk_read(p, block, 0) != -1 || errno != EIO)
			return complain("read", "a lost page is read");
	if (pmemblk_write(p, block, 0) != -1 || errno != EIO)
		return complain("write", "a lost page is written");
	puts(pmemblk_errormsg());
	pmemblk_close(p);
	unlink(path);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "use") == 0)
		return use(argv[2], strtoull(argv[3], NULL, 0));
	if (argc == 4 && strcmp(argv[1], "create") == 0) {
		PMEMblkpool *p =
		    pmemblk_create(argv[2], 512, strtoull(argv[3], NULL, 0), 0644);

		if (!p)
			return complain("create", pmemblk_errormsg());
		pmemblk_close(p);
		return 0;
	}
	if (argc == 4 && strcmp(argv[1], "lose") == 0)
		return lose(argv[2], strtoull(argv[3], NULL, 0));
	if (argc == 3 && strcmp(argv[1], "map") == 0)
		return map(argv[2]);
	return 2;
}
