/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The common parts of the commands of pmemblk(1): exit statuses, messages, and arguments. Each
 * command is a file NAME.c with one function, cmd_NAME().
 */
#ifndef TOOL_H
#define TOOL_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
	const char *notes;     /* text of the help behind the options; NULL: none */
	enum tool_status (*run)(const struct tool_command *self, int argc, char **argv);
};

enum tool_status cmd_create(const struct tool_command *self, int argc, char **argv);
enum tool_status cmd_info(const struct tool_command *self, int argc, char **argv);
enum tool_status cmd_check(const struct tool_command *self, int argc, char **argv);
enum tool_status cmd_repair(const struct tool_command *self, int argc, char **argv);
enum tool_status cmd_grow(const struct tool_command *self, int argc, char **argv);
enum tool_status cmd_dump(const struct tool_command *self, int argc, char **argv);
enum tool_status cmd_export(const struct tool_command *self, int argc, char **argv);
enum tool_status cmd_import(const struct tool_command *self, int argc, char **argv);
enum tool_status cmd_bench(const struct tool_command *self, int argc, char **argv);

/* --- messages ------------------------------------------------------------------------ */

/*
 * Prints a line to stdout. This function and the next ones escape control characters
 * (printable.h).
 */
void tool_say(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Prints "pmemblk: " and the message to stderr. */
void tool_complain(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Prints errormsg_get() in the same way. Returns TOOL_FAILED. */
enum tool_status tool_failed(void);

/* As tool_complain(), and prints the usage of the command. Returns TOOL_USAGE. */
enum tool_status tool_usage_error(const struct tool_command *self, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

/*
 * Checks that all output has been written. If not (a full disk, a closed pipe), complains and
 * returns TOOL_FAILED. Returns TOOL_FAILED also if messages were not printed (streams.h), otherwise
 * status.
 */
enum tool_status tool_finish_output(enum tool_status status);

/* --- arguments ----------------------------------------------------------------------- */

/* An option of a command. The help, getopt_long(3) and the checks all read this one table. */
struct tool_option {
	char letter;
	const char *name;
	const char *value; /* the name of the value in the help; NULL for TOOL_FLAG */
	const char *help;  /* lines of at most 60 characters */
	enum {
		TOOL_FLAG,   /* bool: becomes true */
		TOOL_SIZE,   /* uint64_t, see tool_parse_size() */
		TOOL_NUMBER, /* uint64_t, decimal */
		TOOL_MODE,   /* mode_t, octal */
		TOOL_TEXT,   /* const char * */
		TOOL_BLOCKS, /* struct tool_blocks */
	} kind;
	void *target;
	uint64_t min; /* of TOOL_SIZE and TOOL_NUMBER */
	uint64_t max;
};

/* N is [N, N], N- is [N, UINT64_MAX]. */
struct tool_blocks {
	uint64_t first;
	uint64_t last;
};

/* An argument that is not an option. All are required. One is named PATH: the pool. */
struct tool_operand {
	const char *name;
	const char **target;
};

/*
 * Reads the arguments. Both lists end with a member whose name is NULL. Returns false if the
 * command has to end: *status is TOOL_OK after the help was printed, TOOL_USAGE after an error in
 * the arguments, TOOL_FAILED if the command would print into its own pool (streams.h).
 */
bool tool_read_arguments(const struct tool_command *self, int argc, char **argv,
			 const struct tool_option *options,
			 const struct tool_operand *operands,
			 enum tool_status *status) MUST_CHECK;

/*
 * Parses a size: a number and, directly behind it, one of the units K, M, G, T, P (powers of
 * 1024, also KiB ...), KB, MB ... (powers of 1000) or B, in upper or lower case. The number is
 * decimal, and may have a fraction if a unit follows; without a unit it may be hexadecimal.
 * Returns false for any other text, or if the size does not fit 64 bits.
 */
bool tool_parse_size(const char *text, uint64_t *size) MUST_CHECK;

#endif
