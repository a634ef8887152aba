/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keeps what the tool prints out of the pool: its standard output or its standard error may be a file
 * of the pool. If standard error is, nothing more is written to it, and the tool fails without a
 * message.
 */
#ifndef STREAMS_H
#define STREAMS_H 1

#include <stdbool.h>

#include "compiler.h"

/*
 * The words of the command line, with NULL behind them. Until streams_check() knows which of them is
 * the pool, each of them may be it.
 */
void streams_begin(char *const *words);

/* To be called before a message is printed to the standard error. */
void streams_guard_error(void);

/* To be called before streams_check(), if something is to be printed to the standard output. Complains
 * and returns false if it must not be. */
bool streams_guard_output(void) MUST_CHECK;

/*
 * Complains and returns false if the command must not work on the pool, because its standard output
 * or standard error is a file of it, or may be. It does not matter whether there is a pool, whether it is
 * open, or whether it is valid.
 */
bool streams_check(const char *pool) MUST_CHECK;

/* Whether nothing is written to the standard error any more. */
bool streams_are_silent(void);

#endif
