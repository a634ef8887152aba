/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/tool.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_OPTIONS 16

static void PRINTF_LIKE(1, 0) complain(const char *fmt, va_list ap)
{
	fflush(stdout);
	fputs("pmemblk: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void tool_complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
}

enum tool_status tool_usage_error(const struct tool_command *self, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	fprintf(stderr, "usage: pmemblk %s %s\n", self->name, self->arguments);
	return TOOL_USAGE;
}

void tool_print_help(const struct tool_command *self)
{
	printf("usage: pmemblk %s %s\n\n%s\n\n%s", self->name, self->arguments,
	       self->summary, self->help);
}

int tool_next_option(const struct tool_command *self, int argc, char **argv,
		     const char *letters, const struct option *opts)
{
	struct option all[MAX_OPTIONS];
	char short_opts[2 * MAX_OPTIONS + 3];
	size_t n = 0;
	int c;

	while (opts[n].name && n < MAX_OPTIONS - 2) {
		all[n] = opts[n];
		n++;
	}
	all[n] = (struct option){"help", no_argument, NULL, 'h'};
	all[n + 1] = (struct option){0};
	snprintf(short_opts, sizeof(short_opts), ":h%s", letters);
	c = getopt_long(argc, argv, short_opts, all, NULL);
	if (c == 'h') {
		tool_print_help(self);
	} else if (c == ':') {
		tool_usage_error(self, "option '%s' needs a value", argv[optind - 1]);
		c = '?';
	} else if (c == '?') {
		if (optopt && isprint(optopt) && argv[optind - 1][1] != '-')
			tool_usage_error(self, "unknown option '-%c'", optopt);
		else
			tool_usage_error(self, "wrong option '%s'", argv[optind - 1]);
	}
	return c;
}

enum tool_status tool_option_status(int option)
{
	return option == 'h' ? TOOL_OK : TOOL_USAGE;
}

const char *tool_only_argument(const struct tool_command *self, int argc, char **argv)
{
	if (optind == argc - 1)
		return argv[optind];
	if (optind >= argc)
		tool_usage_error(self, "a path is missing");
	else
		tool_usage_error(self, "'%s' is one argument too many", argv[optind + 1]);
	return NULL;
}

bool tool_parse_number(const char *text, uint64_t max, uint64_t *number)
{
	uint64_t value = 0;

	if (!*text)
		return false;
	for (const char *c = text; *c; c++)
		if (!isdigit((unsigned char)*c) ||
		    __builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*c - '0'), &value))
			return false;
	if (value > max)
		return false;
	*number = value;
	return true;
}

/* 1 for no unit, 0 for an unknown one. */
static uint64_t unit_factor(const char *unit)
{
	static const char prefixes[] = "KMGTP";
	uint64_t binary = 1;
	uint64_t decimal = 1;

	if (!*unit || strcmp(unit, "B") == 0)
		return 1;
	for (size_t i = 0; i < sizeof(prefixes) - 1; i++) {
		binary <<= 10;
		decimal *= 1000;
		if (*unit == prefixes[i] && (!unit[1] || strcmp(unit + 1, "iB") == 0))
			return binary;
		if (*unit == (i == 0 ? 'k' : prefixes[i]) && strcmp(unit + 1, "B") == 0)
			return decimal;
	}
	return 0;
}

bool tool_parse_size(const char *text, uint64_t *size)
{
	size_t digits = strspn(text, "0123456789");
	char number[32];
	uint64_t value;
	uint64_t factor = unit_factor(text + digits);

	if (digits >= sizeof(number) || factor == 0)
		return false;
	memcpy(number, text, digits);
	number[digits] = '\0';
	return tool_parse_number(number, UINT64_MAX, &value) &&
	       !__builtin_mul_overflow(value, factor, size);
}

bool tool_parse_mode(const char *text, mode_t *mode)
{
	char *end;
	unsigned long value;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	value = strtoul(text, &end, 8);
	if (errno || *end || value > 07777)
		return false;
	*mode = (mode_t)value;
	return true;
}

enum tool_status tool_finish_output(enum tool_status status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "pmemblk: cannot write to the standard output: %s\n",
		strerror(errno));
	return TOOL_FAILED;
}
