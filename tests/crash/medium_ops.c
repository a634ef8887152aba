/* SPDX-License-Identifier: BSD-3-Clause */
/* The operations of the medium as a storage: stores, flushes, renewals and fences. */
#include "medium_state.h"

#include <errno.h>
#include <string.h>

/* The call sites that the code under test has shown, for mutants. */
static struct site sites[256];
static size_t nsites;
static uint64_t sites_met[256];
uint64_t medium_mark;

static void store_word(struct medium *m, uint64_t off, uint64_t value, uint64_t mask,
		       bool bulk)
{
	struct medium_store store = {off, value, mask};
	uint64_t key = off | KEY_WORD;
	unsigned chain;
	uint64_t *word;

	if (off % 8 || off >= m->storage.size)
		medium_die("store outside of the storage");
	if (m->kind == MEDIUM_PMEM)
		key = bulk ? off | KEY_BULK : (off & ~(uint64_t)63) | KEY_LINE;
	medium_line_of(m, off);
	if (m->any_lost)
		medium_dirty(m, off);
	chain = medium_chain_of(m, key);
	medium_append(&m->chain[chain], &store);
	word = medium_word_at(m, off);
	__atomic_store_n(word, (*word & ~mask) | (value & mask), __ATOMIC_RELEASE);
	m->nstore++;
}

/* --- steps ---------------------------------------------------------------------------- */

/* The number of a step is kept in the step itself, which is empty while lo >= hi. */
static uint64_t step_number(struct medium *m, struct storage_step *step)
{
	if (step->lo >= step->hi) {
		step->lo = 0;
		step->hi = (uint64_t)(m->thread + 1) << 32 | ++m->last_step[m->thread];
	}
	return step->hi;
}

/* The calling thread, which is another one for each thread with the same number. */
static unsigned caller_of(const struct medium *m)
{
	unsigned nnumber = sizeof(m->ended) / sizeof(m->ended[0]);

	return m->thread + nnumber * m->ended[m->thread];
}

static void note(struct medium *m, struct storage_step *step, uint64_t key)
{
	int chain = table_get(&m->chains, key);

	if (chain < 0 || !m->chain[chain].n)
		return;
	if (m->npending == m->pending_cap)
		m->pending =
		    medium_grow(m->pending, &m->pending_cap, sizeof(*m->pending));
	m->pending[m->npending++] = (struct medium_pending){
	    caller_of(m), step_number(m, step), (unsigned)chain, m->chain[chain].n};
}

static void note_range(struct medium *m, struct storage_step *step, uint64_t off,
		       size_t len)
{
	uint64_t unit = m->kind == MEDIUM_FILE ? 8 : 64;
	uint64_t end = (off + len + unit - 1) & ~(unit - 1);

	step_number(m, step);
	for (uint64_t at = off & ~(unit - 1); at < end; at += unit) {
		if (m->kind == MEDIUM_PMEM)
			note(m, step, at | KEY_LINE);
		else
			for (uint64_t word = at; word < at + unit; word += 8)
				note(m, step, word | KEY_WORD);
	}
}

static bool drains(const struct medium *m, const struct medium_pending *p, uint64_t step)
{
	return m->kind == MEDIUM_FILE ? p->step == step : p->thread == caller_of(m);
}

static void drain(struct medium *m, uint64_t step)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < m->npending; i++) {
		struct medium_pending p = m->pending[i];
		struct medium_chain *c = &m->chain[p.chain];

		if (drains(m, &p, step)) {
			if (p.count > c->lost)
				medium_advance(m, p.chain, p.count);
		} else {
			m->pending[kept++] = p;
		}
	}
	m->npending = kept;
}

void medium_complete(struct medium *m)
{
	if (m->kind != MEDIUM_FILE)
		drain(m, 0);
}

void medium_end_thread(struct medium *m)
{
	m->ended[m->thread]++;
}

/* --- the operations ------------------------------------------------------------------- */

static bool suppressed(struct medium *m, enum site_kind kind, const void *caller)
{
	size_t i = 0;

	while (i < nsites && (sites[i].kind != kind || sites[i].caller != caller))
		i++;
	if (i == nsites) {
		if (nsites == sizeof(sites) / sizeof(*sites))
			medium_die("too many call sites");
		sites[nsites++] = (struct site){kind, caller};
	}
	sites_met[i] |= medium_mark;
	if (m->mutant.kind != kind || m->mutant.caller != caller)
		return false;
	m->mutant_hit = true;
	return true;
}

static void before(struct medium *m)
{
	if (m->before)
		m->before(m);
}

static void op_store32(struct storage *s, uint64_t off, uint32_t value)
{
	struct medium *m = medium_of(s);
	unsigned shift = (off & 4) * 8;

	if (off % 4)
		medium_die("unaligned 4-byte store");
	before(m);
	store_word(m, off & ~(uint64_t)7, (uint64_t)value << shift,
		   (uint64_t)UINT32_MAX << shift, false);
	if (m->stored32)
		m->stored32(m, off);
}

/* Where the first half of a record is held back; a free place if it is not. */
static struct medium_store *held_half(struct medium *m, uint64_t off)
{
	struct medium_store *free_place = NULL;

	for (unsigned i = 0; i < sizeof(m->held) / sizeof(m->held[0]); i++) {
		if (m->held[i].off == off)
			return &m->held[i];
		if (!m->held[i].off)
			free_place = &m->held[i];
	}
	if (!free_place)
		medium_die("too many records");
	return free_place;
}

static void op_store64(struct storage *s, uint64_t off, uint64_t value)
{
	struct medium *m = medium_of(s);
	struct medium_store *held;

	before(m);
	if ((m->twist == TWIST_SWAP || m->twist == TWIST_LATE) && off >= m->flog_lo &&
	    off < m->flog_hi) {
		held = held_half(m, off & ~(uint64_t)8);
		if (!(off & 8)) {
			*held = (struct medium_store){off, value, UINT64_MAX};
			m->mutant_hit = true;
			return;
		}
		if (m->twist == TWIST_LATE)
			store_word(m, held->off, held->value, UINT64_MAX, false);
		store_word(m, off, value, UINT64_MAX, false);
		if (m->twist == TWIST_SWAP)
			store_word(m, held->off, held->value, UINT64_MAX, false);
		held->off = 0;
		return;
	}
	store_word(m, off, value, UINT64_MAX, false);
}

static void bulk(struct medium *m, struct storage_step *step, uint64_t off,
		 const unsigned char *src, size_t len, const void *caller)
{
	uint64_t end = off + len;
	bool late = m->twist == TWIST_LATE_FLOG && off >= m->flog_lo && off < m->flog_hi;
	bool flush = !suppressed(m, SITE_WRITE, caller) && !late;

	if (off > m->storage.size || len > m->storage.size - off)
		medium_die("write outside of the storage");
	before(m);
	step_number(m, step);
	for (uint64_t at = off & ~(uint64_t)7; at < end; at += 8) {
		uint64_t value = 0, mask = 0;

		for (unsigned i = 0; i < 8; i++)
			if (at + i >= off && at + i < end) {
				uint64_t byte = src ? src[at + i - off] : 0;

				value |= byte << 8 * i;
				mask |= (uint64_t)0xff << 8 * i;
			}
		if (m->split && at > off)
			before(m);
		store_word(m, at, value, mask, true);
		if (flush)
			note(m, step,
			     at | (m->kind == MEDIUM_PMEM ? KEY_BULK : KEY_WORD));
	}
	m->mutant_hit = m->mutant_hit || late;
	/* the only thing of a page's size that a table writes is an info block */
	if (m->twist == TWIST_LATE_FLOG && src && len == 4096)
		for (uint64_t at = m->flog_lo; at < m->flog_hi; at += 8)
			note(m, step,
			     at | (m->kind == MEDIUM_PMEM ? KEY_BULK : KEY_WORD));
}

static void op_write(struct storage *s, struct storage_step *step, uint64_t off,
		     const void *src, size_t len)
{
	bulk(medium_of(s), step, off, src, len, __builtin_return_address(0));
}

static void op_zero(struct storage *s, struct storage_step *step, uint64_t off,
		    size_t len)
{
	bulk(medium_of(s), step, off, NULL, len, __builtin_return_address(0));
}

static void op_flush(struct storage *s, struct storage_step *step, uint64_t off,
		     size_t len)
{
	struct medium *m = medium_of(s);

	before(m);
	m->nflush++;
	if (!suppressed(m, SITE_FLUSH, __builtin_return_address(0)))
		note_range(m, step, off, len);
}

/* On a file, stores the present value again, which makes the page dirty. */
static void renew_word(struct medium *m, uint64_t off, uint64_t seen, uint64_t mask)
{
	uint64_t now = *medium_word_at(m, off);

	if ((now ^ seen) & mask)
		store_word(m, off, seen, mask, false);
	else if (m->any_lost)
		medium_dirty(m, off);
}

static void op_renew32(struct storage *s, struct storage_step *step, uint64_t off,
		       uint32_t seen)
{
	struct medium *m = medium_of(s);
	const void *caller = __builtin_return_address(0);
	unsigned shift = (off & 4) * 8;

	before(m);
	m->nflush++;
	if (suppressed(m, SITE_FLUSH, caller))
		return;
	if (!suppressed(m, SITE_RENEW, caller) && m->kind == MEDIUM_FILE)
		renew_word(m, off & ~(uint64_t)7, (uint64_t)seen << shift,
			   (uint64_t)UINT32_MAX << shift);
	note_range(m, step, off, sizeof(seen));
}

static void op_renew(struct storage *s, struct storage_step *step, uint64_t off,
		     const void *seen, size_t len)
{
	struct medium *m = medium_of(s);
	const void *caller = __builtin_return_address(0);

	bool old = m->twist == TWIST_OLD_FLOG && off >= m->flog_lo && off < m->flog_hi;

	if (off % 8 || len % 8)
		medium_die("renews parts of words");
	before(m);
	m->nflush++;
	m->mutant_hit = m->mutant_hit || old;
	if (suppressed(m, SITE_FLUSH, caller))
		return;
	if (!old && !suppressed(m, SITE_RENEW, caller) && m->kind == MEDIUM_FILE)
		for (size_t at = 0; at < len; at += 8) {
			uint64_t word;

			memcpy(&word, (const char *)seen + at, sizeof(word));
			renew_word(m, off + at, word, UINT64_MAX);
		}
	note_range(m, step, off, len);
}

static int sync_steps(struct medium *m, struct storage_step *step, unsigned n,
		      const void *caller)
{
	uint64_t number[4];

	m->at_fence = true;
	before(m);
	m->at_fence = false;
	m->nfence++;
	if (suppressed(m, SITE_FENCE, caller))
		return 0;
	for (unsigned i = 0; i < n; i++) {
		number[i] = step[i].lo >= step[i].hi ? 0 : step[i].hi;
		step[i] = (struct storage_step)STORAGE_STEP_INIT;
	}
	if (m->failed || m->untold || (m->fail_in && --m->fail_in == 0)) {
		medium_fail(m);
		return m->lie ? 0 : -EIO;
	}
	for (unsigned i = 0; i < n; i++)
		drain(m, number[i]);
	return 0;
}

static int op_fence(struct storage *s, struct storage_step *step)
{
	return sync_steps(medium_of(s), step, 1, __builtin_return_address(0));
}

int medium_sync(struct storage *s, struct storage_step *step, unsigned n)
{
	return sync_steps(medium_of(s), step, n, __builtin_return_address(0));
}

const struct storage_ops medium_ops = {
    .copy_out = memcpy,
    .store32 = op_store32,
    .store64 = op_store64,
    .write = op_write,
    .zero = op_zero,
    .flush = op_flush,
    .renew32 = op_renew32,
    .renew = op_renew,
    .fence = op_fence,
};

size_t medium_sites(const struct site **out, const uint64_t **met)
{
	*out = sites;
	*met = sites_met;
	return nsites;
}
