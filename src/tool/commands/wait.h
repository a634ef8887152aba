/* SPDX-License-Identifier: BSD-3-Clause */
/* How long all commands wait for a pool that is in use: --wait. */
#ifndef WAIT_H
#define WAIT_H 1

#include <stdbool.h>

#include "compiler.h"

/* The option's name, and what values it takes. */
#define WAIT_OPTION "wait"
#define WAIT_WANTED "seconds, such as 10 or 0.5, at most 2147483, or -1 for ever"

/*
 * The setting lock.wait of the library, for the tool's own copy of it as well. False,
 * complained about, where the library has none.
 */
bool wait_begin(void) MUST_CHECK;

/* Changes it to the value of --wait. False if text is no such value. */
bool wait_set(const char *text) MUST_CHECK;

#endif
