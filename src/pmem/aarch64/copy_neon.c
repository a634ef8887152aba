/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Four registers of 16 bytes at a time, a line. There are no non-temporal stores: the
 * non-temporal pair of this architecture is a hint that orders nothing.
 */
#include "aarch64/tables.h"

#define VEC_NAME copy_neon
#define VEC_LABEL "neon"
#define VEC_NEEDS ENGINE_NEON
#define VEC_BYTES 16
#define VEC_WC_BURSTS false

#include "generic/copy_vector.h"
