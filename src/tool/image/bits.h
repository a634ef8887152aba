/* SPDX-License-Identifier: BSD-3-Clause */
/* Bitmaps: arrays of bytes. Bit 0 is the lowest bit of the first byte. */
#ifndef BITS_H
#define BITS_H 1

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline bool bits_has(const unsigned char *bits, uint64_t i)
{
	return bits[i / 8] & 1u << i % 8;
}

static inline void bits_set(unsigned char *bits, uint64_t i)
{
	bits[i / 8] = (unsigned char)(bits[i / 8] | 1u << i % 8);
}

/* The first bit in [from, to) that is set, or that is not; to: there is none. */
static inline uint64_t bits_find(const unsigned char *bits, bool is_set, uint64_t from,
				 uint64_t to)
{
	const uint64_t others = is_set ? 0 : UINT64_MAX;

	while (from < to) {
		uint64_t word;

		if (from % 64 == 0 && to - from >= 64) {
			memcpy(&word, bits + from / 8, sizeof(word));
			if (word == others) {
				from += 64;
				continue;
			}
		}
		if (bits_has(bits, from) == is_set)
			return from;
		from++;
	}
	return to;
}

#endif
