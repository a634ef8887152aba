/* SPDX-License-Identifier: BSD-3-Clause */
/* The libraries that this process runs on. */
#ifndef LIBRARY_H
#define LIBRARY_H 1

#include "commands/tool.h"

/* Prints version and file of each. */
void library_print(void);

/*
 * Whether commands may use them: false, complained about, where one is no library of this
 * kind. Another version of it is only named.
 */
bool library_check(void) MUST_CHECK;

#endif
