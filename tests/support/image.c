/* SPDX-License-Identifier: BSD-3-Clause */
#include "image.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

#define PAGE 4096

static int open_image(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}

void image_read(const char *path, uint64_t off, void *buf, size_t len)
{
	int fd = open_image(path, O_RDONLY);

	assert_int_equal(pread(fd, buf, len, (off_t)off), len);
	close(fd);
}

void image_write(const char *path, uint64_t off, const void *buf, size_t len)
{
	int fd = open_image(path, O_WRONLY);

	assert_int_equal(pwrite(fd, buf, len, (off_t)off), len);
	close(fd);
}

uint32_t image_get32(const char *path, uint64_t off)
{
	uint32_t v;

	image_read(path, off, &v, sizeof(v));
	return le32toh(v);
}

uint64_t image_get64(const char *path, uint64_t off)
{
	uint64_t v;

	image_read(path, off, &v, sizeof(v));
	return le64toh(v);
}

void image_put32(const char *path, uint64_t off, uint32_t value)
{
	uint32_t v = htole32(value);

	image_write(path, off, &v, sizeof(v));
}

void image_put64(const char *path, uint64_t off, uint64_t value)
{
	uint64_t v = htole64(value);

	image_write(path, off, &v, sizeof(v));
}

void image_flip(const char *path, uint64_t off)
{
	unsigned char c;

	image_read(path, off, &c, 1);
	c = (unsigned char)~c;
	image_write(path, off, &c, 1);
}

uint64_t image_fletcher64(const unsigned char *buf, size_t len, size_t field, size_t skip)
{
	uint32_t lo = 0;
	uint32_t hi = 0;

	for (size_t off = 0; off < len; off += 4) {
		bool counts =
		    !(off >= field && off < field + 8) && !(skip && off >= skip);

		if (counts)
			lo += (uint32_t)buf[off] | (uint32_t)buf[off + 1] << 8 |
			      (uint32_t)buf[off + 2] << 16 | (uint32_t)buf[off + 3] << 24;
		hi += lo;
	}
	return (uint64_t)hi << 32 | lo;
}

void image_seal_header(const char *path, uint64_t off)
{
	unsigned char page[PAGE];

	image_read(path, off, page, sizeof(page));
	image_put64(path, off + PAGE - 8,
		    image_fletcher64(page, PAGE, PAGE - 8,
				     page[IMAGE_INCOMPAT] & 2 ? 2048 : PAGE - 8));
}

void image_seal_sds(const char *path, uint64_t off)
{
	unsigned char sds[64];

	image_read(path, off + IMAGE_SDS, sds, sizeof(sds));
	image_put64(path, off + IMAGE_SDS + 56,
		    image_fletcher64(sds, sizeof(sds), 56, 0));
}

void image_seal_info(const char *path, uint64_t off)
{
	unsigned char page[PAGE];

	image_read(path, off, page, sizeof(page));
	image_put64(path, off + PAGE - 8, image_fletcher64(page, PAGE, PAGE - 8, 0));
}

void image_make_zero(const char *path, uint64_t len)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	close(fd);
}

uint64_t image_hash(const char *path)
{
	size_t len;
	unsigned char *data = support_read_file(path, &len);
	uint64_t hash = 0xcbf29ce484222325u ^ len;

	for (size_t i = 0; i + 8 <= len; i += 8) {
		uint64_t word;

		memcpy(&word, data + i, 8);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 29;
	}
	for (size_t i = len & ~(size_t)7; i < len; i++)
		hash = (hash ^ data[i]) * 0x9e3779b97f4a7c15u;
	free(data);
	return hash;
}
