/* SPDX-License-Identifier: BSD-3-Clause */
/* Narrow non-temporal stores, for the ends of vector copies. */
#ifndef NT_ENDS_H
#define NT_ENDS_H 1

#include <immintrin.h>

#ifdef __AVX__
#define VEC_NT_32(p, v) _mm256_stream_si256((__m256i *)(void *)(p), (__m256i)(v))
#else
/* The compiler uses two registers for it. */
#define VEC_NT_32(p, v)                                                                  \
	do {                                                                             \
		VEC_NT_16(p, __builtin_shufflevector(v, v, 0, 1));                       \
		VEC_NT_16((p) + 16, __builtin_shufflevector(v, v, 2, 3));                \
	} while (0)
#endif
#define VEC_NT_16(p, v) _mm_stream_si128((__m128i *)(void *)(p), (__m128i)(v))
#define VEC_NT_8(p, v) _mm_stream_si64((long long *)(void *)(p), (long long)(v))
#define VEC_NT_4(p, v) _mm_stream_si32((int *)(void *)(p), (int)(v))

#endif
