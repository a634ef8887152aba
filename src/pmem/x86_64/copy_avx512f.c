/* SPDX-License-Identifier: BSD-3-Clause */
#include <immintrin.h>

#include "x86_64/tables.h"

#define VEC_NAME copy_avx512f
#define VEC_LABEL "avx512f"
#define VEC_NEEDS ENGINE_AVX512F
#define VEC_BYTES 64
#define VEC_WC_BURSTS false
#define VEC_NT(p, v) _mm512_stream_si512((__m512i *)(void *)(p), (__m512i)(v))

#include "generic/copy_vector.h"
