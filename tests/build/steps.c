/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Uses a pool in several steps. It announces each step by an access(2) of a path that does not
 * exist, "/step/NAME", so that a trace of system calls can be divided into the steps.
 *
 *	steps POOL
 */
#include <libpmemblk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void step(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/step/%s", name);
	if (access(path, F_OK) == 0)
		exit(2);
}

static void must(int done)
{
	if (done)
		return;
	fprintf(stderr, "%s\n", pmemblk_errormsg());
	exit(1);
}

int main(int argc, char **argv)
{
	PMEMblkpool *pool;
	static char many[200 * 512];
	struct pmemblk_iovec iov[64];
	char buf[512];

	if (argc != 2)
		return 2;
	memset(buf, 0x5a, sizeof(buf));
	step("create");
	pool = pmemblk_create(argv[1], sizeof(buf), PMEMBLK_MIN_POOL, 0600);
	must(pool != NULL);
	step("first-write");
	must(pmemblk_write(pool, buf, 0) == 0);
	step("write");
	must(pmemblk_write(pool, buf, 1) == 0);
	step("overwrite");
	must(pmemblk_write(pool, buf, 1) == 0);
	step("read");
	must(pmemblk_read(pool, buf, 1) == 0);
	step("set-zero");
	must(pmemblk_set_zero(pool, 1) == 0);
	step("set-zero-again");
	must(pmemblk_set_zero(pool, 1) == 0);
	step("set-error");
	must(pmemblk_set_error(pool, 2) == 0);
	/* far from each other, and a run that is longer than a chunk */
	for (int i = 0; i < 64; i++)
		iov[i] = (struct pmemblk_iovec){buf, 37 * i % 64 * 300, 1};
	step("batch-of-16");
	must(pmemblk_writev(pool, iov, 16, NULL) == 0);
	step("batch-of-64");
	must(pmemblk_writev(pool, iov, 64, NULL) == 0);
	step("batch-of-200");
	iov[0] = (struct pmemblk_iovec){many, 100, 200};
	must(pmemblk_writev(pool, iov, 1, NULL) == 0);
	step("batch-read");
	must(pmemblk_readv(pool, iov, 64, NULL) == 0);
	step("zero-range");
	must(pmemblk_set_zero_range(pool, 0, 4096, NULL) == 0);
	step("zero-range-of-nothing");
	must(pmemblk_set_zero_range(pool, 0, 0, NULL) == 0);
	step("close");
	pmemblk_close(pool);
	step("open");
	pool = pmemblk_open(argv[1], sizeof(buf));
	must(pool != NULL);
	step("close-unchanged");
	pmemblk_close(pool);
	step("check");
	must(pmemblk_check(argv[1], sizeof(buf)) == 1);
	step("end");
	return 0;
}
