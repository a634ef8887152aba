/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HOOKS_H
#define HOOKS_H 1

#include <stdbool.h>

/*
 * The mutation of a reader: its second load of the version always gives what the first one gave,
 * as if it were not compared.
 */
extern bool hooks_blind;

/* The running thread begins or ends a read. */
void hooks_reading(bool yes);

#endif
