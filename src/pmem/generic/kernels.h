/* SPDX-License-Identifier: BSD-3-Clause */
/* The copy kernels and the flush backend that every architecture has. */
#ifndef KERNELS_H
#define KERNELS_H 1

#include "engine.h"

extern const struct engine_kernel copy_portable; /* C, 8 bytes at a time */
extern const struct engine_kernel copy_libc;	 /* the C library's memmove and memset */

extern const struct engine_flush flush_none; /* for CPUs that cannot write lines back */

#endif
