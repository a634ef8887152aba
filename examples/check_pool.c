/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check_pool [-p] POOL
 *
 * Says whether a pool is consistent, and reads every block of it. It shows a progress bar on a
 * terminal, or with -p. Exit status: 0 consistent, 1 damaged, 2 the pool could not be examined.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libpmemblk.h>

static void show_progress(long long done, long long total)
{
	enum { WIDTH = 40 };
	int filled = total ? (int)(done * WIDTH / total) : WIDTH;

	fprintf(stderr, "\r[%.*s%*s] %3d %%", filled,
		"########################################", WIDTH - filled, "",
		total ? (int)(done * 100 / total) : 100);
	if (done == total)
		fputc('\n', stderr);
}

int main(int argc, char **argv)
{
	int progress = isatty(STDERR_FILENO), opt;
	long long nblock, nbad = 0, nerror = 0;
	PMEMblkpool *pool;
	const char *path;
	char *block;

	while ((opt = getopt(argc, argv, "p")) != -1) {
		if (opt != 'p')
			return 2;
		progress = 1;
	}
	if (argc - optind != 1) {
		fprintf(stderr, "usage: %s [-p] POOL\n", argv[0]);
		return 2;
	}
	path = argv[optind];

	/* First check the pool's own metadata. This changes nothing. */
	switch (pmemblk_check(path, 0)) {
	case 1:
		break;
	case 0:
		printf("%s: damaged: %s\n", path, pmemblk_errormsg());
		return 1;
	default:
		if (errno == EAGAIN)
			printf("%s: in use by another process\n", path);
		else
			printf("%s: cannot be examined: %s\n", path, pmemblk_errormsg());
		return 2;
	}

	/* Then see whether all data can be read. */
	pool = pmemblk_open(path, 0);
	if (!pool) {
		printf("%s: cannot be opened: %s\n", path, pmemblk_errormsg());
		return 2;
	}
	block = malloc(pmemblk_bsize(pool));
	if (!block) {
		perror("malloc");
		return 2;
	}
	nblock = (long long)pmemblk_nblock(pool);
	for (long long b = 0; b < nblock; b++) {
		if (pmemblk_read(pool, block, b) != 0) {
			if (errno == EIO)
				nerror++;
			else
				nbad++;
		}
		/* Show the progress a hundred times. */
		if (progress &&
		    ((b + 1) * 100 / nblock != b * 100 / nblock || b + 1 == nblock))
			show_progress(b + 1, nblock);
	}
	printf("%s: consistent, %lld blocks of %zu bytes", path, nblock,
	       pmemblk_bsize(pool));
	if (nerror)
		printf(", %lld in the error state", nerror);
	if (nbad)
		printf(", %lld cannot be read", nbad);
	putchar('\n');
	free(block);
	pmemblk_close(pool);
	return nbad ? 1 : 0;
}
