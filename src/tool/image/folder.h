/* SPDX-License-Identifier: BSD-3-Clause */
/* The folders of files that the tool makes. */
#ifndef FOLDER_H
#define FOLDER_H 1

#include "compiler.h"

/*
 * Makes the name of a new file durable, which fd has open, by a sync of its folder. If the folder cannot
 * be opened because it may not be read, or if its file system cannot sync folders, syncs the whole file
 * system. Returns 0 or -errno; sets no message.
 */
int folder_sync(const char *name, int fd) MUST_CHECK;

#endif
