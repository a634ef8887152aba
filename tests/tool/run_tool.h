/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls commands of the tool in the test's process and catches their output. */
#ifndef RUN_TOOL_H
#define RUN_TOOL_H 1

#include "support.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "commands/tool.h"

#define TOOL_MAX_ARGS 8

static char *tool_said; /* stdout and stderr of the last command */

typedef enum tool_status tool_function(const struct tool_command *self, int argc,
				       char **argv);

static inline int tool_begin_catching(int saved[2])
{
	int fd = memfd_create("said", 0);

	assert_true(fd >= 0);
	fflush(stdout);
	fflush(stderr);
	for (int i = 0; i < 2; i++) {
		saved[i] = dup(i + 1);
		assert_true(saved[i] >= 0 && dup2(fd, i + 1) >= 0);
	}
	return fd;
}

static inline void tool_end_catching(int fd, const int saved[2])
{
	off_t len;

	fflush(stdout);
	fflush(stderr);
	for (int i = 0; i < 2; i++) {
		dup2(saved[i], i + 1);
		close(saved[i]);
	}
	len = lseek(fd, 0, SEEK_END);
	free(tool_said);
	tool_said = calloc(1, (size_t)len + 1);
	if (!tool_said || pread(fd, tool_said, (size_t)len, 0) != len)
		abort();
	close(fd);
}

/* Runs a command with the arguments up to NULL; returns its status. */
static inline int tool_run(tool_function *command, ...)
{
	static const struct tool_command self = {"command", "", "", NULL, NULL};
	char *argv[TOOL_MAX_ARGS + 1];
	char *arg;
	int argc = 0;
	int saved[2];
	va_list ap;
	int fd;
	int status;

	argv[argc++] = (char[]){"command"};
	va_start(ap, command);
	while ((arg = va_arg(ap, char *)) != NULL && argc < TOOL_MAX_ARGS)
		argv[argc++] = arg;
	va_end(ap);
	argv[argc] = NULL;
	optind = 0;
	fd = tool_begin_catching(saved);
	status = (int)command(&self, argc, argv);
	tool_end_catching(fd, saved);
	return status;
}

#endif
