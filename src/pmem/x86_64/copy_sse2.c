/* SPDX-License-Identifier: BSD-3-Clause */
#include <emmintrin.h>

#include "x86_64/tables.h"

#define VEC_NAME copy_sse2
#define VEC_LABEL "sse2"
#define VEC_NEEDS ENGINE_SSE2
#define VEC_BYTES 16
#define VEC_WC_BURSTS true
#define VEC_NT(p, v) _mm_stream_si128((__m128i *)(void *)(p), (__m128i)(v))

#include "generic/copy_vector.h"
