/* SPDX-License-Identifier: BSD-3-Clause */
/* The flush backends and the copy kernel of aarch64. */
#ifndef TABLES_H
#define TABLES_H 1

#include "engine.h"

extern const struct engine_flush flush_cvadp; /* to the point of (deep) persistence */
extern const struct engine_flush flush_cvap;  /* to the point of persistence */
extern const struct engine_flush flush_cvac;  /* to the point of coherency */

extern const struct engine_kernel copy_neon;

/* Bytes of the smallest cache line; the backends need it before their first call. */
extern size_t flush_dc_line;

#endif
