/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Moves the block translation table of a pool to an NVDIMM without labels, where the kernel's
 * driver looks for it, or back.
 *
 *	transplant to DEVICE POOL	transplant from DEVICE POOL
 *
 * The arenas are copied without changes, except for two fields of the info blocks: the uuid of
 * the parent, which is zero on such a device, and the checksum.
 */
#include <endian.h>
#include <fcntl.h>
#include <unistd.h>

#include "guest.h"

#define PAGE 4096
#define POOL_START 8192	  /* where the arenas start in a pool */
#define DEVICE_START 4096 /* and on a device */
#define POOL_UUID 24
#define PARENT 32
#define UUID_SIZE 16
#define NEXT 80
#define COPY 112
#define CHECKSUM 4088

static void read_at(int fd, void *buf, size_t len, uint64_t off)
{
	if (pread(fd, buf, len, (off_t)off) != (ssize_t)len)
		die("reading at %#llx: %s", (unsigned long long)off, strerror(errno));
}

static void write_at(int fd, const void *buf, size_t len, uint64_t off)
{
	if (pwrite(fd, buf, len, (off_t)off) != (ssize_t)len)
		die("writing at %#llx: %s", (unsigned long long)off, strerror(errno));
}

static uint64_t get64(const unsigned char *page, size_t off)
{
	uint64_t v;

	memcpy(&v, page + off, sizeof(v));
	return le64toh(v);
}

/* Fletcher's checksum over the page, its own field taken as zero. */
static uint64_t checksum(const unsigned char *page)
{
	uint32_t lo = 0, hi = 0;

	for (size_t i = 0; i < PAGE; i += 4) {
		uint32_t word;

		memcpy(&word, page + i, sizeof(word));
		lo += i >= CHECKSUM ? 0 : le32toh(word);
		hi += lo;
	}
	return (uint64_t)hi << 32 | lo;
}

/* Changes the parent in the info block at off of the target; the page is returned. */
static void adopt(int fd, uint64_t off, const unsigned char *uuid, unsigned char *page)
{
	uint64_t sum;

	read_at(fd, page, PAGE, off);
	if (memcmp(page, "BTT_ARENA_INFO", 15) != 0 ||
	    checksum(page) != get64(page, CHECKSUM))
		die("no info block at %#llx", (unsigned long long)off);
	memcpy(page + PARENT, uuid, UUID_SIZE);
	sum = htole64(checksum(page));
	memcpy(page + CHECKSUM, &sum, sizeof(sum));
	write_at(fd, page, PAGE, off);
}

static void copy(int from, uint64_t from_off, int to, uint64_t to_off, uint64_t len)
{
	static char buf[1 << 20];

	while (len > 0) {
		size_t n = len < sizeof(buf) ? (size_t)len : sizeof(buf);

		read_at(from, buf, n, from_off);
		write_at(to, buf, n, to_off);
		from_off += n;
		to_off += n;
		len -= n;
	}
}

static int open_file(const char *path, uint64_t *size)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	off_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	if (end < 0)
		die("%s: %s", path, strerror(errno));
	*size = (uint64_t)end;
	return fd;
}

int main(int argc, char **argv)
{
	unsigned char uuid[UUID_SIZE] = {0}, page[PAGE];
	uint64_t device_size, pool_size, off, next;
	int device, pool, target;

	if (argc != 4 || (strcmp(argv[1], "to") != 0 && strcmp(argv[1], "from") != 0))
		die("usage: see the top of tests/dax/transplant.c");
	device = open_file(argv[2], &device_size);
	pool = open_file(argv[3], &pool_size);
	if (device_size - DEVICE_START != pool_size - POOL_START)
		die("%s and %s do not have the same size", argv[2], argv[3]);
	if (strcmp(argv[1], "to") == 0) {
		copy(pool, POOL_START, device, DEVICE_START, pool_size - POOL_START);
		target = device;
		off = DEVICE_START;
	} else {
		copy(device, DEVICE_START, pool, POOL_START, pool_size - POOL_START);
		read_at(pool, uuid, sizeof(uuid), POOL_UUID);
		target = pool;
		off = POOL_START;
	}
	do {
		adopt(target, off, uuid, page);
		next = get64(page, NEXT);
		adopt(target, off + get64(page, COPY), uuid, page);
		off += next;
	} while (next != 0);
	if (fsync(target) != 0)
		die("fsync: %s", strerror(errno));
	return 0;
}
