/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The same operations on a pool and on a block device, so that the two can be compared.
 *
 *	array fill PATH BSIZE SEED COUNT	COUNT blocks, chosen and made from SEED
 *	array mark PATH BSIZE BLOCK		a pool: BLOCK becomes zero, BLOCK + 1 an error
 *	array dump PATH BSIZE			a line for the number of blocks, one for each
 *						that is not zero: "number hash" or "number error"
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <linux/fs.h>
#include <unistd.h>

#include <libpmemblk.h>

#include "guest.h"

/* Pieces of a device that hold zeros are skipped so many bytes at a time. */
#define CHUNK ((size_t)16 << 10)

struct array {
	size_t bsize;
	uint64_t nblock;
	PMEMblkpool *pool; /* or NULL, and then */
	int fd;
};

static void open_array(struct array *a, const char *path, size_t bsize)
{
	struct stat st;
	uint64_t size;

	*a = (struct array){.bsize = bsize, .fd = -1};
	if (stat(path, &st) != 0)
		die("%s: %s", path, strerror(errno));
	if (S_ISBLK(st.st_mode)) {
		int sector;

		/* Bypasses the page cache, so that blocks reach the device one by one. */
		a->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
		if (a->fd < 0 || ioctl(a->fd, BLKGETSIZE64, &size) != 0 ||
		    ioctl(a->fd, BLKSSZGET, &sector) != 0)
			die("%s: %s", path, strerror(errno));
		if ((size_t)sector != bsize)
			die("%s: has sectors of %d bytes", path, sector);
		a->nblock = size / bsize;
		return;
	}
	a->pool = pmemblk_open(path, bsize);
	if (!a->pool)
		die("%s: %s", path, pmemblk_errormsg());
	a->nblock = pmemblk_nblock(a->pool);
}

static void close_array(struct array *a)
{
	if (a->pool)
		pmemblk_close(a->pool);
	else if (fsync(a->fd) != 0 || close(a->fd) != 0)
		die("closing: %s", strerror(errno));
}

static void *allocate(size_t size)
{
	void *p = aligned_alloc(4096, (size + 4095) / 4096 * 4096);

	if (!p)
		die("out of memory");
	return p;
}

static void fill(struct array *a, uint64_t seed, uint64_t count)
{
	uint64_t *buf = allocate(a->bsize);

	for (uint64_t i = 0; i < count; i++) {
		uint64_t lba = mix(seed + i) % a->nblock;

		/* The first and the last block are always chosen. */
		if (i < 2)
			lba = i * (a->nblock - 1);
		for (size_t k = 0; k < a->bsize / 8; k++)
			buf[k] = mix(mix(seed ^ lba) + i + k);
		if (a->pool ? pmemblk_write(a->pool, buf, (long long)lba) != 0
			    : pwrite(a->fd, buf, a->bsize, (off_t)(lba * a->bsize)) !=
				  (ssize_t)a->bsize)
			die("block %" PRIu64 ": %s", lba,
			    a->pool ? pmemblk_errormsg() : strerror(errno));
	}
	free(buf);
}

static void mark(struct array *a, long long lba)
{
	if (!a->pool || pmemblk_set_zero(a->pool, lba) != 0 ||
	    pmemblk_set_error(a->pool, lba + 1) != 0)
		die("block %lld: %s", lba, pmemblk_errormsg());
}

static int read_block(struct array *a, uint64_t lba, void *buf)
{
	if (a->pool)
		return pmemblk_read(a->pool, buf, (long long)lba) == 0 ? 0 : errno;
	return pread(a->fd, buf, a->bsize, (off_t)(lba * a->bsize)) == (ssize_t)a->bsize
		   ? 0
		   : errno;
}

static void print_block(const struct array *a, uint64_t lba, const uint64_t *buf,
			int error)
{
	uint64_t hash = 0, any = 0;

	if (error) {
		if (error != EIO)
			die("block %" PRIu64 ": %s", lba, strerror(error));
		printf("%" PRIu64 " error\n", lba);
		return;
	}
	for (size_t k = 0; k < a->bsize / 8; k++)
		any |= buf[k];
	if (!any)
		return;
	for (size_t k = 0; k < a->bsize / 8; k++)
		hash = mix(hash ^ buf[k]);
	printf("%" PRIu64 " %016" PRIx64 "\n", lba, hash);
}

/*
 * Whether a piece of the device holds only zeros. The answer can be no although it does: Linux
 * 6.1 stops reading a page at the first block that is marked as zero, without an error, and
 * leaves the rest of the buffer untouched.
 */
static bool read_zeros(const struct array *a, uint64_t *buf, size_t len, uint64_t off)
{
	memset(buf, 0xa5, len);
	if (a->pool || pread(a->fd, buf, len, (off_t)off) != (ssize_t)len)
		return false;
	for (size_t k = 0; k < len / 8; k++)
		if (buf[k])
			return false;
	return true;
}

static void dump(struct array *a)
{
	uint64_t nchunk = CHUNK / a->bsize;
	uint64_t *buf = allocate(CHUNK);

	printf("%" PRIu64 " blocks\n", a->nblock);
	for (uint64_t lba = 0; lba < a->nblock; lba += nchunk) {
		uint64_t n = a->nblock - lba < nchunk ? a->nblock - lba : nchunk;

		if (read_zeros(a, buf, n * a->bsize, lba * a->bsize))
			continue;
		for (uint64_t i = lba; i < lba + n; i++)
			print_block(a, i, buf, read_block(a, i, buf));
	}
	free(buf);
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";
	struct array a;

	assert_ours((const void *)(uintptr_t)pmemblk_open);
	if (argc < 4)
		die("usage: see the top of tests/dax/array.c");
	open_array(&a, argv[2], number(argv[3]));
	if (!strcmp(command, "fill") && argc == 6)
		fill(&a, number(argv[4]), number(argv[5]));
	else if (!strcmp(command, "mark") && argc == 5)
		mark(&a, (long long)number(argv[4]));
	else if (!strcmp(command, "dump") && argc == 4)
		dump(&a);
	else
		die("usage: see the top of tests/dax/array.c");
	close_array(&a);
	return 0;
}
