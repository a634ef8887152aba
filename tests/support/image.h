/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes pool files without the library. The tests compute checksums with code of their own, so
 * that they notice a mistake in the library's code.
 */
#ifndef IMAGE_H
#define IMAGE_H 1

#include <stddef.h>
#include <stdint.h>

/* Offsets in the header page. */
enum {
	IMAGE_MAJOR = 8,
	IMAGE_COMPAT = 12,
	IMAGE_INCOMPAT = 16,
	IMAGE_RO_COMPAT = 20,
	IMAGE_POOLSET_UUID = 24,
	IMAGE_UUID = 40,
	IMAGE_PREV_PART = 56,
	IMAGE_NEXT_PART = 72,
	IMAGE_PREV_REPL = 88,
	IMAGE_ARCH = 128,
	IMAGE_SDS = 4024,
	IMAGE_BSIZE = 4096,
	IMAGE_IS_ZEROED = 4100,
	IMAGE_DATA = 8192,
};

/* Offsets in an info block. */
enum {
	INFO_SIG = 0,
	INFO_UUID = 16,
	INFO_PARENT = 32,
	INFO_FLAGS = 48,
	INFO_MAJOR = 52,
	INFO_EXTERNAL_LBASIZE = 56,
	INFO_EXTERNAL_NLBA = 60,
	INFO_INTERNAL_LBASIZE = 64,
	INFO_INTERNAL_NLBA = 68,
	INFO_NFREE = 72,
	INFO_INFOSIZE = 76,
	INFO_NEXTOFF = 80,
	INFO_DATAOFF = 88,
	INFO_MAPOFF = 96,
	INFO_FLOGOFF = 104,
	INFO_INFOOFF = 112,
};

void image_read(const char *path, uint64_t off, void *buf, size_t len);
void image_write(const char *path, uint64_t off, const void *buf, size_t len);
uint32_t image_get32(const char *path, uint64_t off);
uint64_t image_get64(const char *path, uint64_t off);
void image_put32(const char *path, uint64_t off, uint32_t value);
void image_put64(const char *path, uint64_t off, uint64_t value);

/* Inverts the bits of one byte. */
void image_flip(const char *path, uint64_t off);

uint64_t image_fletcher64(const unsigned char *buf, size_t len, size_t field,
			  size_t skip);

/* Store the right checksum in the header page, its shutdown state, or the info block at off. */
void image_seal_header(const char *path, uint64_t off);
void image_seal_sds(const char *path, uint64_t off);
void image_seal_info(const char *path, uint64_t off);

/* Makes a file of this length that is one hole. */
void image_make_zero(const char *path, uint64_t len);

/* Returns a hash of a file's contents, to see whether it was changed. */
uint64_t image_hash(const char *path);

#endif
