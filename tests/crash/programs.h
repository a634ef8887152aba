/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Programs for the explorer: hand-picked ones and random ones.
 */
#ifndef PROGRAMS_H
#define PROGRAMS_H 1

#include <stddef.h>
#include <stdint.h>

#include "explore.h"

/*
 * A random program of `nop` operations of the given kinds (e.g. "wwze") on the first nblock
 * tracked blocks, in nthread threads; `text` has room for 64 characters. Of the kind '+' is an
 * operation that belongs to the write before it.
 */
void program_random(char *text, uint64_t *rng, const char *kinds, unsigned nthread,
		    unsigned nop, unsigned nblock);

/* Prints one line of counts. */
void print_stats(const char *what, const struct explore_stats *stats);

/* Seconds since the program began. */
double elapsed(void);

/* The name of a call site: "function at file:line", or its address. */
const char *site_name(const struct site *site, char *buf, size_t size);

#endif
