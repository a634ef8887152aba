/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pool files. The input is a list of changes, 8 bytes each, to the metadata of a pool that
 * holds data, or of a fresh one (first byte odd):
 *
 *	byte 0	the kind: store to a place, correct a checksum, truncate to a length
 *	byte 1	width of the value, 1 << (byte % 4)
 *	2, 3	position, scaled to the place
 *	4 to 7	the value
 *
 * Then the pool is checked, opened, read and written. The results of check and open must agree, a
 * check must not change the file, and a block must read back as it was written.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <libpmemblk.h>
#include <sys/stat.h>

#include "image.h"

#define PAGE 4096
#define SIZE ((off_t)17 << 20)
#define BSIZE 512

enum { HEADER, INFO, TAIL, NPIECE };

/* Where the metadata of a pool of this size lie. */
static const struct {
	off_t off;
	size_t len;
} piece[NPIECE] = {
    [HEADER] = {0, 2 * PAGE},
    [INFO] = {2 * PAGE, PAGE},
    [TAIL] = {SIZE - (200 << 10), 200 << 10}, /* map, flog, copy */
};

static struct pool {
	char path[64];
	int fd;
	unsigned char *good[NPIECE];
	uint64_t map;
	uint64_t flog;
	uint64_t copy;
} pools[2];

static void remove_files(void)
{
	unlink(pools[0].path);
	unlink(pools[1].path);
}

static void make(struct pool *pool, int fresh)
{
	const char *dir = getenv("TEST_SHM");
	char block[BSIZE];
	PMEMblkpool *p;

	snprintf(pool->path, sizeof(pool->path), "%s/fuzz.%d.%d", dir ? dir : "/dev/shm",
		 (int)getpid(), fresh);
	p = pmemblk_create(pool->path, BSIZE, (size_t)SIZE, 0600);
	FUZZ_ASSERT(p);
	for (int i = 0; i < 300 && !fresh; i++) {
		memset(block, i, sizeof(block));
		FUZZ_ASSERT(pmemblk_write(p, block, i % 70) == 0);
	}
	pmemblk_close(p);
	pool->fd = open(pool->path, O_RDWR | O_CLOEXEC);
	FUZZ_ASSERT(pool->fd >= 0);
	for (int i = 0; i < NPIECE; i++) {
		pool->good[i] = malloc(piece[i].len);
		FUZZ_ASSERT(pool->good[i]);
		FUZZ_ASSERT(pread(pool->fd, pool->good[i], piece[i].len, piece[i].off) ==
			    (ssize_t)piece[i].len);
	}
}

static void start(void)
{
	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	make(&pools[0], 0);
	make(&pools[1], 1);
	for (int i = 0; i < 2; i++) {
		pools[i].map =
		    2 * PAGE + image_get64(pools[0].path, 2 * PAGE + INFO_MAPOFF);
		pools[i].flog =
		    2 * PAGE + image_get64(pools[0].path, 2 * PAGE + INFO_FLOGOFF);
		pools[i].copy =
		    2 * PAGE + image_get64(pools[0].path, 2 * PAGE + INFO_INFOOFF);
	}
	FUZZ_ASSERT((off_t)pools[0].map >= piece[TAIL].off);
	atexit(remove_files);
}

static void restore(const struct pool *pool)
{
	FUZZ_ASSERT(ftruncate(pool->fd, SIZE) == 0);
	for (int i = 0; i < NPIECE; i++)
		FUZZ_ASSERT(pwrite(pool->fd, pool->good[i], piece[i].len, piece[i].off) ==
			    (ssize_t)piece[i].len);
}

static uint64_t hash(const struct pool *pool)
{
	static unsigned char now[200 << 10];
	uint64_t h = 0;

	for (int i = 0; i < NPIECE; i++) {
		memset(now, 0, sizeof(now));
		FUZZ_ASSERT(pread(pool->fd, now, piece[i].len, piece[i].off) >= 0);
		h = h * 31 + image_fletcher64(now, piece[i].len, SIZE_MAX - 8, 0);
	}
	return h;
}

static bool has(const struct pool *pool, uint64_t end)
{
	struct stat st;

	FUZZ_ASSERT(fstat(pool->fd, &st) == 0);
	return end <= (uint64_t)st.st_size;
}

static void store(const struct pool *pool, uint64_t off, uint64_t value, size_t len)
{
	if (has(pool, off + len))
		FUZZ_ASSERT(pwrite(pool->fd, &value, len, (off_t)off) == (ssize_t)len);
}

static void change(const struct pool *pool, const uint8_t *c)
{
	uint64_t pos = (uint64_t)(c[2] | c[3] << 8);
	uint32_t low = (uint32_t)c[4] | (uint32_t)c[5] << 8 | (uint32_t)c[6] << 16 |
		       (uint32_t)c[7] << 24;
	uint64_t value = c[1] & 0x80 ? (uint64_t)low << 32 | low : low;
	size_t len = (size_t)1 << (c[1] % 4);

	switch (c[0] % 12) {
	case 0:
		store(pool, pos % PAGE, value, len);
		break;
	case 1:
		store(pool, PAGE + pos % 112, value, len);
		break;
	case 2:
		store(pool, 2 * PAGE + pos % 128, value, len);
		break;
	case 3:
		store(pool, pool->copy + pos % 128, value, len);
		break;
	case 4:
		store(pool, pool->map + 4 * pos, value, 4);
		break;
	case 5:
		store(pool, pool->flog + 4 * (pos % 4096), value, 4);
		break;
	case 6:
		if (has(pool, PAGE))
			image_seal_header(pool->path, 0);
		break;
	case 7:
		if (has(pool, PAGE))
			image_seal_sds(pool->path, 0);
		break;
	case 8:
		if (has(pool, 3 * PAGE))
			image_seal_info(pool->path, 2 * PAGE);
		break;
	case 9:
		if (has(pool, pool->copy + PAGE))
			image_seal_info(pool->path, pool->copy);
		break;
	case 10:
		FUZZ_ASSERT(ftruncate(pool->fd, (off_t)(low % (2 * (uint32_t)SIZE))) ==
			    0);
		break;
	default:
		FUZZ_ASSERT(ftruncate(pool->fd, (off_t)(pos * PAGE / 8)) == 0);
		break;
	}
}

static void use(PMEMblkpool *p)
{
	size_t bsize = pmemblk_bsize(p);
	size_t n = pmemblk_nblock(p);
	unsigned char *want = malloc(bsize);
	unsigned char *got = malloc(bsize);

	FUZZ_ASSERT(want && got && bsize >= 1 && n >= 256);
	memset(want, 0x5a, bsize);
	for (unsigned i = 0; i < 12; i++) {
		long long lba = (long long)(i < 10 ? i * 8 : n - 1 - i);
		int ret = pmemblk_read(p, got, lba);

		FUZZ_ASSERT(ret == 0 || errno == EIO);
		ret = i % 4 == 3   ? pmemblk_set_error(p, lba)
		      : i % 4 == 2 ? pmemblk_set_zero(p, lba)
				   : pmemblk_write(p, want, lba);
		FUZZ_ASSERT(ret == 0 || errno == EIO || errno == EROFS);
		if (ret == 0 && i % 4 < 2) {
			FUZZ_ASSERT(pmemblk_read(p, got, lba) == 0);
			FUZZ_ASSERT(memcmp(want, got, bsize) == 0);
		}
	}
	free(want);
	free(got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pool *pool;
	uint64_t before;
	int checked;
	PMEMblkpool *p;

	if (!pools[0].path[0])
		start();
	if (size < 9 || size > 1 + 8 * 16)
		return 0;
	pool = &pools[data[0] & 1];
	restore(pool);
	for (size_t i = 1; i + 8 <= size; i += 8)
		change(pool, data + i);
	before = hash(pool);
	checked = pmemblk_check(pool->path, 0);
	FUZZ_ASSERT(checked >= -1 && checked <= 1);
	FUZZ_ASSERT(hash(pool) == before);
	p = pmemblk_open(pool->path, 0);
	if (!p) {
		FUZZ_ASSERT(errno == EINVAL || errno == EIO);
		FUZZ_ASSERT(checked != 1);
		FUZZ_ASSERT(hash(pool) == before);
		return 0;
	}
	FUZZ_ASSERT(checked != -1);
	use(p);
	pmemblk_close(p);
	FUZZ_ASSERT(checked != 1 || pmemblk_check(pool->path, 0) == 1);
	return 0;
}

FUZZ_MAIN(pool)
