/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/descriptor.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler.h"

static const struct {
	const char *name;
	int fd;
} streams[] = {{"/dev/stdin", STDIN_FILENO},
	       {"/dev/stdout", STDOUT_FILENO},
	       {"/dev/stderr", STDERR_FILENO}};

static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};

/* Digits only, as in the names that these folders have; -1 for anything else. */
static int parse(const char *text)
{
	long fd;

	if (!*text || text[strspn(text, "0123456789")])
		return -1;
	fd = strtol(text, NULL, 10);
	return fd <= INT32_MAX ? (int)fd : -1;
}

int descriptor_of(const char *name, int dash)
{
	if (strcmp(name, "-") == 0)
		return dash;
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++)
		if (strcmp(name, streams[i].name) == 0)
			return streams[i].fd;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		size_t len = strlen(folders[i]);

		if (strncmp(name, folders[i], len) == 0)
			return parse(name + len);
	}
	return -1;
}
