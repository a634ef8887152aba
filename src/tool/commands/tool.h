/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the subcommands of pmemblk(1) share: exit statuses, messages and the parsing of
 * arguments. Each subcommand is one file cmd_NAME.c with one function.
 */
#ifndef TOOL_H
#define TOOL_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "compiler.h"

enum tool_status {
	TOOL_OK = 0,
	TOOL_DAMAGED = 1, /* the pool, or a block of it, is damaged */
	TOOL_USAGE = 2,	  /* the command line is wrong; nothing was done */
	TOOL_FAILED = 3,  /* an error kept the command from its work */
};

struct tool_command {
	const char *name;
	const char *arguments; /* the usage line after the name */
	const char *summary;   /* one line */
	const char *help;      /* the options, and whatever else has to be known */
	enum tool_status (*run)(const struct tool_command *self, int argc, char **argv);
};

enum tool_status cmd_create(const struct tool_command *self, int argc, char **argv);
enum tool_status cmd_info(const struct tool_command *self, int argc, char **argv);
enum tool_status cmd_check(const struct tool_command *self, int argc, char **argv);
enum tool_status cmd_repair(const struct tool_command *self, int argc, char **argv);
enum tool_status cmd_dump(const struct tool_command *self, int argc, char **argv);
enum tool_status cmd_export(const struct tool_command *self, int argc, char **argv);
enum tool_status cmd_import(const struct tool_command *self, int argc, char **argv);
enum tool_status cmd_bench(const struct tool_command *self, int argc, char **argv);

/* Prints "pmemblk COMMAND: " and the message to stderr. */
void tool_complain(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* The same, and how to get help. Returns TOOL_USAGE. */
enum tool_status tool_usage_error(const struct tool_command *self, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

void tool_print_help(const struct tool_command *self);

/*
 * getopt_long(3) with --help and --version added to opts. At -1 the arguments that are no
 * options begin at argv[optind]. '?' is a wrong option, complained about; 'h' help was
 * printed. Both end the command: tool_option_status() says with what.
 */
struct option;
int tool_next_option(const struct tool_command *self, int argc, char **argv,
		     const char *letters, const struct option *opts);
enum tool_status tool_option_status(int option);

/* The only argument that is no option; NULL, complained about, if there is not exactly one. */
const char *tool_only_argument(const struct tool_command *self, int argc, char **argv);

/*
 * A size: a decimal number and, directly behind it, one of the units that pool set files
 * know (K, KiB, kB, M, ... P, B). false if it is anything else or leaves 64 bits.
 */
bool tool_parse_size(const char *text, uint64_t *size);

/* A decimal number of at most max. */
bool tool_parse_number(const char *text, uint64_t max, uint64_t *number);

/* An octal file mode. */
bool tool_parse_mode(const char *text, mode_t *mode);

/*
 * Has everything arrived that was printed? TOOL_FAILED, complained about, if not (a full
 * disk, a closed pipe), else status.
 */
enum tool_status tool_finish_output(enum tool_status status);

#endif
