/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads that write beside threads that read, all on few blocks. The operations of a case are the
 * writes, each of which is timed; the others are the reads.
 */
#ifndef CASES_BESIDE_H
#define CASES_BESIDE_H 1

#include <stdbool.h>

#include "turns.h"

/*
 * Stores the case of this name. Returns false if there is no such case. The names are
 *
 *	beside/BSIZE/WRITERS/READERS/BLOCKS
 */
bool cases_beside_find(const char *name, struct turns_case *c);

#endif
