/* SPDX-License-Identifier: BSD-3-Clause */
/* The values of options. */
#ifndef VALUES_H
#define VALUES_H 1

#include "commands/tool.h"

/*
 * Stores the value of an option in its target. If text is not a valid value, returns false, and
 * wanted receives what the value has to be, at most VALUES_WANTED bytes.
 */
#define VALUES_WANTED 160
bool values_store(const struct tool_option *option, const char *text,
		  char *wanted) MUST_CHECK;

#endif
