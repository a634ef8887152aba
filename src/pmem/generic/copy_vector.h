/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The body of the vector kernels. A file of one instruction set defines
 *
 *	VEC_NAME	the name of the const table
 *	VEC_LABEL	its name as text
 *	VEC_NEEDS	features (engine.h)
 *	VEC_BYTES	bytes of a vector register: 16, 32 or 64
 *	VEC_SPLAT(c)	a vector of the char c; left out where the compiler finds the best way
 *	VEC_NT(p, v)	a non-temporal store of v to p, a multiple of VEC_BYTES;
 *			left out where the CPU has none
 *	VEC_NT_LINE(p, q)	a copy of the line at q to the line p in one direct store;
 *			left out where there is none
 *	VEC_NT_WORD(p, w)	a non-temporal store of the word w to p, a multiple of 8; left
 *			out where a part of a line is better stored through the cache
 *	VEC_FLUSH_SPLIT	a flush waits long for a store that is not aligned to so many bytes;
 *			left out where it does not
 *	VEC_WC_BURSTS	true if the stores suffer from early eviction
 *	VEC_NEAR	the moves that are better cached, a struct engine_near; left out for the
 *			values of Intel's CPUs
 *
 * and includes this file. For short lengths all bytes are loaded before the first store,
 * and two stores may overlap. The barriers keep compilers from turning a loop into a call
 * of memmove.
 */
#include <stdint.h>

#include "compiler.h"
#include "engine.h"
#include "small.h"

#ifndef VEC_NEAR
#define VEC_NEAR                                                                         \
	{                                                                                \
		.forward = 512, .backward = 512, .fenced = false                         \
	}
#endif

#define V ((size_t)VEC_BYTES)
/* Vectors of a non-temporal block: half of the registers. */
#define BLOCK ((size_t)(VEC_BYTES == 64 ? 16 : 8))
#define UNROLL _Pragma("GCC unroll 16")
#define BARRIER() __asm__ volatile("" ::: "memory")

typedef uint64_t vec __attribute__((vector_size(VEC_BYTES), may_alias));
typedef uint64_t uvec __attribute__((vector_size(VEC_BYTES), aligned(1), may_alias));

static inline vec load(const char *p)
{
	return (vec) * (const uvec *)p;
}

static inline void store(char *p, vec v)
{
	*(uvec *)p = (uvec)v;
}

static inline void store_aligned(char *p, vec v)
{
	*(vec *)(void *)p = v;
}

static inline vec splat(int c)
{
#ifdef VEC_SPLAT
	return (vec)VEC_SPLAT((char)c);
#else
	uint64_t word = (unsigned char)c * 0x0101010101010101u;

	return (vec){0} + word;
#endif
}

/* Up to 2, 4, 8 and 16 vectors. All are loaded before the first is stored. */
static inline void move_2(char *dest, const char *src, size_t len)
{
	vec a = load(src);
	vec z = load(src + len - V);

	BARRIER();
	store(dest, a);
	store(dest + len - V, z);
}

static inline void move_4(char *dest, const char *src, size_t len)
{
	vec a = load(src);
	vec b = load(src + V);
	vec y = load(src + len - 2 * V);
	vec z = load(src + len - V);

	BARRIER();
	store(dest, a);
	store(dest + V, b);
	store(dest + len - 2 * V, y);
	store(dest + len - V, z);
}

static ALWAYS_INLINE void move_8(char *dest, const char *src, size_t len)
{
	vec a = load(src);
	vec b = load(src + V);
	vec c = load(src + 2 * V);
	vec d = load(src + 3 * V);
	vec w = load(src + len - 4 * V);
	vec x = load(src + len - 3 * V);
	vec y = load(src + len - 2 * V);
	vec z = load(src + len - V);

	BARRIER();
	store(dest, a);
	store(dest + V, b);
	store(dest + 2 * V, c);
	store(dest + 3 * V, d);
	store(dest + len - 4 * V, w);
	store(dest + len - 3 * V, x);
	store(dest + len - 2 * V, y);
	store(dest + len - V, z);
}

/* Without an array: gcc would align the stack for it, also in the callers. */
static inline void move_16(char *dest, const char *src, size_t len)
{
	vec h0 = load(src);
	vec h1 = load(src + V);
	vec h2 = load(src + 2 * V);
	vec h3 = load(src + 3 * V);
	vec h4 = load(src + 4 * V);
	vec h5 = load(src + 5 * V);
	vec h6 = load(src + 6 * V);
	vec h7 = load(src + 7 * V);
	vec t0 = load(src + len - 8 * V);
	vec t1 = load(src + len - 7 * V);
	vec t2 = load(src + len - 6 * V);
	vec t3 = load(src + len - 5 * V);
	vec t4 = load(src + len - 4 * V);
	vec t5 = load(src + len - 3 * V);
	vec t6 = load(src + len - 2 * V);
	vec t7 = load(src + len - V);

	BARRIER();
	store(dest, h0);
	store(dest + V, h1);
	store(dest + 2 * V, h2);
	store(dest + 3 * V, h3);
	store(dest + 4 * V, h4);
	store(dest + 5 * V, h5);
	store(dest + 6 * V, h6);
	store(dest + 7 * V, h7);
	store(dest + len - 8 * V, t0);
	store(dest + len - 7 * V, t1);
	store(dest + len - 6 * V, t2);
	store(dest + len - 5 * V, t3);
	store(dest + len - 4 * V, t4);
	store(dest + len - 3 * V, t5);
	store(dest + len - 2 * V, t6);
	store(dest + len - V, t7);
}

/*
 * First the ends up to a vector boundary, then whole aligned vectors, in the order in
 * which no source byte is overwritten too early. So no store crosses a line: a flush
 * after such a store would have to wait for it.
 */
static void move_forward(char *dest, const char *src, size_t len)
{
	size_t i = -(uintptr_t)dest & (V - 1);

	small_move(dest, src, i);
	for (; i + 8 * V <= len; i += 8 * V)
		move_8(dest + i, src + i, 8 * V);
	for (; i + 4 * V <= len; i += 4 * V) {
		vec a = load(src + i);
		vec b = load(src + i + V);
		vec c = load(src + i + 2 * V);
		vec d = load(src + i + 3 * V);

		BARRIER();
		store_aligned(dest + i, a);
		store_aligned(dest + i + V, b);
		store_aligned(dest + i + 2 * V, c);
		store_aligned(dest + i + 3 * V, d);
	}
	for (; i + V <= len; i += V) {
		store_aligned(dest + i, load(src + i));
		BARRIER();
	}
	small_move(dest + i, src + i, len - i);
}

static void move_backward(char *dest, const char *src, size_t len)
{
	size_t tail = ((uintptr_t)dest + len) & (V - 1);
	size_t i = len - tail;

	small_move(dest + i, src + i, tail);
	for (; i >= 4 * V; i -= 4 * V) {
		vec a = load(src + i - V);
		vec b = load(src + i - 2 * V);
		vec c = load(src + i - 3 * V);
		vec d = load(src + i - 4 * V);

		BARRIER();
		store_aligned(dest + i - V, a);
		store_aligned(dest + i - 2 * V, b);
		store_aligned(dest + i - 3 * V, c);
		store_aligned(dest + i - 4 * V, d);
	}
	for (; i >= V; i -= V) {
		store_aligned(dest + i - V, load(src + i - V));
		BARRIER();
	}
	small_move(dest, src, i);
}

static void *move(char *dest, const char *src, size_t len)
{
	bool aligned = (((uintptr_t)dest | len) & (V - 1)) == 0;

	if (len <= 2 * V)
		move_2(dest, src, len);
	else if (len <= 4 * V)
		move_4(dest, src, len);
	else if (aligned && len <= 8 * V)
		move_8(dest, src, len);
	else if (aligned && len <= 16 * V)
		move_16(dest, src, len);
	else if ((uintptr_t)dest - (uintptr_t)src >= len)
		move_forward(dest, src, len);
	else
		move_backward(dest, src, len);
	return dest;
}

/* 4 to 8 vectors, at a vector boundary. No vector is passed: see move_16(). */
static ALWAYS_INLINE void set_8(char *dest, int c, size_t len)
{
	vec v = splat(c);

	store_aligned(dest, v);
	store_aligned(dest + V, v);
	store_aligned(dest + 2 * V, v);
	store_aligned(dest + 3 * V, v);
	store_aligned(dest + len - 4 * V, v);
	store_aligned(dest + len - 3 * V, v);
	store_aligned(dest + len - 2 * V, v);
	store_aligned(dest + len - V, v);
}

static void *set_aligned(char *dest, int c, size_t len)
{
	vec v = splat(c);
	size_t i = -(uintptr_t)dest & (V - 1);

	small_set(dest, c, i);
	for (; i + 8 * V <= len; i += 8 * V) {
		set_8(dest + i, c, 8 * V);
		BARRIER();
	}
	for (; i + 4 * V <= len; i += 4 * V) {
		store_aligned(dest + i, v);
		store_aligned(dest + i + V, v);
		store_aligned(dest + i + 2 * V, v);
		store_aligned(dest + i + 3 * V, v);
		BARRIER();
	}
	for (; i + V <= len; i += V) {
		store_aligned(dest + i, v);
		BARRIER();
	}
	small_set(dest + i, c, len - i);
	return dest;
}

static void *set(char *dest, int c, size_t len)
{
	vec v = splat(c);

	if (len <= 2 * V) {
		store(dest, v);
		store(dest + len - V, v);
		return dest;
	}
	if (len <= 4 * V) {
		store(dest, v);
		store(dest + V, v);
		store(dest + len - 2 * V, v);
		store(dest + len - V, v);
		return dest;
	}
	if (len <= 8 * V && (((uintptr_t)dest | len) & (V - 1)) == 0) {
		set_8(dest, c, len);
		return dest;
	}
	return set_aligned(dest, c, len);
}

#ifdef VEC_FLUSH_SPLIT

/*
 * Whether move() and set() would store these bytes with four stores that cross lines, or halves of
 * lines. Two such stores cost less than the alternative.
 */
static bool is_split(const char *dest, size_t len)
{
	return len > 2 * V && len <= 4 * V &&
	       (((uintptr_t)dest | len) & (VEC_FLUSH_SPLIT - 1)) != 0;
}

static void *move_flushed(char *dest, const char *src, size_t len)
{
	if (!is_split(dest, len))
		return move(dest, src, len);
	if ((uintptr_t)dest - (uintptr_t)src >= len)
		move_forward(dest, src, len);
	else
		move_backward(dest, src, len);
	return dest;
}

static void *set_flushed(char *dest, int c, size_t len)
{
	if (!is_split(dest, len))
		return set(dest, c, len);
	return set_aligned(dest, c, len);
}

#endif

#ifdef VEC_NT

#ifdef VEC_NT_LINE

static void move_nt_forward(char *dest, const char *src, size_t len)
{
	for (; len; len -= ENGINE_LINE) {
		VEC_NT_LINE(dest, src);
		dest += ENGINE_LINE;
		src += ENGINE_LINE;
	}
}

static void move_nt_backward(char *dest, const char *src, size_t len)
{
	for (; len; len -= ENGINE_LINE)
		VEC_NT_LINE(dest + len - ENGINE_LINE, src + len - ENGINE_LINE);
}

static void set_nt(char *dest, int c, size_t len)
{
	vec line[ENGINE_LINE / VEC_BYTES];

	for (size_t i = 0; i < ENGINE_LINE / V; i++)
		line[i] = splat(c);
	for (; len; len -= ENGINE_LINE) {
		VEC_NT_LINE(dest, line);
		dest += ENGINE_LINE;
	}
}

#else

static void move_nt_forward(char *dest, const char *src, size_t len)
{
	for (; len >= BLOCK * V; dest += BLOCK * V, src += BLOCK * V, len -= BLOCK * V) {
		vec block[BLOCK];

		UNROLL for (size_t i = 0; i < BLOCK; i++) block[i] = load(src + i * V);
		BARRIER();
		UNROLL for (size_t i = 0; i < BLOCK; i++) VEC_NT(dest + i * V, block[i]);
	}
	while (len >= 4 * V) {
		vec a = load(src);
		vec b = load(src + V);
		vec c = load(src + 2 * V);
		vec d = load(src + 3 * V);

		BARRIER();
		VEC_NT(dest, a);
		VEC_NT(dest + V, b);
		VEC_NT(dest + 2 * V, c);
		VEC_NT(dest + 3 * V, d);

		dest += 4 * V;
		src += 4 * V;
		len -= 4 * V;
	}
	for (; len; dest += V, src += V, len -= V) {
		VEC_NT(dest, load(src));
		BARRIER();
	}
}

static void move_nt_backward(char *dest, const char *src, size_t len)
{
	for (; len >= BLOCK * V; len -= BLOCK * V) {
		vec block[BLOCK];

		UNROLL for (size_t i = 1; i <= BLOCK; i++) block[i - 1] =
		    load(src + len - i * V);
		BARRIER();
		UNROLL for (size_t i = 1; i <= BLOCK; i++)
		    VEC_NT(dest + len - i * V, block[i - 1]);
	}
	while (len >= 4 * V) {
		vec a = load(src + len - V);
		vec b = load(src + len - 2 * V);
		vec c = load(src + len - 3 * V);
		vec d = load(src + len - 4 * V);

		BARRIER();
		VEC_NT(dest + len - V, a);
		VEC_NT(dest + len - 2 * V, b);
		VEC_NT(dest + len - 3 * V, c);
		VEC_NT(dest + len - 4 * V, d);

		len -= 4 * V;
	}
	for (; len; len -= V) {
		VEC_NT(dest + len - V, load(src + len - V));
		BARRIER();
	}
}

static void set_nt(char *dest, int c, size_t len)
{
	vec v = splat(c);

	for (; len >= 4 * V; dest += 4 * V, len -= 4 * V) {
		VEC_NT(dest, v);
		VEC_NT(dest + V, v);
		VEC_NT(dest + 2 * V, v);
		VEC_NT(dest + 3 * V, v);
		BARRIER();
	}
	for (; len; dest += V, len -= V) {
		VEC_NT(dest, v);
		BARRIER();
	}
}

#endif

#ifdef VEC_NT_WORD

typedef long long word8 __attribute__((aligned(1), may_alias));

static void move_nt_part(char *dest, const char *src, size_t len)
{
	long long word[ENGINE_LINE / 8];

	for (size_t i = 0; i < len / 8; i++) {
		word[i] = *(const word8 *)(src + 8 * i);
		BARRIER();
	}
	for (size_t i = 0; i < len / 8; i++)
		VEC_NT_WORD(dest + 8 * i, word[i]);
}

static void set_nt_part(char *dest, int c, size_t len)
{
	long long word = (long long)((unsigned char)c * 0x0101010101010101u);

	for (size_t i = 0; i < len / 8; i++)
		VEC_NT_WORD(dest + 8 * i, word);
}

#endif

#endif

const struct engine_kernel VEC_NAME = {
    .name = VEC_LABEL,
    .needs = VEC_NEEDS,
    .wc_bursts = VEC_WC_BURSTS,
    .near = VEC_NEAR,
    .move = move,
    .set = set,
#ifdef VEC_FLUSH_SPLIT
    .move_flushed = move_flushed,
    .set_flushed = set_flushed,
#else
    .move_flushed = move,
    .set_flushed = set,
#endif
#ifdef VEC_NT
    .move_nt_forward = move_nt_forward,
    .move_nt_backward = move_nt_backward,
    .set_nt = set_nt,
#ifdef VEC_NT_WORD
    .move_nt_part = move_nt_part,
    .set_nt_part = set_nt_part,
#endif
#endif
};
