/* SPDX-License-Identifier: BSD-3-Clause */
#include "medium_state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* --- lines and chains ---------------------------------------------------------------- */

uint64_t *medium_word_at(const struct medium *m, uint64_t off)
{
	return (uint64_t *)(void *)(m->storage.base + off);
}

struct medium_line *medium_line_of(struct medium *m, uint64_t off)
{
	uint64_t start = off & ~(uint64_t)63;
	int i = table_get(&m->lines, start);

	if (i < 0) {
		if (m->nline == m->line_cap)
			m->line = medium_grow(m->line, &m->line_cap, sizeof(*m->line));
		i = (int)m->nline++;
		table_put(&m->lines, start, (unsigned)i, m->nline);
		m->line[i].off = start;
		/* atomic loads: a memcpy that the compiler calls is a point for other
		 * threads (see hooks.c), and this entry is not finished */
		for (unsigned w = 0; w < 8; w++)
			m->line[i].durable[w] = m->line[i].rest[w] = __atomic_load_n(
			    medium_word_at(m, start + 8 * w), __ATOMIC_RELAXED);
	}
	return &m->line[i];
}

unsigned medium_chain_of(struct medium *m, uint64_t key)
{
	int i = table_get(&m->chains, key);

	if (i >= 0)
		return (unsigned)i;
	if (m->nchain == m->chain_cap) {
		unsigned old = m->chain_cap;

		m->chain = medium_grow(m->chain, &m->chain_cap, sizeof(*m->chain));
		memset(m->chain + old, 0, (m->chain_cap - old) * sizeof(*m->chain));
	}
	table_put(&m->chains, key, m->nchain, m->nchain + 1);
	m->chain[m->nchain].key = key;
	m->chain[m->nchain].n = 0;
	m->chain[m->nchain].lost = 0;
	return m->nchain++;
}

void medium_append(struct medium_chain *c, const struct medium_store *store)
{
	if (c->n == c->cap)
		c->store = medium_grow(c->store, &c->cap, sizeof(*c->store));
	c->store[c->n++] = *store;
}

void medium_set_durable(struct medium *m, const struct medium_store *store)
{
	uint64_t *word = &medium_line_of(m, store->off)->durable[store->off / 8 % 8];
	uint64_t value = (*word & ~store->mask) | (store->value & store->mask);

	m->durable_hash ^= mix64(store->off, *word) ^ mix64(store->off, value);
	*word = value;
}

/* The first count stores of the chain are durable. */
void medium_advance(struct medium *m, unsigned chain, unsigned count)
{
	struct medium_chain *c = &m->chain[chain];

	if (count > c->n)
		count = c->n;
	for (unsigned i = 0; i < count; i++)
		medium_set_durable(m, &c->store[i]);
	memmove(c->store, c->store + count, (c->n - count) * sizeof(*c->store));
	c->n -= count;
	c->lost = c->lost > count ? c->lost - count : 0;
	for (unsigned i = 0; i < m->npending; i++) {
		struct medium_pending *p = &m->pending[i];

		if (p->chain == chain)
			p->count = p->count > count ? p->count - count : 0;
	}
}

/* --- life ------------------------------------------------------------------------------ */

int medium_file(uint64_t size)
{
	int fd = memfd_create("medium", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size))
		medium_die("no memory for the content at rest");
	return fd;
}

static uint64_t next_data(struct storage *s, uint64_t off, uint64_t end)
{
	struct medium *m = medium_of(s);
	off_t at = lseek(m->fd, (off_t)off, SEEK_DATA);
	uint64_t first = at < 0 ? end : (uint64_t)at;

	for (unsigned i = 0; i < m->nline; i++) {
		uint64_t line = m->line[i].off;

		if (line + 64 > off && line < first)
			first = line > off ? line : off;
	}
	return first < end ? first : end;
}

void medium_init(struct medium *m, int fd, uint64_t size, enum medium_kind kind)
{
	void *base =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);

	if (base == MAP_FAILED)
		medium_die("mmap");
	memset(m, 0, sizeof(*m));
	m->kind = kind;
	m->storage.ops = &medium_ops;
	m->storage.base = base;
	m->storage.size = size;
	m->storage.line_order = kind == MEDIUM_PMEM;
	m->storage.eager_flush = kind != MEDIUM_FILE;
	m->storage.drops_pages = kind == MEDIUM_FILE;
	m->storage.next_data = next_data;
	m->page = 8;
	m->fd = fd;
}

void medium_free(struct medium *m)
{
	munmap(m->storage.base, m->storage.size);
	for (unsigned i = 0; i < m->chain_cap; i++)
		free(m->chain[i].store);
	free(m->chain);
	free(m->line);
	free(m->pending);
	free(m->lines.key);
	free(m->lines.value);
	free(m->chains.key);
	free(m->chains.value);
	memset(m, 0, sizeof(*m));
}

void medium_forget(struct medium *m)
{
	m->nline = m->nchain = m->npending = 0;
	m->durable_hash = 0;
	m->nfence = m->nflush = m->nstore = 0;
	m->fail_in = 0;
	m->failed = m->untold = m->any_lost = m->at_fence = false;
	m->thread = 0;
	memset(m->last_step, 0, sizeof(m->last_step));
	memset(m->ended, 0, sizeof(m->ended));
	memset(m->held, 0, sizeof(m->held));
	table_clear(&m->lines);
	table_clear(&m->chains);
}

void medium_reset(struct medium *m)
{
	for (unsigned i = 0; i < m->nline; i++)
		memcpy(medium_word_at(m, m->line[i].off), m->line[i].rest, 64);
	medium_forget(m);
}

void medium_settle(struct medium *m)
{
	for (unsigned i = 0; i < m->nchain; i++)
		medium_advance(m, i, m->chain[i].n);
	m->npending = 0;
}

void medium_rest(struct medium *m, int fd)
{
	medium_settle(m);
	for (unsigned i = 0; i < m->nline; i++)
		if (pwrite(fd, medium_word_at(m, m->line[i].off), 64,
			   (off_t)m->line[i].off) != 64)
			medium_die("pwrite");
	medium_forget(m);
}
