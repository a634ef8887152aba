/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BLAME_H
#define BLAME_H 1

#include "compiler.h"

/*
 * Puts the name of the file in front of the message that a lower layer has set, which
 * does not know the name. Returns ret.
 */
int blame_file(const char *path, int ret) MUST_CHECK;

#endif
