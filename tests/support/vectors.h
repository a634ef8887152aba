/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads the rows of a table in tests/support/vectors. Lines that begin with # are comments; the
 * first other line is the heading. A line that does not fit fails the test.
 */
#ifndef VECTORS_H
#define VECTORS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define VECTORS_MAX_WIDTH 16

struct vectors {
	char *field[VECTORS_MAX_WIDTH + 1]; /* of the current row */
	unsigned nrow;			    /* so far */
	FILE *f;
	char *line;
	size_t room;
	size_t width;
	char separator;
};

/* Opens the table in the file of this name, whose rows have width fields. */
void vectors_open(struct vectors *v, const char *name, char separator, size_t width);

/* Goes to the first row, or to the next; false behind the last one. */
bool vectors_next(struct vectors *v);

/* Ends the reading; fails the test if there were fewer rows than at_least. */
void vectors_close(struct vectors *v, unsigned at_least);

#endif
