/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The text behind pmem_errormsg() and pmemblk_errormsg(): one message per thread and per
 * library. It describes the last failure of the thread; a success never clears it.
 * Control characters, which come from names of files, are escaped (printable.h).
 */
#ifndef ERRORMSG_H
#define ERRORMSG_H 1

#include "compiler.h"

/* The longest message in bytes, with its final NUL. A longer one is truncated. */
#define ERRORMSG_MAX 8192

/*
 * The calling thread's message; never NULL, "" before the first one. The pointer stays
 * valid until the thread ends or the library is unloaded.
 */
const char *errormsg_get(void);

/* Sets the calling thread's message. */
void errormsg_set(const char *fmt, ...) PRINTF_LIKE(1, 2);

/*
 * Sets the message and returns -err. So the place that detects an error can write `return
 * errormsg_fail(EINVAL, "...")`. err is a positive errno value. errormsg_fail_sys is for
 * failed system calls: it adds ": " and the text of err. Both log the message and the
 * place in the source.
 */
#ifdef __clang_analyzer__
/*
 * The analyser does not see errormsg.c, so this tells it that the functions never return
 * 0.
 */
#define errormsg_fail(err, ...) (errormsg_set(__VA_ARGS__), (void)(err), -1)
#define errormsg_fail_sys(err, ...) (errormsg_set(__VA_ARGS__), (void)(err), -1)
#else
#define errormsg_fail(...) errormsg_fail_at(__FILE__, __LINE__, __func__, __VA_ARGS__)
#define errormsg_fail_sys(...)                                                           \
	errormsg_fail_sys_at(__FILE__, __LINE__, __func__, __VA_ARGS__)
#endif

int errormsg_fail_at(const char *file, unsigned line, const char *function, int err,
		     const char *fmt, ...) PRINTF_LIKE(5, 6) MUST_CHECK;
int errormsg_fail_sys_at(const char *file, unsigned line, const char *function, int err,
			 const char *fmt, ...) PRINTF_LIKE(5, 6) MUST_CHECK;

#endif
