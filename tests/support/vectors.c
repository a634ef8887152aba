/* SPDX-License-Identifier: BSD-3-Clause */
#include "vectors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

static bool next_line(struct vectors *v)
{
	do {
		if (getline(&v->line, &v->room, v->f) < 0)
			return false;
	} while (v->line[0] == '#');
	return true;
}

void vectors_open(struct vectors *v, const char *name, char separator, size_t width)
{
	char path[128];

	assert_true(width <= VECTORS_MAX_WIDTH);
	snprintf(path, sizeof(path), "tests/support/vectors/%s", name);
	*v = (struct vectors){.f = fopen(support_source(path), "re"),
			      .width = width,
			      .separator = separator};
	if (!v->f)
		fail_msg("%s: %s", path, strerror(errno));
	assert_true(next_line(v)); /* the heading */
}

bool vectors_next(struct vectors *v)
{
	if (!next_line(v))
		return false;
	v->nrow++;
	assert_int_equal(
	    support_split(v->line, v->separator, v->field, VECTORS_MAX_WIDTH + 1),
	    v->width);
	return true;
}

void vectors_close(struct vectors *v, unsigned at_least)
{
	fclose(v->f);
	free(v->line);
	print_message("%u vectors\n", v->nrow);
	assert_true(v->nrow >= at_least);
}
