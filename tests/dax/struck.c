/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Uses a pool with sigbus.catch while its memory gets lost.
 *
 *	struck PATH BSIZE
 *
 * Makes the pool, opens it again, prints the offset in the file of one block's data and waits for
 * a line on its input. Before that line the page must have become bad. (The emulated memory
 * itself does not change, so a page that was mapped before could still be accessed.)
 */
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include <libpmemblk.h>

#include "guest.h"

#define NBLOCK 64
#define VICTIM 40
#define DISTANCE 50 /* so that no other block's huge page holds the victim */

/* More writes than a table has free blocks. */
#define ENOUGH 1000

static size_t bsize;

static void make_block(uint64_t *buf, unsigned block)
{
	for (size_t i = 0; i < bsize / 8; i++)
		buf[i] = mix(mix(block) + i);
}

static void *allocate(void)
{
	void *p = calloc(1, bsize);

	if (!p)
		die("out of memory");
	return p;
}

/* Where the contents of a block lie in the file. */
static uint64_t find(const char *path, unsigned block)
{
	uint64_t *want = allocate(), *buf = allocate(), off = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	make_block(want, block);
	do {
		if (fd < 0 || pread(fd, buf, bsize, (off_t)off) != (ssize_t)bsize)
			die("%s: block %u is nowhere", path, block);
		off += 512;
	} while (memcmp(buf, want, bsize) != 0);
	close(fd);
	free(want);
	free(buf);
	return off - 512;
}

/* All blocks but the victim, unless it has been written since, are as they were. */
static void expect_blocks(PMEMblkpool *pool, bool victim_lost)
{
	uint64_t *want = allocate(), *buf = allocate();

	for (unsigned i = 0; i < NBLOCK; i++) {
		int rc = pmemblk_read(pool, buf, i * DISTANCE);

		if (i == VICTIM && victim_lost) {
			if (rc != -1 || errno != EIO)
				die("the lost block can be read");
			printf("%s\n", pmemblk_errormsg());
			continue;
		}
		make_block(want, i);
		if (rc != 0 || memcmp(buf, want, bsize) != 0)
			die("block %u: %s", i,
			    rc ? pmemblk_errormsg() : "other contents");
	}
	free(want);
	free(buf);
}

int main(int argc, char **argv)
{
	PMEMblkpool *pool;
	uint64_t *buf;
	char line[16];
	int on = 1, n = 0;

	assert_ours((const void *)(uintptr_t)pmemblk_open);
	if (argc != 3)
		die("usage: see the top of tests/dax/struck.c");
	bsize = number(argv[2]);
	buf = allocate();
	if (pmemblk_ctl_set(NULL, "sigbus.catch", &on) != 0)
		die("%s", pmemblk_errormsg());
	pool = pmemblk_create(argv[1], bsize, PMEMBLK_MIN_POOL, 0600);
	if (!pool)
		die("%s: %s", argv[1], pmemblk_errormsg());
	for (unsigned i = 0; i < NBLOCK; i++) {
		make_block(buf, i);
		if (pmemblk_write(pool, buf, i * DISTANCE) != 0)
			die("block %u: %s", i, pmemblk_errormsg());
	}
	expect_blocks(pool, false);
	pmemblk_close(pool);
	pool = pmemblk_open(argv[1], bsize);
	if (!pool)
		die("%s: %s", argv[1], pmemblk_errormsg());
	printf("%llu\n", (unsigned long long)find(argv[1], VICTIM));
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		die("nobody says when to go on");
	expect_blocks(pool, true);
	/*
	 * After a write the block has another data block. The lost page then belongs to a free
	 * block.
	 */
	make_block(buf, VICTIM);
	if (pmemblk_write(pool, buf, VICTIM * DISTANCE) != 0)
		die("the lost block cannot be written: %s", pmemblk_errormsg());
	expect_blocks(pool, false);
	while (n < ENOUGH && pmemblk_write(pool, buf, VICTIM * DISTANCE) == 0)
		n++;
	if (n == ENOUGH || errno != EIO)
		die("no write meets the lost page");
	printf("%s\n", pmemblk_errormsg());
	if (pmemblk_write(pool, buf, VICTIM * DISTANCE) != -1 || errno != EIO)
		die("the pool can still be modified");
	expect_blocks(pool, false);
	pmemblk_close(pool);
	return 0;
}
