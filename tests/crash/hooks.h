/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HOOKS_H
#define HOOKS_H 1

#include <stdbool.h>

/*
 * The mutation of a reader: its second load of the version always gives what the first one gave,
 * as if it were not compared.
 */
extern bool hooks_blind;

/*
 * The mutations of who asks whether the table is poisoned: a writer's first question is answered
 * with no, or all of a reader's are.
 */
enum hooks_deaf { HOOKS_DEAF_NOBODY, HOOKS_DEAF_WRITER, HOOKS_DEAF_READER };
extern enum hooks_deaf hooks_deaf;

/* The mutation of whoever looks into the flog for a map update that has gone: there is none. */
extern bool hooks_no_redo;

/* The running thread begins or ends (NULL) a write or a read; where the poison mark stands. */
void hooks_writing(const void *poison);
void hooks_reading(const void *poison);

#endif
