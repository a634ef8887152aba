/* SPDX-License-Identifier: BSD-3-Clause */
/* For AMD's CPUs; see copy_avx512f_zen.c. */
#include <immintrin.h>

#include "x86_64/tables.h"

#define VEC_NAME copy_avx_zen
#define VEC_LABEL "avx-zen"
#define VEC_NEEDS (ENGINE_AVX | ENGINE_ZEN)
#define VEC_BYTES 32
#define VEC_WC_BURSTS true
#define VEC_SPLAT(c) _mm256_set1_epi8(c)
#define VEC_NT(p, v) _mm256_stream_si256((__m256i *)(void *)(p), (__m256i)(v))
#define VEC_NT_WORD(p, w) _mm_stream_si64((long long *)(void *)(p), w)
#define VEC_NEAR                                                                         \
	{                                                                                \
		.forward = 256 << 10, .backward = 4 << 10, .fenced = true                \
	}
#define VEC_FLUSH_SPLIT 32

#include "generic/copy_vector.h"
