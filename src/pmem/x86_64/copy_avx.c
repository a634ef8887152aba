/* SPDX-License-Identifier: BSD-3-Clause */
#include <immintrin.h>

#include "x86_64/tables.h"

#define VEC_NAME copy_avx
#define VEC_LABEL "avx"
#define VEC_NEEDS ENGINE_AVX
#define VEC_BYTES 32
#define VEC_WC_BURSTS true
#define VEC_SPLAT(c) _mm256_set1_epi8(c)
#define VEC_NT(p, v) _mm256_stream_si256((__m256i *)(void *)(p), (__m256i)(v))

#include "generic/copy_vector.h"
