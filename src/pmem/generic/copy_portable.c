/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stores are relaxed atomics, so that the compiler neither splits nor joins them, nor
 * replaces them by a call of memmove.
 */
#include "generic/copy_portable.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "generic/kernels.h"

static void store_8(char *dest, uint64_t v)
{
	atomic_store_explicit((_Atomic(uint64_t) *)(void *)dest, v, memory_order_relaxed);
}

static void store_4(char *dest, uint32_t v)
{
	atomic_store_explicit((_Atomic(uint32_t) *)(void *)dest, v, memory_order_relaxed);
}

static void store_2(char *dest, uint16_t v)
{
	atomic_store_explicit((_Atomic(uint16_t) *)(void *)dest, v, memory_order_relaxed);
}

static void store_1(char *dest, char v)
{
	atomic_store_explicit((_Atomic(char) *)dest, v, memory_order_relaxed);
}

/*
 * The width of the widest aligned store that starts or ends at dest and has at most len
 * bytes.
 */
static size_t width(uintptr_t dest, size_t len)
{
	for (size_t w = 8; w > 1; w /= 2)
		if (dest % w == 0 && len >= w)
			return w;
	return 1;
}

static void move_one(char *dest, const char *src, size_t w)
{
	uint64_t v8;
	uint32_t v4;
	uint16_t v2;

	switch (w) {
	case 8:
		memcpy(&v8, src, 8);
		store_8(dest, v8);
		break;
	case 4:
		memcpy(&v4, src, 4);
		store_4(dest, v4);
		break;
	case 2:
		memcpy(&v2, src, 2);
		store_2(dest, v2);
		break;
	default:
		store_1(dest, *src);
	}
}

static void move_forward(char *dest, const char *src, size_t len)
{
	while (len) {
		size_t w = width((uintptr_t)dest, len);

		move_one(dest, src, w);
		dest += w;
		src += w;
		len -= w;
		if (w != 8)
			continue;
		for (; len >= 8; dest += 8, src += 8, len -= 8)
			move_one(dest, src, 8);
	}
}

static void move_backward(char *dest, const char *src, size_t len)
{
	while (len) {
		size_t w = width((uintptr_t)dest + len, len);

		len -= w;
		move_one(dest + len, src + len, w);
		if (w != 8)
			continue;
		for (; len >= 8; len -= 8)
			move_one(dest + len - 8, src + len - 8, 8);
	}
}

void *copy_portable_move(char *dest, const char *src, size_t len)
{
	if ((uintptr_t)dest - (uintptr_t)src >= len)
		move_forward(dest, src, len);
	else
		move_backward(dest, src, len);
	return dest;
}

void *copy_portable_set(char *dest, int c, size_t len)
{
	uint64_t word = (unsigned char)c * 0x0101010101010101u;
	char *start = dest;

	while (len) {
		size_t w = width((uintptr_t)dest, len);

		switch (w) {
		case 8:
			store_8(dest, word);
			break;
		case 4:
			store_4(dest, (uint32_t)word);
			break;
		case 2:
			store_2(dest, (uint16_t)word);
			break;
		default:
			store_1(dest, (char)c);
		}
		dest += w;
		len -= w;
		if (w != 8)
			continue;
		for (; len >= 8; dest += 8, len -= 8)
			store_8(dest, word);
	}
	return start;
}

const struct engine_kernel copy_portable = {
    .name = "portable",
    .needs = ENGINE_PORTABLE,
    .move = copy_portable_move,
    .set = copy_portable_set,
    .move_flushed = copy_portable_move,
    .set_flushed = copy_portable_set,
};
