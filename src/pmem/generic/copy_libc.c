/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The C library does not promise the width of its stores (it may use string instructions,
 * which store byte by byte). So the portable kernel copies aligned multiples of 8.
 */
#include <string.h>

#include "generic/copy_portable.h"
#include "generic/kernels.h"

static bool has_promise(const char *dest, size_t len)
{
	return ((uintptr_t)dest | len) % 8 == 0;
}

static void *move(char *dest, const char *src, size_t len)
{
	if (has_promise(dest, len))
		return copy_portable_move(dest, src, len);
	return memmove(dest, src, len);
}

static void *set(char *dest, int c, size_t len)
{
	if (has_promise(dest, len))
		return copy_portable_set(dest, c, len);
	return memset(dest, c, len);
}

const struct engine_kernel copy_libc = {
    .name = "libc",
    .move = move,
    .set = set,
    .move_flushed = move,
    .set_flushed = set,
};
