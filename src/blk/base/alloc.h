/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmemblk allocates all memory, except that of the error text, with the functions that the
 * program gave to pmemblk_set_funcs(); by default these are libc's. Memory from the functions
 * here is freed with alloc_free(). If there is no memory, they return NULL and set no message.
 */
#ifndef ALLOC_H
#define ALLOC_H 1

#include <stddef.h>

#include "compiler.h"

void alloc_set_funcs(void *(*malloc_func)(size_t), void (*free_func)(void *),
		     void *(*realloc_func)(void *, size_t),
		     char *(*strdup_func)(const char *));

void *alloc_zeroed(size_t size);
void *alloc_resize(void *ptr, size_t size);
char *alloc_strdup(const char *s);
void alloc_free(void *ptr); /* NULL is allowed */

/* Zeroed memory that starts at a multiple of 64 bytes; freed by alloc_free_aligned(). */
void *alloc_aligned(size_t size);
void alloc_free_aligned(void *ptr);

#endif
