/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memmove and memset in plain C, for any length, with the store widths of pmem_memmove;
 * no store crosses its own alignment.
 */
#ifndef COPY_PORTABLE_H
#define COPY_PORTABLE_H 1

#include <stddef.h>

void *copy_portable_move(char *dest, const char *src, size_t len);
void *copy_portable_set(char *dest, int c, size_t len);

#endif
