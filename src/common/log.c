/* SPDX-License-Identifier: BSD-3-Clause */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "edge.h"
#include "printable.h"
#include "unload.h"

/* Threads may have small stacks. */
#define MESSAGE_MAX 1024

atomic_int log_limit = -1;

static _Atomic(log_sink *) program_sink;
static atomic_int program_limit = -1;
static int file_limit =
    -1; /* written at load only, like the other variables of the file below */

static void update_limit(void)
{
	int limit = atomic_load(&program_limit);

	atomic_store(&log_limit, limit > file_limit ? limit : file_limit);
}

void log_set_sink(log_sink *sink, enum log_level limit)
{
	atomic_store(&program_sink, sink);
	atomic_store(&program_limit, sink ? (int)limit : -1);
	update_limit();
}

/* --- the debug variant's file -------------------------------------------------------- */

#ifdef DEBUG

static const char *library_name;
static int file = STDERR_FILENO;
static int column;

/* The level of a message in PMDK's older numbering: 1 errors ... 4 everything. */
static int classic_level(enum log_level level)
{
	static const int levels[] = {
	    [LOG_LEVEL_HARK] = 1,    [LOG_LEVEL_FATAL] = 1,  [LOG_LEVEL_ERROR] = 1,
	    [LOG_LEVEL_WARNING] = 2, [LOG_LEVEL_NOTICE] = 2, [LOG_LEVEL_INFO] = 3,
	    [LOG_LEVEL_DEBUG] = 4,
	};

	return levels[level];
}

static const char *variable(const char *prefix, const char *suffix)
{
	char name[32];

	snprintf(name, sizeof(name), "%s%s", prefix, suffix);
	return secure_getenv(name);
}

static void complain(char *path, int err)
{
	printable_make(path, PATH_MAX);
	dprintf(STDERR_FILENO, "<%s>: cannot open log file %s: %s\n", library_name, path,
		strerror(err));
}

static void open_file(const char *name)
{
	size_t len = strlen(name);
	char path[PATH_MAX];
	int fd;

	if (len > 0 && name[len - 1] == '-')
		snprintf(path, sizeof(path), "%s%ld", name, (long)getpid());
	else
		snprintf(path, sizeof(path), "%s", name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
	if (fd >= 0)
		file = fd;
	else
		complain(path, errno);
}

static void write_line(enum log_level level, const char *name, unsigned line,
		       const char *function, const char *message)
{
	char place[128];
	int n = snprintf(place, sizeof(place), "<%s>: <%d> [%s:%u %s]", library_name,
			 classic_level(level), name, line, function);

	/* One write, so that the lines of several threads do not mix. */
	dprintf(file, "%s%*s %s\n", place, column > n ? column - n : 0, "", message);
}

void log_load(const char *library, const char *prefix)
{
	const char *level = variable(prefix, "_LOG_LEVEL");
	const char *name = variable(prefix, "_LOG_FILE");
	const char *align = secure_getenv("PMDK_LOG_ALIGN");
	int wanted = level ? atoi(level) : 0;

	library_name = library;
	if (align)
		column = atoi(align);
	if (name && *name)
		open_file(name);
	for (int l = LOG_LEVEL_HARK; l <= LOG_LEVEL_DEBUG; l++)
		if (classic_level((enum log_level)l) <= wanted)
			file_limit = l;
	update_limit();
	LOG(LOG_LEVEL_HARK, "pid %ld: program: %s", (long)getpid(),
	    program_invocation_name);
	LOG(LOG_LEVEL_HARK, "%s version: %s", library, SRCVERSION);
}

void log_unload(void)
{
	struct edge edge;

	if (unload_is_exit())
		return;
	edge = edge_enter(true);
	file_limit = -1;
	update_limit();
	if (file != STDERR_FILENO)
		close(file);
	file = STDERR_FILENO;
	edge_leave(edge, 0);
}

#else

static void write_line(enum log_level level, const char *name, unsigned line,
		       const char *function, const char *message)
{
	(void)level;
	(void)name;
	(void)line;
	(void)function;
	(void)message;
}

void log_load(const char *library, const char *prefix)
{
	(void)library;
	(void)prefix;
}

void log_unload(void)
{
}

#endif

void log_write(enum log_level level, const char *path, unsigned line,
	       const char *function, const char *fmt, ...)
{
	log_sink *sink = atomic_load(&program_sink);
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char message[MESSAGE_MAX];
	/*
	 * The sink is the program's code; the caller may still succeed, and may hold
	 * locks.
	 */
	struct edge edge = edge_enter(true);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	printable_make(message, sizeof(message));
	if (sink && (int)level <= atomic_load(&program_limit))
		sink(level, name, line, function, message);
	if ((int)level <= file_limit)
		write_line(level, name, line, function, message);
	edge_leave(edge, 0);
}
