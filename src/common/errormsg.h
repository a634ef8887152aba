/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The text behind pmem_errormsg() and pmemblk_errormsg(): one message per thread and per
 * library. It describes the last failure of the thread and is never cleared by success.
 */
#ifndef ERRORMSG_H
#define ERRORMSG_H 1

#include "compiler.h"

/* The message holds at most this many bytes, the final NUL included; longer ones are cut.
 */
#define ERRORMSG_MAX 8192

/*
 * The calling thread's message; never NULL, "" before the first one. The pointer stays
 * valid until the thread ends or the library is unloaded.
 */
const char *errormsg_get(void);

/* Sets the calling thread's message. */
void errormsg_set(const char *fmt, ...) PRINTF_LIKE(1, 2);

/*
 * Sets the message and returns -err, so that the place that detects an error can say
 * `return errormsg_fail(EINVAL, "...")`. err is a positive errno value.
 */
int errormsg_fail(int err, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;

/* The same for a failed system call: ": " and the text of err are added to the message.
 */
int errormsg_fail_sys(int err, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;

#ifdef __clang_analyzer__
/* The analyser does not see into errormsg.c and has to be told that these return no 0. */
#define errormsg_fail(err, ...) (errormsg_set(__VA_ARGS__), (void)(err), -1)
#define errormsg_fail_sys(err, ...) (errormsg_set(__VA_ARGS__), (void)(err), -1)
#endif

#endif
