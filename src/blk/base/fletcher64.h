/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FLETCHER64_H
#define FLETCHER64_H 1

#include <stddef.h>
#include <stdint.h>

#define FLETCHER64_NO_FIELD ((size_t)-1)

/*
 * Fletcher-64 of len bytes (a multiple of 4) as FORMAT.md defines it: two 32-bit sums over
 * little-endian words. The 8 bytes at field_off (a multiple of 4, or FLETCHER64_NO_FIELD) count
 * as zero, and so do all bytes from skip_off (a multiple of 4) on if that is not 0. The result is
 * in host order.
 * Pure.
 */
uint64_t fletcher64(const void *buf, size_t len, size_t field_off, size_t skip_off);

#endif
