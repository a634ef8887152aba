/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Creates pools until the power is cut, and checks afterwards whether the last one is whole.
 *
 *	birth run PATH JOURNAL
 *	birth verify PATH JOURNAL	prints what was found
 *
 * The journal, a file mapped on persistent memory, records the progress of the last pool. When
 * pmemblk_create() had returned, the pool has to exist; when pmemblk_write() had returned, its
 * block has to be there. Before that there may be a file without permissions, which is no pool
 * yet, but never a file that looks complete and is not.
 */
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libpmem.h>
#include <libpmemblk.h>

#include "guest.h"

#define BSIZE 512
#define MODE 0640
#define BLOCK 5

enum phase { PROMISED_NOTHING, CREATED, WRITTEN };

struct journal {
	_Atomic uint64_t phase;
	_Atomic uint64_t number; /* of the pool */
};

static void make_block(uint64_t *buf, uint64_t number)
{
	for (size_t i = 0; i < BSIZE / 8; i++)
		buf[i] = mix(mix(number) + i);
}

static void run(const char *path, struct journal *j)
{
	uint64_t buf[BSIZE / 8];

	for (unsigned i = 1;; i++) {
		PMEMblkpool *pool;

		j->phase = PROMISED_NOTHING;
		j->number++;
		unlink(path);
		pool = pmemblk_create(path, BSIZE, PMEMBLK_MIN_POOL, MODE);
		if (!pool)
			die("%s: %s", path, pmemblk_errormsg());
		j->phase = CREATED;
		make_block(buf, j->number);
		if (pmemblk_write(pool, buf, BLOCK) != 0)
			die("%s: %s", path, pmemblk_errormsg());
		j->phase = WRITTEN;
		pmemblk_close(pool);
		if (i == 2 && write(STDOUT_FILENO, "ready\n", 6) != 6)
			die("stdout: %s", strerror(errno));
	}
}

/* The number of the pool that the block was written in, 0 if it was not. */
static uint64_t written_in(const uint64_t *block, uint64_t newest)
{
	uint64_t want[BSIZE / 8] = {0};

	if (memcmp(block, want, BSIZE) == 0)
		return 0;
	for (uint64_t n = newest; n > 0 && n + 1 >= newest; n--) {
		make_block(want, n);
		if (memcmp(block, want, BSIZE) == 0)
			return n;
	}
	die("the block written into the pool is damaged");
}

static void verify(const char *path, const struct journal *j)
{
	static const char *const names[] = {"being created", "created", "written"};
	uint64_t buf[BSIZE / 8], phase = j->phase, number;
	PMEMblkpool *pool;
	struct stat st;

	if (phase == PROMISED_NOTHING &&
	    (stat(path, &st) != 0 || (st.st_mode & 0777) == 0)) {
		printf("pool %llu: not there yet\n", (unsigned long long)j->number);
		return;
	}
	if (stat(path, &st) != 0 || (st.st_mode & 0777) != MODE)
		die("%s: is not there, or without its permissions", path);
	if (pmemblk_check(path, BSIZE) != 1)
		die("%s: the check fails: %s", path, pmemblk_errormsg());
	pool = pmemblk_open(path, BSIZE);
	if (!pool)
		die("%s: %s", path, pmemblk_errormsg());
	for (long long lba = 0; lba < (long long)pmemblk_nblock(pool); lba++) {
		if (pmemblk_read(pool, buf, lba) != 0)
			die("%s: %s", path, pmemblk_errormsg());
		number = written_in(buf, lba == BLOCK ? j->number : 0);
		if (lba == BLOCK && phase == WRITTEN && number != j->number)
			die("%s: the block that was written is lost", path);
		if (lba == BLOCK && phase == CREATED && number != 0 &&
		    number != j->number)
			die("%s: is the pool before the last one", path);
	}
	pmemblk_close(pool);
	printf("pool %llu: was %s\n", (unsigned long long)j->number, names[phase]);
}

int main(int argc, char **argv)
{
	struct journal *j;
	int is_pmem;

	assert_ours((const void *)(uintptr_t)pmem_map_file);
	assert_ours((const void *)(uintptr_t)pmemblk_open);
	if (argc != 4)
		die("usage: see the top of tests/dax/birth.c");
	j = pmem_map_file(argv[3], 4096, PMEM_FILE_CREATE, 0600, NULL, &is_pmem);
	if (!j || !is_pmem)
		die("%s: %s", argv[3], pmem_errormsg());
	if (strcmp(argv[1], "run") == 0)
		run(argv[2], j);
	else
		verify(argv[2], j);
	return 0;
}
