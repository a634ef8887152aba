/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Log messages. Each library has its own state. Nothing is logged until somebody asks for
 * it: the program sets a sink (libpmem's logging interface), or, in the debug variant,
 * the environment says so:
 *
 *	<PREFIX>_LOG_LEVEL	1 errors, 2 basic operations, 3 more of them, 4 and above all
 *	<PREFIX>_LOG_FILE	the file, which is overwritten; "-" at its end stands for the
 *				process id. Standard error if it is not set or cannot be opened
 *	PMDK_LOG_ALIGN		column in which the texts begin
 *
 * The release variant ignores these. Logging does not change errno.
 */
#ifndef LOG_H
#define LOG_H 1

#include <stdatomic.h>

#include "compiler.h"

/* In the order of enum pmem_log_level. */
enum log_level {
	LOG_LEVEL_HARK, /* about the library itself; logged whenever anything is logged */
	LOG_LEVEL_FATAL,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* file is a base name, message has no newline; both are valid during the call only. */
typedef void log_sink(enum log_level level, const char *file, unsigned line,
		      const char *function, const char *message);

/* In the debug variant, reads the environment and opens the file; at load and unload. */
void log_load(const char *library, const char *prefix);
void log_unload(void);

/* From now on sink receives the messages up to level limit. NULL: no sink. */
void log_set_sink(log_sink *sink, enum log_level limit);

/* The highest level that anybody wants; -1 for none. Relaxed, because it is a hint only: at the
 * moment of a change a message may be lost, or logged late. */
extern atomic_int log_limit;

void log_write(enum log_level level, const char *file, unsigned line,
	       const char *function, const char *fmt, ...) PRINTF_LIKE(5, 6);

#define LOG_AT(level, file, line, function, ...)                                         \
	do {                                                                             \
		if (unlikely(atomic_load_explicit(&log_limit, memory_order_relaxed) >=   \
			     (int)(level)))                                              \
			log_write(level, file, line, function, __VA_ARGS__);             \
	} while (0)

#define LOG(level, ...) LOG_AT(level, __FILE__, __LINE__, __func__, __VA_ARGS__)

#endif
