/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies a line at a time, in four registers of 16 bytes. It has no non-temporal stores:
 * the non-temporal pair (STNP) of this architecture is a hint without any guarantee of
 * order.
 */
#include "aarch64/tables.h"

#define VEC_NAME copy_neon
#define VEC_LABEL "neon"
#define VEC_NEEDS ENGINE_NEON
#define VEC_BYTES 16
#define VEC_WC_BURSTS false

#include "generic/copy_vector.h"
