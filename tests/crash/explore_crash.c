/* SPDX-License-Identifier: BSD-3-Clause */
/* Examines the images of one state. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore_state.h"
#include "ref.h"
#include "support.h"

/* With so many pending stores, a layout is being written. */
#define BULK 64u

/* The number of images examined when the recovery of a layout loses power, too. */
#define NESTED_BULK_IMAGES 4u

/* --- judging one image --------------------------------------------------------------- */

static struct ref ref;

/* Reads the tracked blocks with the independent implementation. Returns NULL or what is wrong. */
static const char *read_plainly(const struct medium *m, unsigned char value[NTRACKED])
{
	const char *why = ref_recover(&ref, m->storage.base, m->storage.size,
				      EXPLORE_BSIZE, explore_parent());

	if (!why && ref.laid_out && ref.narena != explore_running->narena)
		why = "the info blocks lead to another number of arenas";
	if (!why)
		why = ref_census(&ref);
	for (unsigned b = 0; b < NTRACKED && !why; b++) {
		const unsigned char *data;

		switch (ref_block(&ref, explore_lba(b), &data)) {
		case REF_ZERO:
			value[b] = VALUE_ZERO;
			break;
		case REF_ERROR:
			value[b] = VALUE_ERROR;
			break;
		case REF_DATA:
			value[b] = explore_identify(data);
			break;
		}
	}
	return why;
}

static unsigned char read_block(struct explorer *ex, void *handle, unsigned block)
{
	unsigned char buf[EXPLORE_BSIZE];
	int ret = ex->sut->apply(handle, 'r', explore_lba(block), buf);

	if (ret == -EIO)
		return VALUE_ERROR;
	return ret ? VALUE_GARBAGE : explore_identify(buf);
}

static const char *write_once_more(struct explorer *ex, struct medium *m, void *handle,
				   unsigned block)
{
	unsigned char buf[EXPLORE_BSIZE];
	unsigned char value[NTRACKED];
	const char *why;

	explore_fill(buf, VALUE_EXTRA);
	if (ex->sut->apply(handle, 'w', explore_lba(block), buf))
		return "a write after recovery fails";
	if (read_block(ex, handle, block) != VALUE_EXTRA)
		return "a write after recovery is not read back";
	why = read_plainly(m, value);
	if (!why && value[block] != VALUE_EXTRA)
		why = "a write after recovery is not on the medium";
	return why;
}

/* Recovery by the code under test; m holds the image and is changed. */
static const char *recover(struct explorer *ex, unsigned level,
			   const unsigned char expected[NTRACKED], uint64_t hash)
{
	struct medium *m = explore_level(ex, level);
	struct watch w = {.ex = ex, .level = level, .value = expected, .nested = true};
	unsigned char value[NTRACKED];
	const char *why;
	void *handle;

	if (level + 2 < EXPLORE_LEVELS)
		explore_watch(&w);
	if (ex->sut->open(ex->sut, &m->storage, &handle))
		return "open fails";
	if (level + 2 < EXPLORE_LEVELS)
		explore_images(&w);
	m->before = NULL;
	m->stored32 = NULL;
	for (unsigned b = 0; b < NTRACKED; b++)
		if (read_block(ex, handle, b) != expected[b])
			return "our recovery and the plain one do not agree";
	why = read_plainly(m, value);
	if (!why && memcmp(value, expected, NTRACKED) != 0)
		why = "recovery changed the contents";
	if (!why)
		why = write_once_more(ex, m, handle, (unsigned)(hash % NTRACKED));
	return why;
}

static void save(struct explorer *ex, const struct verdict *v, struct medium *m);

static struct verdict judge(struct explorer *ex, unsigned level, uint64_t hash)
{
	struct medium *m = explore_level(ex, level);
	struct verdict v = {.why = NULL};
	size_t mark = explore_heap_mark();

	v.why = read_plainly(m, v.value);
	v.copies = !ref.laid_out || ref.copies;
	for (unsigned b = 0; b < NTRACKED && !v.why; b++)
		if (v.value[b] == VALUE_GARBAGE)
			v.why = "a block holds what nobody wrote";
	if (!v.why && ex->save_share && hash % ex->save_share == 0)
		save(ex, &v, m);
	if (!v.why && ex->sut->check && hash / 7 % ex->check_share == 0) {
		medium_lose_power(explore_level(ex, level + 1), m, NULL);
		if (ex->sut->check(ex->sut, &explore_level(ex, level + 1)->storage) != 1)
			v.why = "the table's own check finds damage";
	}
	if (!v.why) {
		medium_lose_power(explore_level(ex, level + 1), m, NULL);
		v.why = recover(ex, level + 1, v.value, hash);
		explore_level(ex, level + 1)->before = NULL;
	}
	explore_heap_release(mark);
	return v;
}

const char *explore_repair(struct explorer *ex, unsigned arena, bool primary)
{
	struct medium *m = explore_level(ex, 0);
	struct watch w = {.ex = ex, .level = 0};
	struct storage_step step = STORAGE_STEP_INIT;
	uint64_t off = primary ? ex->state->info_off[arena]
			       : ex->state->flog_off[arena] + REF_NFREE * 64;
	unsigned char value[NTRACKED];
	const char *why = NULL;
	void *handle;

	explore_running = ex;
	medium_reset(m);
	explore_heap_release(0);
	m->before = NULL;
	m->mutant = (struct site){SITE_NONE, NULL};
	m->storage.ops->zero(&m->storage, &step, off, 64);
	medium_settle(m);
	explore_watch(&w);
	m->before = NULL;
	if (ex->sut->open(ex->sut, &m->storage, &handle))
		why = "open does not repair the info block";
	if (!why) {
		unsigned *none = explore_alloc(m->nchain * sizeof(*none));

		medium_lose_power(explore_level(ex, 1), m, none);
		why = read_plainly(explore_level(ex, 1), value);
		if (!why && (!ref.laid_out || !ref.copies))
			why = "the repair of the info block is not durable";
	}
	medium_reset(m);
	explore_heap_release(0);
	return why;
}

/* --- a second process ---------------------------------------------------------------- */

/* Opens the watched medium and runs the scenario's second program. */
static void run_second(struct watch *w, unsigned fail_in)
{
	struct explorer *ex = w->ex;
	struct medium *m = explore_level(ex, w->level);
	struct history *h = w->history;
	size_t mark = explore_heap_mark();
	const struct program *p = &ex->state->then;
	void *handle;
	int ret;

	w->op[0] = NO_OP;
	explore_watch(w);
	m->fail_in = fail_in;
	explore_images(w);
	ret = ex->sut->open(ex->sut, &m->storage, &handle);
	/* what the thread has just seen may have been evicted */
	if (ret && !((m->failed || w->dropped) && ret == -EIO))
		explore_violation(ex, "open of process %u returns %d",
				  w->history->phase + 1, ret);
	if (ret)
		goto end;
	for (unsigned b = 0; b < NTRACKED && !ex->state->violated; b++) {
		char name[32];

		unsigned char value = read_block(ex, handle, b);

		if (!(history_allowed(h, b) & UINT64_C(1) << value % 64))
			explore_violation(ex, "process %u reads %s in block %u",
					  h->phase + 1, explore_value_name(value, name),
					  b);
		history_see(h, b, value);
	}
	explore_images(w);
	for (unsigned i = 0; i < p->nop[0] && !ex->state->violated;
	     i += program_call_length(&p->op[0][i])) {
		ex->state->lane_now = p->op[0][i].lane;
		explore_apply(w, handle, 0, i, &p->op[0][i]);
		explore_images(w);
	}
end:
	m->before = NULL;
	m->stored32 = NULL;
	if (m->failed && h->phase + 1 < NPHASE && !ex->state->violated)
		explore_kill(w);
	explore_heap_release(mark);
}

/* The number of events of the second process before which pages are evicted. */
#define DROP_EVENTS 24u

static void kill_once(struct watch *from, uint64_t before, uint64_t later, unsigned in)
{
	struct explorer *ex = from->ex;
	struct history h = *from->history;
	struct watch w = {.ex = ex,
			  .level = from->level + 1,
			  .history = &h,
			  .drop = later,
			  .drop_in = in};
	struct medium *m = explore_level(ex, w.level);

	history_restart(&h);
	medium_kill(m, explore_level(ex, from->level));
	ex->stats.drops += medium_drop(m, before);
	ex->stats.kills++;
	run_second(&w, h.phase == 1 ? ex->state->scenario->fail_then : 0);
}

void explore_kill(struct watch *from)
{
	struct explorer *ex = from->ex;
	struct explorer_state *st = ex->state;
	const struct medium *m = explore_level(ex, from->level);
	bool failed = m->failed || m->any_lost;
	unsigned ndrop = from->history->phase ? 1 : ex->drop_share;

	kill_once(from, 0, 0, 0);
	for (unsigned i = 0; failed && i < ndrop && !st->violated; i++) {
		uint64_t salt = i ? support_random(&st->rng) : MEDIUM_DROP_ALL;

		kill_once(from, salt, 0, 0);
		kill_once(from, 0, i % 2 ? salt : MEDIUM_DROP_ALL,
			  (unsigned)(support_random(&st->rng) % DROP_EVENTS));
	}
}

void explore_drop(struct watch *w)
{
	struct medium *m = explore_level(w->ex, w->level);

	if (w->lose_in && --w->lose_in == 0)
		medium_lose(m);
	if (!w->drop || !m->any_lost)
		return;
	if (w->drop_in-- == 0) {
		w->dropped = medium_drop(m, w->drop);
		w->ex->stats.drops += w->dropped;
		w->drop = 0;
	}
}

/* The same after a power loss; `level` holds the image. */
static void restart(struct watch *from, unsigned level, const struct verdict *v)
{
	struct explorer *ex = from->ex;
	struct history h;
	struct watch w = {.ex = ex, .level = level, .history = &h};

	history_init(&h, v->value);
	h.phase = from->history->phase + 1;
	ex->stats.restarts++;
	run_second(&w, 0);
}

/* --- all images of a state ----------------------------------------------------------- */

static void violation(struct watch *w, const struct verdict *v, unsigned bad)
{
	struct explorer *ex = w->ex;
	char text[256] = "", name[32];
	size_t n = 0;

	if (v->why) {
		explore_violation(ex, "%s%s", w->nested ? "crash of the recovery: " : "",
				  v->why);
		return;
	}
	for (unsigned char value = 0; value < VALUE_COUNT; value++) {
		bool allowed = w->history ? history_allowed(w->history, bad) >> value & 1
					  : w->value[bad] == value;

		if (allowed)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s",
					      n ? " or " : "",
					      explore_value_name(value, name));
	}
	explore_violation(ex, "%sblock %u holds %s instead of %s",
			  w->nested ? "crash of the recovery: " : "", bad,
			  explore_value_name(v->value[bad], name), text);
}

static void compare(struct watch *w, const struct verdict *v)
{
	if (v->why) {
		violation(w, v, 0);
		return;
	}
	if (w->history && !v->copies && history_done(w->history)) {
		explore_violation(w->ex, "the copy of an info block is not durable");
		return;
	}
	for (unsigned b = 0; b < NTRACKED; b++) {
		bool ok = w->history ? history_allowed(w->history, b) >> v->value[b] & 1
				     : v->value[b] == w->value[b];

		if (!ok) {
			violation(w, v, b);
			return;
		}
	}
}

static struct verdict *verdict_of(struct explorer_state *st, unsigned i)
{
	while (i >= st->verdict_cap) {
		st->verdict_cap = st->verdict_cap ? 2 * st->verdict_cap : 1024;
		st->verdict =
		    realloc(st->verdict, st->verdict_cap * sizeof(*st->verdict));
		if (!st->verdict)
			abort();
	}
	return &st->verdict[i];
}

static bool on_image(void *arg, const unsigned *pick, uint64_t hash)
{
	struct watch *w = arg;
	struct explorer *ex = w->ex;
	struct explorer_state *st = ex->state;
	unsigned level = w->level + 1;
	bool fresh;
	unsigned i;

	ex->stats.images++;
	/*
	 * if the recovery of an image was not watched, it has to be judged again where that is
	 * possible
	 */
	hash = mix64(hash, st->base + (level + 3 < EXPLORE_LEVELS ? NBASE : 0u));
	i = hashes_add(&st->images, hash, &fresh);
	if (fresh) {
		struct verdict v;

		ex->stats.distinct++;
		ex->stats.nested += w->nested;
		verdict_of(st, i)->judging = true;
		medium_lose_power(explore_level(ex, level), explore_level(ex, w->level),
				  pick);
		v = judge(ex, level, hash);
		*verdict_of(st, i) = v;
		compare(w, &v);
		if (!st->violated && w->history && w->history->phase == 0 &&
		    st->scenario->then && ex->then_share &&
		    hash / 64 % ex->then_share == 0 && level + 2 < EXPLORE_LEVELS)
			restart(w, level, &v);
	} else {
		struct verdict v = *verdict_of(st, i);

		/* a recovery that lost power before it changed anything leaves the same image */
		if (!v.judging)
			compare(w, &v);
	}
	return !st->violated;
}

void explore_images(struct watch *w)
{
	struct explorer *ex = w->ex;
	struct explorer_state *st = ex->state;
	struct medium *m = explore_level(ex, w->level);
	uint64_t key = mix64(medium_hash(m, false), st->base);
	bool bulk = medium_npending(m) > BULK;
	size_t limit;
	bool fresh;

	if (m->mutant_hit)
		st->mutant_hit = true;
	if (st->violated)
		return;
	for (unsigned b = 0; b < NTRACKED; b++)
		key =
		    mix64(key, w->history ? history_allowed(w->history, b) : w->value[b]);
	/* most states in the middle of a layout are alike */
	if (bulk && !m->at_fence && key / 32 % ex->bulk_share != 0 &&
	    !(w->history && history_done(w->history)))
		return;
	hashes_add(&st->pending, key, &fresh);
	if (!fresh)
		return;
	limit = m->at_fence ? ex->fence_limit : ex->image_limit;
	if (w->nested && bulk && limit > NESTED_BULK_IMAGES)
		limit = NESTED_BULK_IMAGES;
	if (!medium_images(m, limit, &st->rng, on_image, w))
		ex->stats.sampled++;
}

static void before_event(struct medium *m)
{
	explore_drop(m->context);
	explore_images(m->context);
}

/* The content of the data block that the entry of a tracked block names. */
static unsigned char named_by(const struct medium *m, uint64_t off, unsigned block)
{
	const struct explorer_state *st = explore_running->state;
	uint32_t entry;

	memcpy(&entry, m->storage.base + off, sizeof(entry));
	return explore_identify(m->storage.base + st->data_off[block] +
				(uint64_t)(entry & 0x3fffffff) * st->lbasize);
}

/*
 * Whether this map store makes write i visible, or another one of its call that replaces it. Of
 * several writes to one block a call may store each, one after the other, or only the last one.
 */
static bool is_write_stored(const struct history *h, unsigned i, unsigned end,
			    unsigned char value)
{
	for (unsigned k = i; k < end; k++)
		if (h->past[k].op.block == h->past[i].op.block &&
		    history_value(h, k) == value)
			return k == i || h->past[i].pos == 0;
	return false;
}

static void after_store32(struct medium *m, uint64_t off)
{
	struct watch *w = m->context;
	unsigned op = w->op[m->thread];
	unsigned end = op + w->nop[m->thread];

	if (!w->history || op == NO_OP)
		return;
	for (unsigned i = op; i < end; i++) {
		const struct op *o = &w->history->past[i].op;

		if (off != w->ex->state->map_off[o->block])
			continue;
		if (end == op + 1 || o->kind != 'w' ||
		    is_write_stored(w->history, i, end, named_by(m, off, o->block)))
			history_stored(w->history, i);
	}
}

void explore_watch(struct watch *w)
{
	struct medium *m = explore_level(w->ex, w->level);

	m->context = w;
	m->before = before_event;
	m->stored32 = after_store32;
	m->mutant = w->ex->mutant;
	m->twist = w->ex->twist;
	m->page = w->ex->page ? w->ex->page : 8;
	m->flog_lo = w->ex->state->flog_off[w->ex->narena - 1];
	m->flog_hi = m->flog_lo + REF_NFREE * 64;
}

/* --- images that are kept ------------------------------------------------------------- */

static void save_word(void *arg, uint64_t off, uint64_t visible)
{
	struct saved_image *image = arg;

	if (image->nword % 64 == 0) {
		image->word =
		    realloc(image->word, (image->nword + 64) * sizeof(*image->word));
		if (!image->word)
			abort();
	}
	image->word[image->nword][0] = off;
	image->word[image->nword++][1] = visible;
}

static void save(struct explorer *ex, const struct verdict *v, struct medium *m)
{
	struct explorer_state *st = ex->state;
	struct saved_image *image;

	if (st->nsaved == st->saved_cap) {
		st->saved_cap = st->saved_cap ? 2 * st->saved_cap : 64;
		st->saved = realloc(st->saved, st->saved_cap * sizeof(*st->saved));
		if (!st->saved)
			abort();
	}
	image = &st->saved[st->nsaved++];
	memset(image, 0, sizeof(*image));
	image->base = st->base;
	memcpy(image->value, v->value, NTRACKED);
	medium_each_change(m, save_word, image);
}

size_t explore_saved(const struct explorer *ex, const struct saved_image **saved)
{
	*saved = ex->state->saved;
	return ex->state->nsaved;
}
