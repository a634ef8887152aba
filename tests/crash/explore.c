/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The search over the interleavings of one program.
 *
 * The search runs the program many times from the start. A run first repeats the choices of its
 * path. Then it stays with the running thread until it meets a state that was met before. Each
 * point at which another thread could have run instead is a branch. The next run takes the
 * deepest branch that was not tried yet.
 */
#include "explore.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explore_state.h"
#include "hooks.h"
#include "support.h"

struct explorer *explore_running;

/* --- sets of hashes ------------------------------------------------------------------- */

static size_t slot_of(const struct hashes *set, uint64_t key)
{
	size_t i = key & (set->cap - 1);

	while (set->key[i] && set->key[i] != key)
		i = (i + 1) & (set->cap - 1);
	return i;
}

unsigned hashes_add(struct hashes *set, uint64_t key, bool *fresh)
{
	size_t i;

	key = mix64(key, 3) | 1;
	if (2 * set->n >= set->cap) {
		struct hashes old = *set;

		set->cap = old.cap ? 2 * old.cap : 4096;
		set->key = calloc(set->cap, sizeof(*set->key));
		set->value = calloc(set->cap, sizeof(*set->value));
		if (!set->key || !set->value)
			abort();
		for (size_t j = 0; j < old.cap; j++)
			if (old.key[j]) {
				i = slot_of(set, old.key[j]);
				set->key[i] = old.key[j];
				set->value[i] = old.value[j];
			}
		free(old.key);
		free(old.value);
	}
	i = slot_of(set, key);
	*fresh = set->key[i] == 0;
	if (*fresh) {
		set->key[i] = key;
		set->value[i] = (unsigned)set->n++;
	}
	return set->value[i];
}

void hashes_clear(struct hashes *set)
{
	if (set->n)
		memset(set->key, 0, set->cap * sizeof(*set->key));
	set->n = 0;
}

/* --- violations ------------------------------------------------------------------------ */

static const char *const kind_names[] = {"persistent memory", "weak persistent memory",
					 "file"};
static const char *const base_names[] = {"fresh", "used", "empty", "stale"};

void explore_violation(struct explorer *ex, const char *fmt, ...)
{
	struct explorer_state *st = ex->state;
	size_t n;
	va_list ap;

	if (st->violated)
		return;
	st->violated = true;
	va_start(ap, fmt);
	n = (size_t)vsnprintf(ex->why, sizeof(ex->why), fmt, ap);
	va_end(ap);
	if (n < sizeof(ex->why))
		snprintf(ex->why + n, sizeof(ex->why) - n,
			 " [%s, %s, %u arena%s, program \"%s\", then \"%s\", %s base, "
			 "schedule %.200s]",
			 ex->sut->name, kind_names[ex->kind], ex->narena,
			 ex->narena > 1 ? "s" : "", st->scenario->program,
			 st->scenario->then ? st->scenario->then : "",
			 base_names[st->scenario->base], st->schedule);
}

/* --- what a thread does ---------------------------------------------------------------- */

void explore_apply(struct watch *w, void *handle, unsigned thread, unsigned op_index,
		   const struct op *op)
{
	struct explorer *ex = w->ex;
	struct medium *m = explore_level(ex, w->level);
	struct history *h = w->history;
	unsigned i = history_index(h->phase, thread, op_index);
	unsigned n = program_call_length(op);
	unsigned char buf[NOP][EXPLORE_BSIZE];
	uint64_t lba[NOP];
	bool failed = history_failed(h);
	bool blind = m->untold;
	unsigned char value;
	char name[32];
	int ret;

	for (unsigned k = 0; k < n; k++) {
		history_begin(h, i + k, &op[k]);
		lba[k] = explore_lba(op[k].block);
		if (op->kind == 'w')
			explore_fill(buf[k], history_value(h, i + k));
	}
	w->nop[thread] = n;
	w->op[thread] = i;
	if (n == 1)
		ret = ex->sut->apply(handle, op->kind, lba[0], buf[0]);
	else
		ret = ex->sut->apply_many(handle, op->kind, lba, buf, n);
	w->op[thread] = NO_OP;
	for (unsigned k = 0; k < n; k++)
		history_end(h, i + k, ret == 0);
	if (op->kind == 'r') {
		/*
		 * no sync has reported yet that pages are lost, so reads return what the medium
		 * holds
		 */
		if (blind || m->untold)
			return;
		/*
		 * an operation that returned EIO may have happened in part, and a drop may undo
		 * it
		 */
		if (m->failed)
			h->past[i].reads |= history_allowed(h, op->block);
		value = ret == -EIO ? VALUE_ERROR
			: ret	    ? VALUE_GARBAGE
				    : explore_identify(buf[0]);
		if (value == VALUE_GARBAGE || !(h->past[i].reads >> value & 1))
			explore_violation(ex, "thread %u reads %s in block %u", thread,
					  explore_value_name(value, name), op->block);
		return;
	}
	if (failed && ret != -EIO)
		explore_violation(ex, "after a failed sync '%c' returns %d", op->kind,
				  ret);
	else if (ret && !(m->failed && ret == -EIO))
		explore_violation(ex, "'%c' returns %d", op->kind, ret);
	else if (op->kind == 's' && ret == 0 && medium_npending(m))
		explore_violation(ex, "a sync leaves %u stores that are not durable",
				  medium_npending(m));
}

/* The running thread ends, and another one takes its number. */
static void end_thread(struct explorer *ex)
{
	if (ex->sut->end_thread)
		ex->sut->end_thread();
	medium_end_thread(explore_level(ex, 0));
	explore_point();
}

void explore_complete(void)
{
	medium_complete(explore_level(explore_running, 0));
}

static void thread_main(void *arg)
{
	struct explorer *ex = explore_running;
	struct explorer_state *st = ex->state;
	unsigned t = (unsigned)(uintptr_t)arg;
	unsigned n;

	for (unsigned i = 0; i < st->program.nop[t]; i += n) {
		const struct op *op = &st->program.op[t][i];

		n = program_call_length(op);
		explore_apply(&st->live, st->handle, t, i, op);
		/* the state after this operation and before the next one */
		explore_point();
		explore_drop(&st->live);
		if (op[n - 1].last)
			end_thread(ex);
	}
}

void explore_point(void)
{
	int t = sched_current();

	if (t < 0)
		return;
	explore_running->state->position[t]++;
	sched_point();
	explore_level(explore_running, 0)->thread = (unsigned)t;
}

void explore_fine_point(void)
{
	/* there is no explorer in constructors and destructors */
	if (sched_current() >= 0 && explore_running->fine)
		explore_point();
}

void explore_read(uint64_t value)
{
	int t = sched_current();

	if (t >= 0 && explore_running->fine)
		explore_running->state->trail[t] =
		    mix64(explore_running->state->trail[t], value);
}

bool explore_in_image(const void *p)
{
	const struct medium *m = explore_level(explore_running, 0);

	return (const unsigned char *)p >= m->storage.base &&
	       (const unsigned char *)p < m->storage.base + m->storage.size;
}

unsigned explore_lane(void)
{
	struct explorer_state *st = explore_running->state;
	int t = sched_current();
	unsigned op = t < 0 ? NO_OP : st->live.op[t];

	return op == NO_OP ? st->lane_now : st->history.past[op].op.lane;
}

unsigned explore_thread(void)
{
	int t = sched_current();

	if (t < 0)
		return 1;
	return 2 + (unsigned)t + SCHED_MAX * explore_level(explore_running, 0)->ended[t];
}

static void live_event(struct medium *m)
{
	explore_point();
	explore_drop(m->context);
}

/* --- the search ------------------------------------------------------------------------ */

static uint64_t state_key(struct explorer *ex)
{
	struct explorer_state *st = ex->state;
	uint64_t key =
	    mix64(medium_hash(explore_level(ex, 0), true), explore_heap_hash());

	key = mix64(key, hooks_lent);
	for (unsigned t = 0; t < st->program.nthread; t++)
		key = mix64(key ^ st->trail[t], st->position[t]);
	for (unsigned b = 0; b < NTRACKED; b++)
		key = mix64(key, history_allowed(&st->history, b));
	for (unsigned i = 0; i < NPAST; i++)
		if (st->history.past[i].state == PAST_RUNNING)
			key = mix64(key, st->history.past[i].reads + i);
	key = mix64(key ^ explore_level(ex, 0)->untold, st->live.lose_in);
	return mix64(key, st->live.drop + 8 * st->live.drop_in);
}

/* Examines a state. Returns false if it was met before. */
static bool meet(struct explorer *ex)
{
	struct explorer_state *st = ex->state;
	uint64_t key = state_key(ex);
	bool fresh;

	hashes_add(&st->states, key, &fresh);
	if (!fresh)
		return false;
	ex->stats.states++;
	explore_images(&st->live);
	if (st->scenario->then && ex->kill_share && !st->violated &&
	    (explore_level(ex, 0)->failed || explore_level(ex, 0)->any_lost ||
	     (!st->scenario->fail_fence && !st->scenario->lose_in &&
	      mix64(medium_hash(explore_level(ex, 0), true), 9) % ex->kill_share == 0)))
		explore_kill(&st->live);
	return true;
}

static unsigned lowest(unsigned bits)
{
	return (unsigned)__builtin_ctz(bits);
}

static int choose(void *arg, unsigned ready, int last)
{
	struct explorer *ex = arg;
	struct explorer_state *st = ex->state;
	bool several = (ready & (ready - 1)) != 0;
	unsigned next = last >= 0 && ready >> last & 1 ? (unsigned)last : lowest(ready);

	if (st->violated)
		return -1;
	if (st->random) {
		meet(ex);
		if (several && support_random(&st->rng) % 4 == 0)
			do
				next = (unsigned)(support_random(&st->rng) % NTHREAD);
			while (!(ready >> next & 1));
	} else if (st->depth < st->npath) {
		if (several)
			next = st->path[st->depth++].choice;
	} else {
		if (!meet(ex))
			return -1;
		if (several) {
			if (st->npath == PATH_MAX_LEN)
				return -1;
			st->path[st->npath++] = (struct branch){
			    (unsigned char)next, (unsigned char)(ready & ~(1u << next))};
			st->depth++;
		}
	}
	if (st->violated)
		return -1;
	if (st->nschedule + 1 < sizeof(st->schedule)) {
		st->schedule[st->nschedule++] = (char)('0' + next);
		st->schedule[st->nschedule] = '\0';
	}
	explore_level(ex, 0)->thread = next;
	return (int)next;
}

/* Takes the deepest branch that was not tried yet. Returns false if there is none. */
static bool next_path(struct explorer_state *st)
{
	while (st->npath && !st->path[st->npath - 1].rest)
		st->npath--;
	if (!st->npath)
		return false;
	struct branch *b = &st->path[st->npath - 1];

	b->choice = (unsigned char)lowest(b->rest);
	b->rest &= (unsigned char)(b->rest - 1);
	return true;
}

static void run(struct explorer *ex)
{
	struct explorer_state *st = ex->state;
	struct medium *m = explore_level(ex, 0);

	ex->stats.runs++;
	medium_reset(m);
	explore_heap_release(0);
	hooks_lent = 0;
	history_init(&st->history, st->initial[st->base]);
	memset(st->position, 0, sizeof(st->position));
	memset(st->trail, 0, sizeof(st->trail));
	st->depth = 0;
	st->nschedule = 0;
	st->schedule[0] = '\0';
	st->live = (struct watch){.ex = ex,
				  .level = 0,
				  .history = &st->history,
				  .lose_in = st->scenario->lose_in,
				  .drop = st->scenario->drop,
				  .drop_in = st->scenario->drop_in};
	explore_watch(&st->live);
	m->before = NULL;
	m->split = ex->split_writes;
	m->lie = ex->lie;
	if (ex->sut->open(ex->sut, &m->storage, &st->handle)) {
		explore_violation(ex, "the first open fails");
		return;
	}
	m->before = live_event;
	m->fail_in = st->scenario->fail_fence;
	sched_reset();
	for (unsigned t = 0; t < st->program.nthread; t++) {
		st->live.op[t] = NO_OP;
		sched_spawn(thread_main, (void *)(uintptr_t)t);
	}
	if (sched_run(choose, ex) == SCHED_DEADLOCK)
		explore_violation(ex, "the threads wait for each other");
	if (m->mutant_hit)
		st->mutant_hit = true;
	m->before = NULL;
}

bool explore(struct explorer *ex, const struct scenario *scenario)
{
	struct explorer_state *st = ex->state;
	size_t n = 0;
	bool more = true;

	st->scenario = scenario;
	st->violated = false;
	ex->why[0] = '\0';
	explore_running = ex;
	explore_select_base(ex, scenario->base);
	program_parse(&st->program, scenario->program);
	program_parse(&st->then, scenario->then ? scenario->then : "");
	hashes_clear(&st->states);
	ex->stats.scenarios++;
	st->npath = 0;
	st->random = false;
	while (more && n++ < ex->run_limit && !st->violated) {
		run(ex);
		more = next_path(st);
	}
	if (more && !st->violated) {
		ex->stats.unfinished++;
		st->random = true;
		for (n = 0; n < ex->run_limit / 4 && !st->violated; n++)
			run(ex);
	}
	medium_reset(explore_level(ex, 0));
	explore_heap_release(0);
	return !st->violated;
}

void explore_init(struct explorer *ex, const struct sut *sut, enum medium_kind kind)
{
	memset(ex, 0, sizeof(*ex));
	ex->sut = sut;
	ex->kind = kind;
	ex->nlane = 5;
	ex->narena = 1;
	ex->seed = 1;
	ex->image_limit = 512;
	ex->fence_limit = 512;
	ex->run_limit = 20000;
	ex->kill_share = 1;
	ex->check_share = 1;
	ex->bulk_share = 1;
	ex->fine = true;
	ex->then_share = 64;
	ex->state = calloc(1, sizeof(*ex->state));
	if (!ex->state)
		abort();
	ex->state->rng = ex->seed;
}

void explore_forget(struct explorer *ex)
{
	struct explorer_state *st = ex->state;

	hashes_clear(&st->pending);
	hashes_clear(&st->images);
	st->mutant_hit = false;
	for (unsigned b = 0; b < NBASE; b++)
		for (unsigned i = 0; i < EXPLORE_LEVELS; i++)
			st->medium[b][i].mutant_hit = false;
}

bool explore_mutant_hit(const struct explorer *ex)
{
	return ex->state->mutant_hit;
}

void explore_free(struct explorer *ex)
{
	struct explorer_state *st = ex->state;
	struct hashes *sets[] = {&st->states, &st->pending, &st->images};

	for (unsigned b = 0; b < NBASE; b++) {
		for (unsigned i = 0; st->made[b] && i < EXPLORE_LEVELS; i++)
			medium_free(&st->medium[b][i]);
		if (st->made[b])
			close(st->fd[b]);
	}
	for (unsigned i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		free(sets[i]->key);
		free(sets[i]->value);
	}
	for (size_t i = 0; i < st->nsaved; i++)
		free(st->saved[i].word);
	free(st->saved);
	free(st->verdict);
	free(st);
	ex->state = NULL;
}
