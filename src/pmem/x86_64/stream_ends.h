/* SPDX-License-Identifier: BSD-3-Clause */
/* Narrow non-temporal stores, for the ends of vector copies. */
#ifndef STREAM_ENDS_H
#define STREAM_ENDS_H 1

#include <emmintrin.h>

#define VEC_STREAM_16(p, v) _mm_stream_si128((__m128i *)(void *)(p), (__m128i)(v))
#define VEC_STREAM_8(p, v) _mm_stream_si64((long long *)(void *)(p), (long long)(v))
#define VEC_STREAM_4(p, v) _mm_stream_si32((int *)(void *)(p), (int)(v))

#endif
