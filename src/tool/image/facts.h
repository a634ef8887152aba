/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Facts for people or for programs: a tree of named values, written to stdout as indented
 * lines "name: value" or as JSON.
 */
#ifndef FACTS_H
#define FACTS_H 1

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

struct facts {
	bool json;
	unsigned depth;
	bool first; /* nothing was printed on this level yet */
};

/* Called before and after all other functions. */
void facts_begin(struct facts *f, bool json);
void facts_end(struct facts *f);

/* Begin a list of groups, and one group in it. title is printed for people only. */
void facts_begin_list(struct facts *f, const char *name);
void facts_end_list(struct facts *f);
void facts_begin_group(struct facts *f, const char *title);
void facts_end_group(struct facts *f);

/* Begins a named group. */
void facts_begin_named(struct facts *f, const char *name);

void facts_text(struct facts *f, const char *name, const char *value);
void facts_number(struct facts *f, const char *name, uint64_t value);
void facts_bool(struct facts *f, const char *name, bool value);

#endif
