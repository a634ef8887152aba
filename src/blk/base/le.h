/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Little-endian integers in the form in which they are stored on the medium. They are structs so
 * that the compiler refuses to mix them with host integers.
 */
#ifndef LE_H
#define LE_H 1

#include <endian.h>
#include <stdint.h>

typedef struct {
	uint16_t raw;
} le16;
typedef struct {
	uint32_t raw;
} le32;
typedef struct {
	uint64_t raw;
} le64;

static inline uint16_t le16_to_cpu(le16 v)
{
	return le16toh(v.raw);
}

static inline uint32_t le32_to_cpu(le32 v)
{
	return le32toh(v.raw);
}

static inline uint64_t le64_to_cpu(le64 v)
{
	return le64toh(v.raw);
}

static inline le16 cpu_to_le16(uint16_t v)
{
	return (le16){htole16(v)};
}

static inline le32 cpu_to_le32(uint32_t v)
{
	return (le32){htole32(v)};
}

static inline le64 cpu_to_le64(uint64_t v)
{
	return (le64){htole64(v)};
}

#endif
