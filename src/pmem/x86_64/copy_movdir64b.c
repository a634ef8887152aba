/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stores whole lines with MOVDIR64B; all else is like the AVX kernel. PMEM_MOVDIR64B turns
 * it on if the CPU has the instruction.
 */
#include <immintrin.h>

#include "x86_64/tables.h"

static inline void store_line(void *dest, const void *src)
{
	struct line {
		char bytes[64];
	};

	__asm__ volatile("movdir64b %1, %0"
			 :
			 : "r"(dest), "m"(*(const struct line *)src)
			 : "memory");
}

#define VEC_NAME copy_movdir64b
#define VEC_LABEL "movdir64b"
#define VEC_NEEDS (ENGINE_MOVDIR64B | ENGINE_AVX)
#define VEC_BYTES 32
#define VEC_WC_BURSTS false
#define VEC_NT(p, v) _mm256_stream_si256((__m256i *)(void *)(p), (__m256i)(v))
#define VEC_NT_LINE(p, q) store_line(p, q)

#include "generic/copy_vector.h"
