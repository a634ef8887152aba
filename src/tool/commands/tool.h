/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the commands of pmemblk(1) share: exit statuses, messages, and arguments. Each
 * command is one file NAME.c with one function, cmd_NAME().
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
	const char *notes;     /* what the help says behind the options; NULL: nothing */
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

/* --- messages ------------------------------------------------------------------------ */

/* Prints a line to stdout. Here and below control characters are escaped (printable.h). */
void tool_say(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Prints "pmemblk: " and the message to stderr. */
void tool_complain(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* The same, and how the command is used. Returns TOOL_USAGE. */
enum tool_status tool_usage_error(const struct tool_command *self, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

/*
 * Has everything arrived that was printed? TOOL_FAILED, complained about, if not (a full
 * disk, a closed pipe), else status.
 */
enum tool_status tool_finish_output(enum tool_status status);

/* --- arguments ----------------------------------------------------------------------- */

/* A command's options stand once: help, getopt_long(3) and the checks all read this. */
struct tool_option {
	char letter;
	const char *name;
	const char *value; /* what the help calls the value; NULL for TOOL_FLAG */
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

/* An argument that is no option; all have to be there. */
struct tool_operand {
	const char *name;
	const char **target;
};

/*
 * Reads the arguments; both lists end with a member whose name is NULL. False if that ends
 * the command: with *status TOOL_OK after the help was printed, with TOOL_USAGE after a
 * complaint.
 */
bool tool_read_arguments(const struct tool_command *self, int argc, char **argv,
			 const struct tool_option *options,
			 const struct tool_operand *operands,
			 enum tool_status *status) MUST_CHECK;

/*
 * A size: a number and, directly behind it, one of the units K, M, G, T, P (powers of 1024,
 * also KiB ...), KB, MB ... (powers of 1000) and B, in capitals or not. The number is
 * decimal, with a fraction where a unit follows, or hexadecimal without a unit. False if it
 * is anything else or leaves 64 bits.
 */
bool tool_parse_size(const char *text, uint64_t *size) MUST_CHECK;

#endif
