/* SPDX-License-Identifier: BSD-3-Clause */
/* What a kill or a power loss leaves. */
#include "medium_state.h"

#include <stdlib.h>
#include <string.h>

#include "support.h"

/* Adds a line with these contents to dst, which is at rest there. */
static void put_line(struct medium *dst, const struct medium_line *from,
		     const uint64_t durable[8], const uint64_t visible[8])
{
	struct medium_line *line = medium_line_of(dst, from->off);

	for (unsigned w = 0; w < 8; w++)
		dst->durable_hash ^= mix64(from->off + 8 * w, line->durable[w]) ^
				     mix64(from->off + 8 * w, durable[w]);
	memcpy(line->durable, durable, 64);
	memcpy(medium_word_at(dst, from->off), visible, 64);
}

void medium_kill(struct medium *dst, const struct medium *src)
{
	medium_reset(dst);
	for (unsigned i = 0; i < src->nline; i++)
		put_line(dst, &src->line[i], src->line[i].durable,
			 medium_word_at(src, src->line[i].off));
	for (unsigned i = 0; i < src->nchain; i++) {
		const struct medium_chain *c = &src->chain[i];

		/* when the processor turned to the kernel, its write-combining buffers were
		 * drained */
		if (c->key & KEY_BULK) {
			for (unsigned j = 0; j < c->n; j++)
				medium_set_durable(dst, &c->store[j]);
		} else if (c->n) {
			unsigned to = medium_chain_of(dst, c->key);

			for (unsigned j = 0; j < c->n; j++)
				medium_append(&dst->chain[to], &c->store[j]);
			dst->chain[to].lost = c->lost;
			dst->any_lost = dst->any_lost || c->lost;
		}
	}
}

void medium_lose_power(struct medium *dst, const struct medium *src, const unsigned *pick)
{
	medium_reset(dst);
	for (unsigned i = 0; i < src->nline; i++)
		if (memcmp(src->line[i].durable, src->line[i].rest, 64) != 0)
			put_line(dst, &src->line[i], src->line[i].durable,
				 src->line[i].durable);
	for (unsigned i = 0; i < src->nchain; i++)
		for (unsigned j = 0; j < pick[i]; j++) {
			const struct medium_store *st = &src->chain[i].store[j];
			uint64_t *word = medium_word_at(dst, st->off);

			medium_set_durable(dst, st);
			*word = (*word & ~st->mask) | (st->value & st->mask);
		}
}

unsigned medium_npending(const struct medium *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->nchain; i++)
		n += m->chain[i].n;
	return n;
}

uint64_t medium_hash(const struct medium *m, bool flushes)
{
	uint64_t sum = m->durable_hash;

	for (unsigned i = 0; i < m->nchain; i++) {
		const struct medium_chain *c = &m->chain[i];
		uint64_t h = mix64(c->key, c->lost);

		for (unsigned j = 0; j < c->n; j++)
			h = mix64(h ^ c->store[j].off,
				  mix64(c->store[j].value, c->store[j].mask));
		if (c->n)
			sum += mix64(h, 7);
	}
	if (flushes)
		for (unsigned i = 0; i < m->npending; i++) {
			const struct medium_pending *p = &m->pending[i];
			uint64_t who = m->kind == MEDIUM_FILE ? p->step : p->thread;

			if (p->count)
				sum +=
				    mix64(mix64(m->chain[p->chain].key, who), p->count);
		}
	return sum;
}

void medium_each_change(const struct medium *m,
			void (*fn)(void *arg, uint64_t off, uint64_t visible), void *arg)
{
	for (unsigned i = 0; i < m->nline; i++) {
		const uint64_t *now = medium_word_at(m, m->line[i].off);

		for (unsigned w = 0; w < 8; w++)
			if (now[w] != m->line[i].rest[w])
				fn(arg, m->line[i].off + 8 * w, now[w]);
	}
}

/* --- the images after a power loss ----------------------------------------------------- */

/* The change of the hash of the durable content by the first n stores of a chain. */
static uint64_t chain_delta(struct medium *m, const struct medium_chain *c, unsigned n)
{
	uint64_t delta = 0;
	uint64_t seen[8];
	unsigned known = 0;

	for (unsigned j = 0; j < n; j++) {
		const struct medium_store *st = &c->store[j];
		unsigned w = (unsigned)(st->off / 8 % 8);
		uint64_t value;

		if (!(known & 1u << w)) {
			seen[w] = medium_line_of(m, st->off)->durable[w];
			known |= 1u << w;
		}
		value = (seen[w] & ~st->mask) | (st->value & st->mask);
		delta ^= mix64(st->off, seen[w]) ^ mix64(st->off, value);
		seen[w] = value;
	}
	return delta;
}

/* Whether images differ by how much of this chain they hold. */
static bool matters(struct medium *m, const struct medium_chain *c)
{
	for (unsigned n = 1; n <= c->n; n++)
		if (chain_delta(m, c, n))
			return true;
	return false;
}

struct choice {
	struct medium *m;
	unsigned *active; /* chains that are not empty */
	unsigned nactive;
	unsigned *pick;
	bool (*fn)(void *arg, const unsigned *pick, uint64_t hash);
	void *arg;
};

static bool emit(struct choice *c)
{
	uint64_t hash = c->m->durable_hash;

	for (unsigned i = 0; i < c->nactive; i++) {
		unsigned chain = c->active[i];

		if (c->pick[chain])
			hash ^= chain_delta(c->m, &c->m->chain[chain], c->pick[chain]);
	}
	return c->fn(c->arg, c->pick, hash);
}

static void pick_all(struct choice *c, bool full)
{
	for (unsigned i = 0; i < c->nactive; i++)
		c->pick[c->active[i]] = full ? c->m->chain[c->active[i]].n : 0;
}

static void pick_every(struct choice *c)
{
	for (;;) {
		unsigned i = 0;

		if (!emit(c))
			return;
		while (i < c->nactive &&
		       c->pick[c->active[i]] == c->m->chain[c->active[i]].n)
			c->pick[c->active[i++]] = 0;
		if (i == c->nactive)
			return;
		c->pick[c->active[i]]++;
	}
}

static void pick_some(struct choice *c, size_t limit, uint64_t *rng)
{
	size_t alone = limit / 4 + 1;
	size_t stride = c->nactive / alone + 1;

	for (int full = 0; full < 2; full++) {
		pick_all(c, full);
		if (!emit(c))
			return;
		for (size_t i = support_random(rng) % stride; i < c->nactive;
		     i += stride) {
			unsigned chain = c->active[i];

			c->pick[chain] = full ? 0 : c->m->chain[chain].n;
			if (!emit(c))
				return;
			c->pick[chain] = full ? c->m->chain[chain].n : 0;
		}
	}
	for (size_t k = 0; k < limit / 2; k++) {
		/* From nearly no chains to nearly all. */
		uint64_t share = support_random(rng) % 256;

		for (unsigned i = 0; i < c->nactive; i++) {
			unsigned chain = c->active[i];
			unsigned n = c->m->chain[chain].n;

			c->pick[chain] = support_random(rng) % 256 < share
					     ? n
					     : (unsigned)(support_random(rng) % n);
		}
		if (!emit(c))
			return;
	}
}

bool medium_images(struct medium *m, size_t limit, uint64_t *rng,
		   bool (*fn)(void *arg, const unsigned *pick, uint64_t hash), void *arg)
{
	struct choice c = {.m = m, .fn = fn, .arg = arg};
	size_t count = 1;

	c.active = calloc(m->nchain + 1, sizeof(*c.active));
	c.pick = calloc(m->nchain + 1, sizeof(*c.pick));
	if (!c.active || !c.pick)
		medium_die("out of memory");
	for (unsigned i = 0; i < m->nchain; i++)
		if (matters(m, &m->chain[i])) {
			c.active[c.nactive++] = i;
			count = count > limit ? count : count * (m->chain[i].n + 1);
		}
	if (count <= limit)
		pick_every(&c);
	else
		pick_some(&c, limit, rng);
	free(c.active);
	free(c.pick);
	return count <= limit;
}
