/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The first two pages of a pool in the form in which they are stored on the medium: the header,
 * which every part of a pool set may have, and the descriptor behind it, which only the first
 * part has. FORMAT.md explains the fields; base/pool_format_check.c checks at compile time that
 * the structs agree with it.
 */
#ifndef POOL_FORMAT_H
#define POOL_FORMAT_H 1

#include <stdint.h>

#include "base/le.h"
#include "base/uuid.h"

#define POOL_PAGE 4096u

/* Offsets in the pool image. */
#define POOL_DESCRIPTOR_OFF 4096u
#define POOL_DATA_OFF 8192u

#define POOL_MIN_DATA ((uint64_t)16 << 20)
#define POOL_MIN_SIZE (POOL_DATA_OFF + POOL_MIN_DATA)
#define POOL_MIN_PART ((uint64_t)2 << 20)

/* The bytes at the start of a device DAX that are zeroed when a create on it fails. */
#define POOL_DEVICE_START ((uint64_t)2 << 20)

#define POOL_SIGNATURE "PMEMBLK" /* 8 bytes with the NUL */
#define POOL_MAJOR 1u

#define POOL_COMPAT_CHECK_BAD_BLOCKS 0x1u

#define POOL_INCOMPAT_SINGLEHDR 0x1u
#define POOL_INCOMPAT_CKSUM_2K 0x2u
#define POOL_INCOMPAT_SDS 0x4u
#define POOL_INCOMPAT_KNOWN                                                              \
	(POOL_INCOMPAT_SINGLEHDR | POOL_INCOMPAT_CKSUM_2K | POOL_INCOMPAT_SDS)

/* A grow is at work, or was interrupted (pmemblk(1)); unknown to all libraries on purpose. */
#define POOL_INCOMPAT_LOCKED 0x80000000u

struct pool_arch {
	le64 alignment;
	uint8_t machine_class;
	uint8_t data_encoding;
	unsigned char reserved[4];
	le16 machine;
};

/* The shutdown state. */
struct pool_sds {
	le64 usc;
	le64 uuid;
	uint8_t dirty;
	unsigned char reserved[39];
	le64 checksum;
};

struct pool_header {
	unsigned char signature[8];
	le32 major;
	le32 compat;
	le32 incompat;
	le32 ro_compat;
	struct uuid poolset_uuid;
	struct uuid uuid;
	struct uuid prev_part_uuid;
	struct uuid next_part_uuid;
	struct uuid prev_repl_uuid;
	struct uuid next_repl_uuid;
	le64 crtime;
	struct pool_arch arch;
	unsigned char unused[1904];
	/* a CKSUM_2K checksum covers only the bytes before this field */
	unsigned char unused2[1976];
	struct pool_sds sds;
	le64 checksum;
};

/*
 * The original keeps its run-time state in the last four fields. Only `pmempool info` reads them:
 * it takes the difference of data and base for the offset of the data area. So create stores such
 * numbers there, and nothing uses them again.
 */
struct pool_descriptor {
	le32 bsize;
	le32 is_zeroed; /* 0, or another value for true */
	le64 base;
	le64 size;
	le64 reserved;
	le64 data;
	le64 data_size;
};

#endif
