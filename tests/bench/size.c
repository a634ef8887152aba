/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Does one thing with a pool, in a new process, and prints the time and the memory that it took.
 *
 *	size make FILE BSIZE GIB	makes a sparse file and a pool in it that nobody has written to
 *	size first FILE BSIZE		open, and one write
 *	size open FILE BSIZE		open
 *	size check FILE BSIZE		check
 *
 * Prints "MILLISECONDS,RESIDENT,PRIVATE": by how many KiB the largest resident memory has grown, and
 * by how many KiB the memory that belongs to no file has.
 */
#include <libpmemblk.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "bench.h"

static void die(const char *what)
{
	bench_die(what, pmemblk_errormsg());
}

/* The value of a line of /proc/self/status, in KiB. */
static long status(const char *name)
{
	FILE *f = fopen("/proc/self/status", "r");
	size_t len = strlen(name);
	char line[256];
	long kib = -1;

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, name, len) == 0)
			kib = atol(line + len);
	if (!f || kib < 0)
		bench_die(name, "not in /proc/self/status");
	fclose(f);
	return kib;
}

/* A new pool says nowhere how large it is, so it may grow before the first write. */
static void make(const char *path, size_t bsize, unsigned long gib)
{
	PMEMblkpool *pool = pmemblk_create(path, bsize, PMEMBLK_MIN_POOL, 0600);

	if (!pool)
		die(path);
	pmemblk_close(pool);
	if (truncate(path, (off_t)gib << 30) != 0)
		bench_die(path, "cannot become so large");
}

int main(int argc, char **argv)
{
	const char *op = argc > 3 ? argv[1] : "";
	const char *path = argc > 3 ? argv[2] : "";
	size_t bsize = argc > 3 ? strtoul(argv[3], NULL, 0) : 0;
	PMEMblkpool *pool = NULL;
	uint64_t ns = 0;
	long resident, private;
	char *buf;

	if (strcmp(op, "make") == 0 && argc > 4) {
		make(path, bsize, strtoul(argv[4], NULL, 0));
		return 0;
	}
	buf = calloc(1, bsize + 1);
	resident = status("VmHWM:");
	private = status("RssAnon:");
	ns = bench_now();
	if (strcmp(op, "check") == 0) {
		if (pmemblk_check(path, bsize) != 1)
			die(path);
	} else if (strcmp(op, "open") == 0 || strcmp(op, "first") == 0) {
		pool = pmemblk_open(path, bsize);
		if (!pool || !buf || (*op == 'f' && pmemblk_write(pool, buf, 1)))
			die(path);
	} else {
		fprintf(stderr, "usage: %s make|first|open|check FILE BSIZE [GIB]\n",
			argv[0]);
		return 2;
	}
	ns = bench_now() - ns;
	printf("%.3f,%ld,%ld\n", (double)ns / 1e6, status("VmHWM:") - resident,
	       status("RssAnon:") - private);
	if (pool)
		pmemblk_close(pool);
	free(buf);
	return 0;
}
