/* SPDX-License-Identifier: BSD-3-Clause */
/* Bitmaps: arrays of bytes. Bit 0 is the lowest bit of the first byte. */
#ifndef BITS_H
#define BITS_H 1

#include <stdbool.h>
#include <stdint.h>

static inline bool bits_has(const unsigned char *bits, uint32_t i)
{
	return bits[i / 8] & 1u << i % 8;
}

static inline void bits_set(unsigned char *bits, uint32_t i)
{
	bits[i / 8] = (unsigned char)(bits[i / 8] | 1u << i % 8);
}

#endif
