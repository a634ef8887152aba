/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/tool.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "commands/streams.h"
#include "commands/values.h"
#include "commands/wait.h"
#include "errormsg.h"
#include "printable.h"

#define MAX_OPTIONS 16

/* Room for a message of the library and some text. */
#define MAX_LINE (2 * ERRORMSG_MAX)

static void PRINTF_LIKE(3, 0)
    print_line(FILE *f, const char *begin, const char *fmt, va_list ap)
{
	char line[MAX_LINE];

	vsnprintf(line, sizeof(line), fmt, ap);
	printable_make(line, sizeof(line));
	fprintf(f, "%s%s\n", begin, line);
}

void tool_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_line(stdout, "", fmt, ap);
	va_end(ap);
}

static void PRINTF_LIKE(1, 0) complain(const char *fmt, va_list ap)
{
	fflush(stdout);
	streams_guard_error();
	print_line(stderr, "pmemblk: ", fmt, ap);
}

void tool_complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
}

enum tool_status tool_failed(void)
{
	tool_complain("%s", errormsg_get());
	return TOOL_FAILED;
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

static void print_option(const struct tool_option *o)
{
	const char *line = o->help;
	int n = printf("  -%c, --%s%s%s", o->letter, o->name, o->value ? "=" : "",
		       o->value ? o->value : "");

	for (;;) {
		int len = (int)strcspn(line, "\n");

		printf("%*s%.*s\n", n < 25 ? 25 - n : 1, "", len, line);
		if (!line[len])
			break;
		line += len + 1;
		n = 0;
	}
}

static void print_help(const struct tool_command *self, const struct tool_option *options)
{
	printf("usage: pmemblk %s %s\n\n%s\n\n", self->name, self->arguments,
	       self->summary);
	for (; options->name; options++)
		print_option(options);
	printf(
	    "      --%-17sseconds to wait for a pool that is in use [0]; -1: for ever\n",
	    WAIT_OPTION "=SECONDS");
	if (self->notes)
		printf("\n%s\n", self->notes);
}

/* The option of all commands. It has no letter. */
#define WAIT_VALUE 1

/* Makes the tables for getopt_long(3), with --wait and --help added. */
static void prepare(const struct tool_option *options, struct option *long_opts,
		    char *short_opts)
{
	*short_opts++ = ':';
	for (; options->name; options++) {
		*long_opts++ = (struct option){
		    options->name,
		    options->kind == TOOL_FLAG ? no_argument : required_argument, NULL,
		    options->letter};
		*short_opts++ = options->letter;
		if (options->kind != TOOL_FLAG)
			*short_opts++ = ':';
	}
	*long_opts++ = (struct option){WAIT_OPTION, required_argument, NULL, WAIT_VALUE};
	*long_opts++ = (struct option){"help", no_argument, NULL, 'h'};
	*long_opts = (struct option){0};
	*short_opts++ = 'h';
	*short_opts = '\0';
}

static enum tool_status complain_value(const struct tool_command *self, const char *name,
				       const char *wanted)
{
	return tool_usage_error(self, "--%s=%s: wanted is %s", name, optarg, wanted);
}

/* The one with that letter; the last one, without a name, if there is none. */
static const struct tool_option *find_option(const struct tool_option *options,
					     int letter)
{
	while (options->name && options->letter != letter)
		options++;
	return options;
}

/* A letter that exists is that of a long option with a value that it does not have. */
static enum tool_status complain_option(const struct tool_command *self, int c,
					const struct tool_option *options,
					char *const *argv)
{
	if (c == ':')
		return tool_usage_error(self, "option '%s' needs a value",
					argv[optind - 1]);
	if (isprint(optopt) && optopt != 'h' && !find_option(options, optopt)->name)
		return tool_usage_error(self, "unknown option '-%c'", optopt);
	return tool_usage_error(self, "wrong option '%s'", argv[optind - 1]);
}

static bool read_options(const struct tool_command *self, int argc, char **argv,
			 const struct tool_option *options, enum tool_status *status)
{
	struct option long_opts[MAX_OPTIONS + 3];
	char short_opts[2 * MAX_OPTIONS + 3];
	char wanted[VALUES_WANTED];
	int c;

	prepare(options, long_opts, short_opts);
	while ((c = getopt_long(argc, argv, short_opts, long_opts, NULL)) != -1) {
		const struct tool_option *o = find_option(options, c);

		if (c == 'h') {
			*status = TOOL_FAILED;
			if (!streams_guard_output())
				return false;
			print_help(self, options);
			*status = TOOL_OK;
			return false;
		}
		if (c == WAIT_VALUE) {
			if (wait_set(optarg))
				continue;
			*status = complain_value(self, WAIT_OPTION, WAIT_WANTED);
			return false;
		}
		if (!o->name) {
			*status = complain_option(self, c, options, argv);
			return false;
		}
		if (!values_store(o, optarg ? optarg : "", wanted)) {
			*status = complain_value(self, o->name, wanted);
			return false;
		}
	}
	return true;
}

static bool read_operands(const struct tool_command *self, int argc, char **argv,
			  const struct tool_operand *operands)
{
	int i;

	for (i = optind; operands->name; operands++, i++) {
		if (i >= argc) {
			tool_usage_error(self, "%s is missing", operands->name);
			return false;
		}
		if (!*argv[i]) {
			tool_usage_error(self,
					 "%s is an empty name, which no file can have",
					 operands->name);
			return false;
		}
		*operands->target = argv[i];
	}
	if (i < argc) {
		tool_usage_error(self, "'%s' is one argument too many", argv[i]);
		return false;
	}
	return true;
}

/* Whether nothing that the command prints gets into its own pool. */
static bool check_streams(const struct tool_operand *operands)
{
	while (strcmp(operands->name, "PATH") != 0)
		operands++;
	return streams_check(*operands->target);
}

bool tool_read_arguments(const struct tool_command *self, int argc, char **argv,
			 const struct tool_option *options,
			 const struct tool_operand *operands, enum tool_status *status)
{
	if (!read_options(self, argc, argv, options, status))
		return false;
	*status = TOOL_USAGE;
	if (!read_operands(self, argc, argv, operands))
		return false;
	*status = TOOL_FAILED;
	return check_streams(operands);
}

enum tool_status tool_finish_output(enum tool_status status)
{
	if (fflush(stdout) != 0 || ferror(stdout)) {
		tool_complain("cannot write to the standard output: %s", strerror(errno));
		return TOOL_FAILED;
	}
	return streams_are_silent() ? TOOL_FAILED : status;
}
