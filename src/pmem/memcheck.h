/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * msync(2) for programs that run under valgrind's memcheck. msync works on whole pages,
 * and these may hold bytes that the program has declared not addressable, as libpmemobj
 * does with free memory. That is not an error of the program. So memcheck is told to
 * check only the bytes that the program asked for, and nothing during the system call.
 *
 * The requests to valgrind are a few instructions that do nothing outside of it. They are
 * left out if valgrind's header is not installed.
 */
#ifndef MEMCHECK_H
#define MEMCHECK_H 1

#ifdef __has_include
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif
#endif

#ifdef VALGRIND_DISABLE_ERROR_REPORTING
#define memcheck_begin_sync(addr, len)                                                   \
	do {                                                                             \
		(void)VALGRIND_CHECK_MEM_IS_ADDRESSABLE(addr, len);                      \
		VALGRIND_DISABLE_ERROR_REPORTING;                                        \
	} while (0)
#define memcheck_end_sync() VALGRIND_ENABLE_ERROR_REPORTING
#else
#define memcheck_begin_sync(addr, len) ((void)(addr), (void)(len))
#define memcheck_end_sync() ((void)0)
#endif

#endif
