/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HOOKS_H
#define HOOKS_H 1

#include <stdbool.h>

/*
 * Mutations of a reader: its second load of the map entry, or of the version, always gives
 * what the first one gave, as if it were not compared.
 */
enum hooks_blind { BLIND_NONE, BLIND_ENTRY, BLIND_VERSION };

extern enum hooks_blind hooks_blind;

/* The running thread begins or ends a read. */
void hooks_reading(bool yes);

#endif
