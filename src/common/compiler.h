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

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/*
 * For printing 64-bit values with %llu: their type has different names on different
 * machines.
 */
#define ULL(x) ((unsigned long long)(x))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
