/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads a backup. The file may hold anything. */
#ifndef UNDO_READ_H
#define UNDO_READ_H 1

#include "repair/undo.h"

/*
 * Reads the backup into *undo, as far as it can be read. -EINVAL, message set: it is not a
 * regular file, or not a sound backup. The ranges are ascending, do not overlap, consist of whole
 * words, and do not reach beyond limit.
 */
int undo_read(const char *file, uint64_t limit, struct undo *undo) MUST_CHECK;

#endif
