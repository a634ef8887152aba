/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT ((size_t)64)

/*
 * Not synchronised: the contract of pmemblk_set_funcs() says that the program sets them before it
 * uses the library.
 */
static void *(*malloc_fn)(size_t) = malloc;
static void (*free_fn)(void *) = free;
static void *(*realloc_fn)(void *, size_t) = realloc;
static char *(*strdup_fn)(const char *) = strdup;

void alloc_set_funcs(void *(*malloc_func)(size_t), void (*free_func)(void *),
		     void *(*realloc_func)(void *, size_t),
		     char *(*strdup_func)(const char *))
{
	malloc_fn = malloc_func ? malloc_func : malloc;
	free_fn = free_func ? free_func : free;
	realloc_fn = realloc_func ? realloc_func : realloc;
	strdup_fn = strdup_func ? strdup_func : strdup;
}

void *alloc_zeroed(size_t size)
{
	void *p = malloc_fn(size);

	if (p)
		memset(p, 0, size);
	return p;
}

void *alloc_resize(void *ptr, size_t size)
{
	return realloc_fn(ptr, size);
}

char *alloc_strdup(const char *s)
{
	return strdup_fn(s);
}

void alloc_free(void *ptr)
{
	if (ptr)
		free_fn(ptr);
}

/* The pointer that malloc returned is stored right in front of the aligned memory. */
void *alloc_aligned(size_t size)
{
	const size_t extra = sizeof(void *) + ALIGNMENT - 1;
	void *raw;
	void **p;

	if (size > SIZE_MAX - extra)
		return NULL;
	raw = alloc_zeroed(size + extra);
	if (!raw)
		return NULL;
	p = (void **)(((uintptr_t)raw + extra) & ~(uintptr_t)(ALIGNMENT - 1));
	p[-1] = raw;
	return p;
}

void alloc_free_aligned(void *ptr)
{
	if (ptr)
		alloc_free(((void **)ptr)[-1]);
}
