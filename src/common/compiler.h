/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compiler helpers shared by both libraries.
 */
#ifndef COMPILER_H
#define COMPILER_H 1

#define API_EXPORT __attribute__((visibility("default")))
#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt_arg, first) __attribute__((format(printf, fmt_arg, first)))

/* The function is never inlined, so that the frequent path of its callers stays short. */
#define NOINLINE __attribute__((noinline))

/* The function is inlined at all its calls: for constant arguments that select a path. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/*
 * For printing 64-bit values with %llu: their type has different names on different
 * machines.
 */
#define ULL(x) ((unsigned long long)(x))

/* Fetches the cache line, to be stored to. */
static inline void prefetch_store(const void *p)
{
#if defined(__x86_64__)
	/* the builtin fetches for loads unless the compiler may assume the instruction, which
	 * all CPUs accept and most know */
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)p));
#else
	__builtin_prefetch(p, 1);
#endif
}

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
