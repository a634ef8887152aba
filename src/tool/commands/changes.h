/* SPDX-License-Identifier: BSD-3-Clause */
/* The time in which a command changes the files of a pool. */
#ifndef CHANGES_H
#define CHANGES_H 1

#include <stdbool.h>

/*
 * From here on the files are changed. That is finished, and told, whatever comes: signals are
 * blocked, and who reads the output may have gone, too.
 */
void changes_begin(void);

/*
 * The process dies here if a signal has come since. finished: the work was done in spite of it,
 * which is said. May be called without changes_begin().
 */
void changes_end(bool finished);

#endif
