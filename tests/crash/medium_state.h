/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the medium share.
 */
#ifndef MEDIUM_STATE_H
#define MEDIUM_STATE_H 1

#include "medium.h"

/* A chain's key: the line's or the word's offset and what it is. */
enum { KEY_WORD = 0, KEY_LINE = 1, KEY_BULK = 2 };

/* The operations; they are in medium_ops.c. */
extern const struct storage_ops medium_ops;

static inline struct medium *medium_of(struct storage *s)
{
	return (struct medium *)(void *)s;
}

_Noreturn void medium_die(const char *what);

/* Doubles an array of *cap elements. */
void *medium_grow(void *p, unsigned *cap, size_t size);

/* The index filed under key, or -1. */
int table_get(const struct table *t, uint64_t key);
void table_put(struct table *t, uint64_t key, unsigned index, unsigned n);
void table_clear(struct table *t);

uint64_t *medium_word_at(const struct medium *m, uint64_t off);
struct medium_line *medium_line_of(struct medium *m, uint64_t off);
unsigned medium_chain_of(struct medium *m, uint64_t key);
void medium_append(struct medium_chain *c, const struct medium_store *store);
void medium_set_durable(struct medium *m, const struct medium_store *store);

/* The first count stores of the chain are durable. */
void medium_advance(struct medium *m, unsigned chain, unsigned count);

/* A sync fails; there is a store to the page at off. */
void medium_fail(struct medium *m);
void medium_dirty(struct medium *m, uint64_t off);

/* Forgets all chains: the visible content is the content at rest. */
void medium_forget(struct medium *m);

#endif
