/* SPDX-License-Identifier: BSD-3-Clause */
/* The flush backends and copy kernels of x86-64. */
#ifndef TABLES_H
#define TABLES_H 1

#include "engine.h"

extern const struct engine_flush flush_clflush;
extern const struct engine_flush flush_clflushopt;
extern const struct engine_flush flush_clwb;

extern const struct engine_kernel copy_sse2;
extern const struct engine_kernel copy_avx;
extern const struct engine_kernel copy_avx512f;
extern const struct engine_kernel copy_avx_zen;
extern const struct engine_kernel copy_avx512f_zen;
extern const struct engine_kernel copy_movdir64b;

#endif
