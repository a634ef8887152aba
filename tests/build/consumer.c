/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * usage: consumer FOLDER [LIBRARY-FOLDER]
 * A program as a user of both libraries writes it, built by test_consumers.sh through
 * pkg-config, as C and as C++. With LIBRARY-FOLDER it fails unless the libraries come from
 * there.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpmem.h>
#include <libpmemblk.h>

static int comes_from(const void *function, const char *folder)
{
	char real_folder[PATH_MAX], real_file[PATH_MAX];
	Dl_info info;

	if (!dladdr((void *)(size_t)function, &info) || !realpath(folder, real_folder) ||
	    !realpath(info.dli_fname, real_file))
		return 0;
	return !strncmp(real_file, real_folder, strlen(real_folder));
}

int main(int argc, char **argv)
{
	char path[2 * PATH_MAX], block[512];
	PMEMblkpool *pool;
	size_t len = 0;
	char *text;

	if (argc < 2)
		return 2;
	if (argc > 2 && (!comes_from((const void *)(size_t)pmem_map_file, argv[2]) ||
			 !comes_from((const void *)(size_t)pmemblk_open, argv[2]))) {
		fprintf(stderr, "the libraries do not come from %s\n", argv[2]);
		return 3;
	}
	if (pmem_check_version(PMEM_MAJOR_VERSION, PMEM_MINOR_VERSION) ||
	    pmemblk_check_version(PMEMBLK_MAJOR_VERSION, PMEMBLK_MINOR_VERSION))
		return 4;

	snprintf(path, sizeof(path), "%s/text", argv[1]);
	text = (char *)pmem_map_file(path, 4096, PMEM_FILE_CREATE, 0644, &len, NULL);
	if (!text) {
		fprintf(stderr, "%s\n", pmem_errormsg());
		return 5;
	}
	pmem_memcpy_nodrain(text, "durable", 8);
	if (pmem_msync(text, len) || pmem_unmap(text, len))
		return 6;

	snprintf(path, sizeof(path), "%s/pool", argv[1]);
	pool = pmemblk_create(path, sizeof(block), PMEMBLK_MIN_POOL, 0644);
	if (!pool) {
		fprintf(stderr, "%s\n", pmemblk_errormsg());
		return 7;
	}
	memset(block, 'x', sizeof(block));
	if (pmemblk_write(pool, block, 5))
		return 8;
	pmemblk_close(pool);
	if (pmemblk_check(path, sizeof(block)) != 1)
		return 9;
	printf("works\n");
	return 0;
}
