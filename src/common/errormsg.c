/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each thread has a block of memory for its message, see thread_memory.h. The thread gets
 * it at its first failure. If there is no memory, the text is truncated or lost: an error
 * text must never be the reason to abort.
 */
#include "errormsg.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "printable.h"
#include "thread_memory.h"

static struct thread_memory messages = {.size = ERRORMSG_MAX};

__attribute__((constructor(101))) static void load(void)
{
	thread_memory_load(&messages);
}

__attribute__((destructor(101))) static void unload(void)
{
	thread_memory_unload(&messages);
}

PRINTF_LIKE(2, 0) static void format(int err, const char *fmt, va_list ap)
{
	size_t size;
	char *text = thread_memory_get(&messages, &size);
	const char *reason = err ? strerror(err) : "";
	size_t room = strlen(reason) + sizeof(": ");
	size_t at = 0;
	int n;

	if (!text)
		return;
	n = vsnprintf(text, size, fmt, ap);
	if (n < 0)
		*text = '\0';
	else /* the whole message is escaped, so that no name can be forgotten */
		at = printable_make(text, size);
	if (!err)
		return;
	if (at + room > size) /* a long path must not displace the reason */
		at = size - room;
	snprintf(text + at, size - at, ": %s", reason);
}

const char *errormsg_get(void)
{
	const char *text = thread_memory_find(&messages);

	return text ? text : "";
}

void errormsg_set(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	format(0, fmt, ap);
	va_end(ap);
}

int errormsg_fail_at(const char *file, unsigned line, const char *function, int err,
		     const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	format(0, fmt, ap);
	va_end(ap);
	LOG_AT(LOG_LEVEL_ERROR, file, line, function, "%s", errormsg_get());
	return -err;
}

int errormsg_fail_sys_at(const char *file, unsigned line, const char *function, int err,
			 const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	format(err, fmt, ap);
	va_end(ap);
	LOG_AT(LOG_LEVEL_ERROR, file, line, function, "%s", errormsg_get());
	return -err;
}
