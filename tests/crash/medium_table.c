/* SPDX-License-Identifier: BSD-3-Clause */
#include "medium_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void medium_die(const char *what)
{
	fprintf(stderr, "medium: %s\n", what);
	abort();
}

void *medium_grow(void *p, unsigned *cap, size_t size)
{
	*cap = *cap ? 2 * *cap : 8;
	p = realloc(p, *cap * size);
	if (!p)
		medium_die("out of memory");
	return p;
}

uint64_t mix64(uint64_t a, uint64_t b)
{
	uint64_t z = a * 0x9e3779b97f4a7c15u + b;

	z = (z ^ z >> 32) * 0xd6e8feb86659fd93u;
	z = (z ^ z >> 29) * 0xbf58476d1ce4e5b9u + a;
	return z ^ z >> 32;
}

static size_t table_slot(const struct table *t, uint64_t key)
{
	size_t i = mix64(key, 1) & (t->cap - 1);

	while (t->value[i] && t->key[i] != key)
		i = (i + 1) & (t->cap - 1);
	return i;
}

int table_get(const struct table *t, uint64_t key)
{
	return t->cap ? (int)t->value[table_slot(t, key)] - 1 : -1;
}

void table_put(struct table *t, uint64_t key, unsigned index, unsigned n)
{
	if (2 * (size_t)n >= t->cap) {
		struct table old = *t;

		t->cap = old.cap ? 4 * old.cap : 64;
		t->key = calloc(t->cap, sizeof(*t->key));
		t->value = calloc(t->cap, sizeof(*t->value));
		if (!t->key || !t->value)
			medium_die("out of memory");
		for (size_t i = 0; i < old.cap; i++)
			if (old.value[i]) {
				size_t slot = table_slot(t, old.key[i]);

				t->key[slot] = old.key[i];
				t->value[slot] = old.value[i];
			}
		free(old.key);
		free(old.value);
	}
	size_t slot = table_slot(t, key);

	t->key[slot] = key;
	t->value[slot] = index + 1;
}

void table_clear(struct table *t)
{
	if (t->cap)
		memset(t->value, 0, t->cap * sizeof(*t->value));
}
