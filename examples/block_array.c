/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * block_array POOL
 *
 * Creates an array of 4096-byte blocks in a file, writes some of them, opens the array again,
 * reads the blocks back and checks the pool. When the call returns, the write is complete and
 * durable. If the program ends before, the write has happened or not: there is never a
 * half-written block.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpmemblk.h>

#define BLOCK_SIZE 4096
#define POOL_SIZE ((size_t)32 << 20)

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, pmemblk_errormsg());
	exit(1);
}

static void write_blocks(const char *path)
{
	PMEMblkpool *pool = pmemblk_create(path, BLOCK_SIZE, POOL_SIZE, 0666);
	char block[BLOCK_SIZE];

	if (!pool)
		die("create");
	printf("created: %zu blocks of %zu bytes\n", pmemblk_nblock(pool),
	       pmemblk_bsize(pool));
	for (long long i = 0; i < 5; i++) {
		memset(block, 0, sizeof(block));
		snprintf(block, sizeof(block), "this is block %lld", i);
		if (pmemblk_write(pool, block, i) != 0)
			die("write");
	}
	/* This is cheap, because no data are written. */
	if (pmemblk_set_zero(pool, 1) != 0)
		die("set_zero");
	/*
	 * Marks data that are known to be lost: reading fails until the block is written again.
	 */
	if (pmemblk_set_error(pool, 2) != 0)
		die("set_error");
	pmemblk_close(pool);
}

static void read_blocks(const char *path)
{
	PMEMblkpool *pool = pmemblk_open(path, BLOCK_SIZE);
	char block[BLOCK_SIZE];

	if (!pool)
		die("open");
	for (long long i = 0; i < 6; i++) {
		if (pmemblk_read(pool, block, i) == 0)
			printf("block %lld: \"%s\"\n", i, block);
		else if (errno == EIO)
			printf("block %lld: error\n", i);
		else
			die("read");
	}
	pmemblk_close(pool);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s POOL\n", argv[0]);
		return 2;
	}
	write_blocks(argv[1]);
	read_blocks(argv[1]);
	switch (pmemblk_check(argv[1], BLOCK_SIZE)) {
	case 1:
		printf("the pool is consistent\n");
		return 0;
	case 0:
		printf("the pool is damaged: %s\n", pmemblk_errormsg());
		return 1;
	default:
		die("check");
	}
}
