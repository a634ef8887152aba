/* SPDX-License-Identifier: BSD-3-Clause */
#include "repair/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "errormsg.h"
#include "printable.h"

void plan_init(struct plan *plan, size_t max_findings)
{
	*plan = (struct plan){.max_findings = max_findings};
}

void plan_free(struct plan *plan)
{
	for (size_t i = 0; i < plan->nfinding; i++)
		free(plan->finding[i]);
	free(plan->finding);
	free(plan->change);
	free(plan->data);
	free(plan->basis);
	free(plan->area);
}

/* Makes room for one more element. An array doubles when its length is a power of two. */
static int MUST_CHECK grow(void *array, size_t n, size_t size)
{
	void **p = array;
	void *grown;

	if (n & (n - 1))
		return 0;
	grown = reallocarray(*p, n ? 2 * n : 1, size);
	if (!grown)
		return errormsg_fail(ENOMEM, "out of memory for the list of changes");
	*p = grown;
	return 0;
}

static int MUST_CHECK PRINTF_LIKE(2, 0)
    note(struct plan *plan, const char *fmt, va_list ap)
{
	char text[ERRORMSG_MAX];
	int ret;

	plan->findings++;
	if (plan->nfinding >= plan->max_findings)
		return 0;
	ret = grow(&plan->finding, plan->nfinding, sizeof(*plan->finding));
	if (ret < 0)
		return ret;
	vsnprintf(text, sizeof(text), fmt, ap);
	printable_make(text, sizeof(text));
	plan->finding[plan->nfinding] = strdup(text);
	if (!plan->finding[plan->nfinding])
		return errormsg_fail(ENOMEM, "out of memory for the list of findings");
	plan->nfinding++;
	return 0;
}

int plan_note(struct plan *plan, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = note(plan, fmt, ap);
	va_end(ap);
	return ret;
}

int plan_note_hopeless(struct plan *plan, const char *fmt, ...)
{
	va_list ap;
	int ret;

	plan->cannot_be_mended = true;
	va_start(ap, fmt);
	ret = note(plan, fmt, ap);
	va_end(ap);
	return ret;
}

void plan_print_findings(const struct plan *plan, size_t max)
{
	size_t n = plan->nfinding < max ? plan->nfinding : max;

	for (size_t i = 0; i < n; i++)
		puts(plan->finding[i]);
	if (plan->findings > n)
		printf("... and %llu more\n", ULL(plan->findings - n));
}

int plan_store(struct plan *plan, struct image *image, enum plan_phase phase,
	       uint64_t off, const void *bytes, size_t len)
{
	const void *at = storage_at(&image->storage, off);
	int ret = grow(&plan->change, plan->nchange, sizeof(*plan->change));

	if (ret < 0)
		return ret;
	if (plan->ndata + 2 * len > plan->room) {
		size_t room = 2 * plan->room + 2 * len;
		unsigned char *grown = realloc(plan->data, room);

		if (!grown)
			return errormsg_fail(ENOMEM,
					     "out of memory for the list of changes");
		plan->data = grown;
		plan->room = room;
	}
	plan->change[plan->nchange++] = (struct plan_change){
	    .off = off, .len = (uint32_t)len, .phase = phase, .data = plan->ndata};
	memcpy(plan->data + plan->ndata, at, len);
	memcpy(plan->data + plan->ndata + len, bytes, len);
	plan->ndata += 2 * len;
	image_change(image, off, bytes, len);
	return 0;
}

int plan_change(struct plan *plan, struct image *image, enum plan_phase phase,
		uint64_t off, const void *bytes, size_t len)
{
	if (memcmp(storage_at(&image->storage, off), bytes, len) == 0)
		return 0;
	return plan_store(plan, image, phase, off, bytes, len);
}

void plan_replay(const struct plan *plan, struct image *image)
{
	for (size_t i = 0; i < plan->nchange; i++) {
		const struct plan_change *c = &plan->change[i];

		image_change(image, c->off, plan->data + c->data + c->len, c->len);
	}
}

void plan_replay_phases(const struct plan *plan, struct image *image)
{
	for (uint32_t phase = 0; phase < PLAN_NPHASE; phase++)
		for (size_t i = 0; i < plan->nchange; i++) {
			const struct plan_change *c = &plan->change[i];

			if (c->phase == phase)
				image_change(image, c->off, plan->data + c->data + c->len,
					     c->len);
		}
}

int plan_add_basis(struct plan *plan, uint64_t off, uint64_t len)
{
	int ret = grow(&plan->basis, plan->nbasis, sizeof(*plan->basis));

	if (ret < 0)
		return ret;
	plan->basis[plan->nbasis++] = (struct plan_basis){off, len};
	return 0;
}

int plan_add_area(struct plan *plan, uint64_t off, uint64_t len, uint64_t sum)
{
	int ret = grow(&plan->area, plan->narea, sizeof(*plan->area));

	if (ret < 0)
		return ret;
	plan->area[plan->narea++] = (struct plan_area){off, len, sum};
	return 0;
}

/* --- the bytes that change --------------------------------------------------------------- */

/* A change while it is sorted. */
struct place {
	uint64_t off;
	uint32_t len;
	uint32_t phase;
	size_t index; /* in the order of planning */
};

static int by_offset(const void *a, const void *b)
{
	const struct place *x = a;
	const struct place *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

static int by_phase(const void *a, const void *b)
{
	const struct place *x = a;
	const struct place *y = b;

	if (x->phase != y->phase)
		return x->phase < y->phase ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* Joins changes that overlap to one range. */
static void join(struct place *place, size_t n, struct plan_ranges *out)
{
	for (size_t i = 0, next; i < n; i = next) {
		struct plan_range r = {.off = place[i].off, .first = i};
		uint64_t end = place[i].off + place[i].len;

		for (next = i + 1; next < n && place[next].off < end; next++)
			if (place[next].off + place[next].len > end)
				end = place[next].off + place[next].len;
		r.len = end - r.off;
		r.n = next - i;
		qsort(place + i, r.n, sizeof(*place), by_phase);
		out->range[out->n++] = r;
	}
	for (size_t i = 0; i < n; i++)
		out->member[i] = place[i].index;
}

int plan_ranges(const struct plan *plan, struct plan_ranges *ranges)
{
	size_t n = plan->nchange;
	struct place *place = calloc(n + 1, sizeof(*place));

	*ranges = (struct plan_ranges){
	    .range = calloc(n + 1, sizeof(*ranges->range)),
	    .member = calloc(n + 1, sizeof(*ranges->member)),
	};
	if (!place || !ranges->range || !ranges->member) {
		free(place);
		plan_ranges_free(ranges);
		return errormsg_fail(ENOMEM, "out of memory for the list of changes");
	}
	for (size_t i = 0; i < n; i++)
		place[i] = (struct place){plan->change[i].off, plan->change[i].len,
					  plan->change[i].phase, i};
	qsort(place, n, sizeof(*place), by_offset);
	join(place, n, ranges);
	free(place);
	return 0;
}

void plan_ranges_free(struct plan_ranges *ranges)
{
	free(ranges->range);
	free(ranges->member);
	*ranges = (struct plan_ranges){0};
}

/*
 * Of all changes of a byte, the one that was planned first has its old value. So this copies the
 * old bytes of the members from the one planned last to the one planned first. They are in the
 * order of their phases, so each next one has to be searched for.
 */
void plan_range_old(const struct plan *plan, const struct plan_ranges *ranges, size_t i,
		    unsigned char *bytes)
{
	const struct plan_range *r = &ranges->range[i];
	size_t below = SIZE_MAX;

	for (size_t done = 0; done < r->n; done++) {
		const struct plan_change *c;
		size_t latest = 0;

		for (size_t k = 0; k < r->n; k++) {
			size_t m = ranges->member[r->first + k];

			if (m < below && m >= latest)
				latest = m;
		}
		below = latest;
		c = &plan->change[latest];
		memcpy(bytes + (c->off - r->off), plan->data + c->data, c->len);
	}
}

bool plan_range_after(const struct plan *plan, const struct plan_ranges *ranges, size_t i,
		      unsigned phase, unsigned char *bytes)
{
	const struct plan_range *r = &ranges->range[i];
	bool any = false;

	plan_range_old(plan, ranges, i, bytes);
	for (size_t k = 0; k < r->n; k++) {
		const struct plan_change *c = &plan->change[ranges->member[r->first + k]];

		if (c->phase > phase)
			break;
		any = any || c->phase == phase;
		memcpy(bytes + (c->off - r->off), plan->data + c->data + c->len, c->len);
	}
	return any;
}
