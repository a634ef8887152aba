/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a failed sync leaves; also what is left when the kernel has failed to write and no sync
 * has reported it yet.
 *
 * The kernel may have tried to write any dirty page of the file. It marks each page that it tried
 * to write as clean, whether it was written or not. The worst case is that it tried all of them.
 * So the model marks all dirty pages as lost: later syncs skip them until a store to them. A
 * store makes the whole page dirty again, and the next sync writes all of it.
 */
#include "medium_state.h"

static uint64_t page_of(const struct medium *m, const struct medium_chain *c)
{
	/* a file's chains are words; the low bits of their keys are zero */
	return c->key / m->page * m->page;
}

static void lose_all(struct medium *m)
{
	for (unsigned i = 0; i < m->nchain; i++)
		if (m->chain[i].n) {
			m->chain[i].lost = m->chain[i].n;
			m->any_lost = true;
		}
	m->npending = 0;
}

void medium_fail(struct medium *m)
{
	lose_all(m);
	m->failed = true;
	m->untold = false;
}

void medium_lose(struct medium *m)
{
	if (medium_npending(m) == 0)
		return;
	lose_all(m);
	m->untold = true;
}

void medium_dirty(struct medium *m, uint64_t off)
{
	for (unsigned i = 0; i < m->nchain; i++)
		if (m->chain[i].lost &&
		    page_of(m, &m->chain[i]) == off / m->page * m->page)
			m->chain[i].lost = 0;
}

/* How many stores of a lost chain have reached the medium. */
static unsigned written(const struct medium_chain *c, uint64_t salt, uint64_t page)
{
	if (salt == MEDIUM_DROP_ALL)
		return 0;
	switch (mix64(salt, page) % 4) {
	case 0:
	case 1:
		return 0;
	case 2:
		return c->n;
	default:
		return (unsigned)(mix64(salt, c->key) % (c->n + 1));
	}
}

bool medium_drop(struct medium *m, uint64_t salt)
{
	bool dropped = false;

	if (!m->any_lost || !salt)
		return false;
	for (unsigned i = 0; i < m->nchain; i++) {
		struct medium_chain *c = &m->chain[i];
		uint64_t page = page_of(m, c);
		const struct medium_line *line;

		if (!c->lost || (salt != MEDIUM_DROP_ALL && mix64(page, salt) % 2))
			continue;
		medium_advance(m, i, written(c, salt, page));
		line = medium_line_of(m, c->key);
		__atomic_store_n(medium_word_at(m, c->key), line->durable[c->key / 8 % 8],
				 __ATOMIC_RELEASE);
		c->n = c->lost = 0;
		dropped = true;
	}
	return dropped;
}
