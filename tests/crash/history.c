/* SPDX-License-Identifier: BSD-3-Clause */
#include "history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void program_parse(struct program *p, const char *text)
{
	unsigned t = 0;

	memset(p, 0, sizeof(*p));
	for (const char *at = text; *at;) {
		struct op op = {0};

		if (*at == ' ') {
			at++;
			continue;
		}
		if (*at == '|') {
			at++;
			t++;
			continue;
		}
		if (*at == ';' && t < NTHREAD && p->nop[t]) {
			at++;
			p->op[t][p->nop[t] - 1].last = true;
			continue;
		}
		op.kind = *at++;
		if (op.kind == '+' && t < NTHREAD && p->nop[t]) {
			struct op *before = &p->op[t][p->nop[t] - 1];

			before->joined = true;
			op.kind = before->kind;
			op.lane = before->lane;
		}
		if (*at >= '0' && *at <= '9')
			op.block = (unsigned char)(*at++ - '0');
		if (*at >= '0' && *at <= '9')
			op.lane = (unsigned char)(*at++ - '0');
		if (t >= NTHREAD || p->nop[t] == NOP || op.block >= NTRACKED ||
		    !strchr("wzers", op.kind) ||
		    (p->nop[t] && p->op[t][p->nop[t] - 1].joined &&
		     !strchr("wz", op.kind))) {
			fprintf(stderr, "bad program \"%s\"\n", text);
			abort();
		}
		p->op[t][p->nop[t]++] = op;
	}
	p->nthread = t + 1;
}

unsigned program_call_length(const struct op *op)
{
	unsigned n = 1;

	while (op[n - 1].joined)
		n++;
	return n;
}

void history_init(struct history *h, const unsigned char initial[NTRACKED])
{
	memset(h, 0, sizeof(*h));
	memcpy(h->initial, initial, NTRACKED);
	memcpy(h->visible, initial, NTRACKED);
}

unsigned history_index(unsigned phase, unsigned thread, unsigned op)
{
	return (phase * NTHREAD + thread) * NOP + op;
}

unsigned char history_value(const struct history *h, unsigned index)
{
	switch (h->past[index].op.kind) {
	case 'z':
		return VALUE_ZERO;
	case 'e':
		return VALUE_ERROR;
	default:
		return (unsigned char)(VALUE_FIRST + index);
	}
}

static bool modifies(const struct past *p)
{
	return p->op.kind == 'w' || p->op.kind == 'z' || p->op.kind == 'e';
}

void history_begin(struct history *h, unsigned index, const struct op *op)
{
	struct past *p = &h->past[index];

	p->op = *op;
	p->state = PAST_RUNNING;
	p->phase = h->phase;
	p->pos = 0;
	p->reads = UINT64_C(1) << h->visible[op->block];
}

void history_stored(struct history *h, unsigned index)
{
	struct past *p = &h->past[index];
	unsigned char value = history_value(h, index);

	p->pos = ++h->clock;
	h->visible[p->op.block] = value;
	if (value <= VALUE_ERROR)
		h->flag_pos[p->op.block][value] = p->pos;
	for (unsigned i = 0; i < NPAST; i++) {
		struct past *reader = &h->past[i];

		if (reader->state == PAST_RUNNING && reader->op.kind == 'r' &&
		    reader->op.block == p->op.block)
			reader->reads |= UINT64_C(1) << value;
	}
}

void history_end(struct history *h, unsigned index, bool ok)
{
	struct past *p = &h->past[index];

	p->state = ok ? PAST_DONE : PAST_FAILED;
	/* the flag was set already: the operation counts like the one that stored the flag */
	if (ok && p->pos == 0 && p->op.kind != 'w' && modifies(p))
		p->pos = h->flag_pos[p->op.block][history_value(h, index)];
}

bool history_done(const struct history *h)
{
	for (unsigned i = 0; i < NPAST; i++)
		if (h->past[i].state == PAST_DONE && modifies(&h->past[i]))
			return true;
	return false;
}

bool history_failed(const struct history *h)
{
	for (unsigned i = 0; i < NPAST; i++)
		if (h->past[i].state == PAST_FAILED && h->past[i].phase == h->phase &&
		    modifies(&h->past[i]))
			return true;
	return false;
}

void history_restart(struct history *h)
{
	h->phase++;
}

void history_see(struct history *h, unsigned block, unsigned char value)
{
	h->visible[block] = value;
	for (unsigned i = 0; i < NPAST; i++) {
		const struct past *p = &h->past[i];

		/* a flag that the call has found there (pos 0) is not its own */
		if ((p->op.kind == 'w' || (p->state == PAST_FAILED && p->pos)) &&
		    (p->state == PAST_FAILED || p->state == PAST_RUNNING) &&
		    p->op.block == block && modifies(p) && p->phase < h->phase &&
		    history_value(h, i) == value) {
			h->seen[block].value = value;
			h->seen[block].phase = h->phase;
		}
	}
}

uint64_t history_allowed(const struct history *h, unsigned block)
{
	unsigned char last = h->initial[block];
	unsigned pos = 0, phase = 0;
	uint64_t allowed;

	for (unsigned i = 0; i < NPAST; i++) {
		const struct past *p = &h->past[i];

		if (p->state != PAST_DONE || p->op.block != block || !modifies(p))
			continue;
		if (p->phase > phase || (p->phase == phase && p->pos >= pos)) {
			last = history_value(h, i);
			pos = p->pos;
			phase = p->phase;
		}
	}
	if (h->seen[block].phase > phase)
		last = h->seen[block].value;
	allowed = UINT64_C(1) << last;
	for (unsigned i = 0; i < NPAST; i++) {
		const struct past *p = &h->past[i];

		if ((p->state == PAST_RUNNING || p->state == PAST_FAILED) &&
		    p->op.block == block && modifies(p) && p->phase >= phase &&
		    (p->pos == 0 || p->pos > pos))
			allowed |= UINT64_C(1) << history_value(h, i);
	}
	return allowed;
}
