/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * array_copy in FILE POOL	creates a pool and copies a file into it
 * array_copy out POOL FILE	copies the file out of it again
 *
 * Copies many blocks with one call. On an ordinary file such a batch takes two syncs. If each block
 * were written by a call of its own, each would take two.
 *
 * The blocks of a batch have no order, and a power loss may come in the middle of it. So
 * block 0 is written at the end, by a call of its own: it holds the length of the file. As
 * long as it reads as zeros, the pool holds no file.
 *
 * The functions for batches are an extension, which the header announces by a macro. With
 * another header this program is compiled without them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <libpmemblk.h>

#define BLOCK_SIZE ((size_t)4096)
#define BATCH ((size_t)64)

static const char mark[16] = "array_copy";

/* Block 0. */
struct head {
	char mark[16];
	unsigned long long length; /* of the file, in bytes */
	char unused[BLOCK_SIZE - 24];
};

static _Noreturn void die(const char *what, const char *message)
{
	fprintf(stderr, "%s: %s\n", what, message);
	exit(1);
}

#ifdef PMEMBLK_HAVE_BATCHES

static void put(PMEMblkpool *pool, char *buf, long long first, size_t n)
{
	struct pmemblk_iovec run = {buf, first, n};

	if (pmemblk_writev(pool, &run, 1, NULL) != 0)
		die("write", pmemblk_errormsg());
}

static void get(PMEMblkpool *pool, char *buf, long long first, size_t n)
{
	struct pmemblk_iovec run = {buf, first, n};
	long long failed;

	if (pmemblk_readv(pool, &run, 1, &failed) != 0) {
		fprintf(stderr, "block %lld cannot be read\n", failed);
		die("read", pmemblk_errormsg());
	}
}

#else

static void put(PMEMblkpool *pool, char *buf, long long first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pmemblk_write(pool, buf + i * BLOCK_SIZE, first + (long long)i) != 0)
			die("write", pmemblk_errormsg());
}

static void get(PMEMblkpool *pool, char *buf, long long first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pmemblk_read(pool, buf + i * BLOCK_SIZE, first + (long long)i) != 0)
			die("read", pmemblk_errormsg());
}

#endif

/* The number of blocks that hold so many bytes. */
static size_t blocks_of(unsigned long long length)
{
	return (size_t)((length + BLOCK_SIZE - 1) / BLOCK_SIZE);
}

/* A pool with room for the file; the rest is for its metadata. */
static PMEMblkpool *create_pool(const char *path, unsigned long long length)
{
	size_t size = PMEMBLK_MIN_POOL + (blocks_of(length) + 1) * (BLOCK_SIZE + 8);
	PMEMblkpool *pool = pmemblk_create(path, BLOCK_SIZE, size, 0666);

	if (!pool)
		die(path, pmemblk_errormsg());
	return pool;
}

static void copy_in(const char *from, const char *to)
{
	static char buf[BATCH * BLOCK_SIZE];
	struct head head = {.length = 0};
	FILE *file = fopen(from, "rb");
	PMEMblkpool *pool;
	struct stat st;
	size_t n;

	if (!file || fstat(fileno(file), &st) != 0)
		die(from, strerror(errno));
	pool = create_pool(to, (unsigned long long)st.st_size);
	while ((n = fread(buf, 1, sizeof(buf), file)) > 0) {
		size_t nblock = blocks_of(n);
		size_t first = 1 + (size_t)(head.length / BLOCK_SIZE);

		if (first + nblock > pmemblk_nblock(pool))
			die(from, "became longer meanwhile");
		memset(buf + n, 0, nblock * BLOCK_SIZE - n);
		put(pool, buf, (long long)first, nblock);
		head.length += n;
	}
	if (ferror(file))
		die(from, "cannot be read to its end");
	fclose(file);

	/* All calls have returned: the file is durable. Now it becomes valid. */
	memcpy(head.mark, mark, sizeof(mark));
	if (pmemblk_write(pool, &head, 0) != 0)
		die(to, pmemblk_errormsg());
	pmemblk_close(pool);
	printf("%llu bytes in %zu blocks\n", head.length, blocks_of(head.length));
}

static void copy_out(const char *from, const char *to)
{
	static char buf[BATCH * BLOCK_SIZE];
	PMEMblkpool *pool = pmemblk_open(from, BLOCK_SIZE);
	unsigned long long left;
	long long next = 1;
	struct head head;
	FILE *file;

	if (!pool || pmemblk_read(pool, &head, 0) != 0)
		die(from, pmemblk_errormsg());
	if (memcmp(head.mark, mark, sizeof(mark)) != 0 ||
	    blocks_of(head.length) >= pmemblk_nblock(pool))
		die(from, "holds no file");
	file = fopen(to, "wb");
	if (!file)
		die(to, strerror(errno));
	for (left = head.length; left > 0;) {
		size_t n = left < sizeof(buf) ? (size_t)left : sizeof(buf);

		get(pool, buf, next, blocks_of(n));
		if (fwrite(buf, 1, n, file) != n)
			die(to, strerror(errno));
		next += (long long)blocks_of(n);
		left -= n;
	}
	if (fclose(file) != 0)
		die(to, strerror(errno));
	pmemblk_close(pool);
	printf("%llu bytes from %zu blocks\n", head.length, blocks_of(head.length));
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "in") == 0) {
		copy_in(argv[2], argv[3]);
	} else if (argc == 4 && strcmp(argv[1], "out") == 0) {
		copy_out(argv[2], argv[3]);
	} else {
		fprintf(stderr, "usage: %s in FILE POOL | out POOL FILE\n", argv[0]);
		return 2;
	}
	return 0;
}
