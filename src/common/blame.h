/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BLAME_H
#define BLAME_H 1

#include "compiler.h"

/*
 * Puts the name of the file before the message that a layer below, which does not know it,
 * has set. Returns ret.
 */
int blame_file(const char *path, int ret) MUST_CHECK;

#endif
