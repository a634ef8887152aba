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
 * Copies the library's setting lock.wait to the parts of the library that are linked into the
 * tool. False, and a complaint, if the library does not have this setting.
 */
bool wait_begin(void) MUST_CHECK;

/* Sets both to the value of --wait. False if text is not a valid value. */
bool wait_set(const char *text) MUST_CHECK;

#endif
