/* SPDX-License-Identifier: BSD-3-Clause */
/* The libraries that this process runs on. */
#ifndef LIBRARY_H
#define LIBRARY_H 1

#include "commands/tool.h"

/* Prints the version and the file of each library. */
void library_print(void);

/*
 * Whether commands may use the libraries. Complains and returns false if one is foreign. If one
 * has another version, only names it.
 */
bool library_check(void) MUST_CHECK;

#endif
