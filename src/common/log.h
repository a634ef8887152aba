/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Log messages. Each library has its own state. Nothing is written before somebody wants
 * it: a sink set by the program (libpmem's logging interface), or in the debug variant the
 * environment:
 *
 *	<PREFIX>_LOG_LEVEL	1 errors, 2 basic operations, 3 more of them, 4 and above all
 *	<PREFIX>_LOG_FILE	written anew; "-" at its end stands for the process id; without
 *				it, and where it cannot be opened, standard error
 *	PMDK_LOG_ALIGN		column in which the texts begin
 *
 * The release variant ignores these. errno stays as it is.
 */
#ifndef LOG_H
#define LOG_H 1

#include <stdatomic.h>

#include "compiler.h"

/* In the order of enum pmem_log_level. */
enum log_level {
	LOG_LEVEL_HARK, /* about the library itself; whoever logs at all gets it */
	LOG_LEVEL_FATAL,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* file is a base name, message has no newline; both are gone after the call. */
typedef void log_sink(enum log_level level, const char *file, unsigned line,
		      const char *function, const char *message);

/* In the debug variant, reads the environment and opens the file; at load and unload. */
void log_load(const char *library, const char *prefix);
void log_unload(void);

/* From now on sink gets the messages up to limit; NULL: nobody. */
void log_set_sink(log_sink *sink, enum log_level limit);

/* The highest level that anybody wants; -1 for none. Relaxed: a hint, messages may get
 * lost or come late around a change. */
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
