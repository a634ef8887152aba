/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For AMD's CPUs. Measured on Zen 4, which stores a register of 64 bytes in two halves: if they are
 * not aligned to 32, and their lines are flushed afterwards, a copy or set of 256 bytes takes 1.3 to
 * 1.7 times as long. For non-temporal stores of words see has_nt_parts() in copy.c.
 */
#include <immintrin.h>

#include "x86_64/tables.h"

#define VEC_NAME copy_avx512f_zen
#define VEC_LABEL "avx512f-zen"
#define VEC_NEEDS (ENGINE_AVX512F | ENGINE_ZEN)
#define VEC_BYTES 64
#define VEC_WC_BURSTS false
#define VEC_NT(p, v) _mm512_stream_si512((__m512i *)(void *)(p), (__m512i)(v))
#define VEC_NT_WORD(p, w) _mm_stream_si64((long long *)(void *)(p), w)
#define VEC_NEAR                                                                         \
	{                                                                                \
		.forward = 256 << 10, .backward = 4 << 10, .fenced = true                \
	}
#define VEC_FLUSH_SPLIT 32

#include "generic/copy_vector.h"
