/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The contents of modified blocks. Each modification gives its block a generation, a number that
 * determines the kind of the operation and every word of the block. A block that was never
 * modified has generation 0.
 */
#ifndef CONTENT_H
#define CONTENT_H 1

#include <stddef.h>
#include <stdint.h>

enum kind { WRITE, ZERO, ERROR };

/* pmemblk_write, set_zero, set_error. */
enum kind content_kind(uint64_t gen);

/* The bytes of a generation that is a write; no two blocks' are alike. */
void content_fill(uint64_t *buf, size_t bsize, unsigned block, uint64_t gen);

#endif
