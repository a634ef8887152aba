/* SPDX-License-Identifier: BSD-3-Clause */
/* Brackets the part of a command that changes the files of a pool. */
#ifndef CHANGES_H
#define CHANGES_H 1

#include <stdbool.h>
#include "commands/tool.h"
#include "image/image.h"

/*
 * The command changes files from now on. It finishes the changes and reports them even if a
 * signal comes or the reader of its output is gone: signals are held back, and SIGPIPE is
 * ignored.
 */
void changes_begin(void);

/*
 * Ends that part. If a signal has come since changes_begin(), the process dies here. finished:
 * the work was done all the same, and a message says so. May be called without changes_begin().
 */
void changes_end(bool finished);

/*
 * Restores the files from a backup of a repair or of a grow, and says what was taken back. The
 * caller calls changes_end() afterwards.
 */
enum tool_status changes_undo(const char *file, struct image *image);

#endif
