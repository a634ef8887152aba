/* SPDX-License-Identifier: BSD-3-Clause */
/* The names in a pool set file, also in one that is no valid set. */
#ifndef SET_TEXT_H
#define SET_TEXT_H 1

#include "compiler.h"

/*
 * Calls look(arg, name) for each absolute name in the set file at path, in whichever line it is: also
 * for parts of replicas, and where poolset/parse.c refuses the set. Any other file names nothing.
 * Allocates no memory. Returns 0 or -errno; sets no message.
 */
int set_text_each(const char *path, void (*look)(void *arg, const char *name),
		  void *arg) MUST_CHECK;

#endif
