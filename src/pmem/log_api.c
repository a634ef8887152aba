/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The logging interface: which messages the program wants, and where they go if the
 * program has set no function.
 *
 * This file does not use syslog(3), which would leave a descriptor open in the program,
 * nor closelog(3), which would close a descriptor that the program opened with
 * openlog(3). The protocol is one datagram per message.
 */
#include "log_api.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "compiler.h"
#include "libpmem.h"
#include "log.h"

_Static_assert((int)LOG_LEVEL_HARK == (int)PMEM_LOG_LEVEL_HARK, "levels differ");
_Static_assert((int)LOG_LEVEL_DEBUG == (int)PMEM_LOG_LEVEL_DEBUG, "levels differ");

const char *log_api_socket = "/dev/log";

static atomic_int thresholds[] = {
    [PMEM_LOG_THRESHOLD] = PMEM_LOG_LEVEL_WARNING,
    [PMEM_LOG_THRESHOLD_AUX] = PMEM_LOG_LEVEL_HARK,
};
static _Atomic(pmem_log_function *) program_function;

static int syslog_priority(enum log_level level)
{
	static const int priorities[] = {
	    [LOG_LEVEL_HARK] = LOG_NOTICE,   [LOG_LEVEL_FATAL] = LOG_CRIT,
	    [LOG_LEVEL_ERROR] = LOG_ERR,     [LOG_LEVEL_WARNING] = LOG_WARNING,
	    [LOG_LEVEL_NOTICE] = LOG_NOTICE, [LOG_LEVEL_INFO] = LOG_INFO,
	    [LOG_LEVEL_DEBUG] = LOG_DEBUG,
	};

	return LOG_USER | priorities[level];
}

static void send_to_syslog(enum log_level level, const char *text)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char datagram[2048];
	char date[32];
	struct tm tm;
	time_t now = time(NULL);
	int fd;
	int n;

	localtime_r(&now, &tm);
	strftime(date, sizeof(date), "%b %e %T", &tm);
	n = snprintf(datagram, sizeof(datagram), "<%d>%s %s[%ld]: %s",
		     syslog_priority(level), date, program_invocation_short_name,
		     (long)getpid(), text);
	if (n < 0)
		return;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", log_api_socket);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	/* If nobody listens, there is nobody to report it to. */
	(void)sendto(fd, datagram, strnlen(datagram, sizeof(datagram)), MSG_NOSIGNAL,
		     (const struct sockaddr *)&addr, sizeof(addr));
	close(fd);
}

static void default_function(enum log_level level, const char *file, unsigned line,
			     const char *function, const char *message)
{
	static const char *const names[] = {
	    [LOG_LEVEL_HARK] = "*HARK*",   [LOG_LEVEL_FATAL] = "*FATAL*",
	    [LOG_LEVEL_ERROR] = "*ERROR*", [LOG_LEVEL_WARNING] = "*WARN*",
	    [LOG_LEVEL_NOTICE] = "*NOTE*", [LOG_LEVEL_INFO] = "*INFO*",
	    [LOG_LEVEL_DEBUG] = "*DEBUG*",
	};
	char text[1536];

	snprintf(text, sizeof(text), "libpmem: %s: %s:%u: %s: %s", names[level], file,
		 line, function, message);
	send_to_syslog(level, text);
	if ((int)level <= atomic_load(&thresholds[PMEM_LOG_THRESHOLD_AUX]))
		dprintf(STDERR_FILENO, "%s\n", text);
}

static void sink(enum log_level level, const char *file, unsigned line,
		 const char *function, const char *message)
{
	pmem_log_function *f = atomic_load(&program_function);

	if (f)
		f((enum pmem_log_level)level, file, line, function, message);
	else
		default_function(level, file, line, function, message);
}

static void activate(void)
{
	log_set_sink(sink, (enum log_level)atomic_load(&thresholds[PMEM_LOG_THRESHOLD]));
}

static bool is_threshold(enum pmem_log_threshold threshold)
{
	return threshold == PMEM_LOG_THRESHOLD || threshold == PMEM_LOG_THRESHOLD_AUX;
}

API_EXPORT int pmem_log_set_threshold(enum pmem_log_threshold threshold,
				      enum pmem_log_level level)
{
	if (!is_threshold(threshold) || (int)level < PMEM_LOG_LEVEL_HARK ||
	    (int)level > PMEM_LOG_LEVEL_DEBUG)
		return EINVAL;
	atomic_store(&thresholds[threshold], (int)level);
	activate();
	return 0;
}

API_EXPORT int pmem_log_get_threshold(enum pmem_log_threshold threshold,
				      enum pmem_log_level *level)
{
	if (!is_threshold(threshold) || !level)
		return EINVAL;
	*level = (enum pmem_log_level)atomic_load(&thresholds[threshold]);
	return 0;
}

API_EXPORT int pmem_log_set_function(pmem_log_function *function)
{
	int before = errno;

	atomic_store(&program_function, function);
	activate();
	LOG(LOG_LEVEL_HARK, "libpmem version: " SRCVERSION);
	errno = before;
	return 0;
}
