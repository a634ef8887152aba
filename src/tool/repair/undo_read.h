/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading a backup. The file may hold anything. */
#ifndef UNDO_READ_H
#define UNDO_READ_H 1

#include "repair/undo.h"

/*
 * Reads the backup into *undo, which is filled in as far as that went. -EINVAL, message set: it
 * is no regular file, no backup, or a damaged one. Ranges are ascending, apart from each other
 * of whole words afterwards, and none reaches beyond limit.
 */
int undo_read(const char *file, uint64_t limit, struct undo *undo) MUST_CHECK;

#endif
