/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies and sets of at most one line, inlined. All bytes are loaded before the first
 * store, so source and destination may overlap. A length between two widths takes two
 * stores that overlap. The widths keep the promise of pmem_memmove: 1, 2, 4 and 8 bytes
 * are one store, and a multiple of 8 takes stores of at least 8 bytes.
 *
 * This needs a CPU that does unaligned stores in one piece; other CPUs use the portable
 * kernel.
 */
#ifndef SMALL_H
#define SMALL_H 1

#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "generic/copy_portable.h"

#define SMALL_MAX ((size_t)64)

#if defined(__x86_64__) || defined(__aarch64__)

typedef uint64_t small_v16 __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint64_t small_u64 __attribute__((aligned(1), may_alias));
typedef uint32_t small_u32 __attribute__((aligned(1), may_alias));
typedef uint16_t small_u16 __attribute__((aligned(1), may_alias));

/*
 * Copies a value of the type at each end of len bytes; one store if the two are the same.
 */
#define SMALL_MOVE_ENDS(type)                                                            \
	do {                                                                             \
		type head_ = *(const type *)src;                                         \
		type tail_ = *(const type *)(src + len - sizeof(type));                  \
                                                                                         \
		*(type *)dest = head_;                                                   \
		if (len != sizeof(type))                                                 \
			*(type *)(dest + len - sizeof(type)) = tail_;                    \
	} while (0)

#define SMALL_SET_ENDS(type, value)                                                      \
	do {                                                                             \
		*(type *)dest = (value);                                                 \
		if (len != sizeof(type))                                                 \
			*(type *)(dest + len - sizeof(type)) = (value);                  \
	} while (0)

/* memmove of len <= SMALL_MAX. */
static inline void small_move(char *dest, const char *src, size_t len)
{
	if (len >= 16) {
		small_v16 a = *(const small_v16 *)src;
		small_v16 d = *(const small_v16 *)(src + len - 16);

		if (len > 32) {
			small_v16 b = *(const small_v16 *)(src + 16);
			small_v16 c = *(const small_v16 *)(src + len - 32);

			*(small_v16 *)(dest + 16) = b;
			*(small_v16 *)(dest + len - 32) = c;
		}
		*(small_v16 *)dest = a;
		if (len != 16)
			*(small_v16 *)(dest + len - 16) = d;
	} else if (len >= 8) {
		SMALL_MOVE_ENDS(small_u64);
	} else if (len >= 4) {
		SMALL_MOVE_ENDS(small_u32);
	} else if (len >= 2) {
		SMALL_MOVE_ENDS(small_u16);
	} else if (len) {
		*dest = *src;
	}
}

/* memset of len <= SMALL_MAX. */
static inline void small_set(char *dest, int c, size_t len)
{
	uint64_t word = (unsigned char)c * 0x0101010101010101u;

	if (len >= 16) {
		small_v16 v = {word, word};

		if (len > 32) {
			*(small_v16 *)(dest + 16) = v;
			*(small_v16 *)(dest + len - 32) = v;
		}
		*(small_v16 *)dest = v;
		if (len != 16)
			*(small_v16 *)(dest + len - 16) = v;
	} else if (len >= 8) {
		SMALL_SET_ENDS(small_u64, word);
	} else if (len >= 4) {
		SMALL_SET_ENDS(small_u32, (uint32_t)word);
	} else if (len >= 2) {
		SMALL_SET_ENDS(small_u16, (uint16_t)word);
	} else if (len) {
		*dest = (char)c;
	}
}

#else

static inline void small_move(char *dest, const char *src, size_t len)
{
	copy_portable_move(dest, src, len);
}

static inline void small_set(char *dest, int c, size_t len)
{
	copy_portable_set(dest, c, len);
}

#endif

#endif
