/* SPDX-License-Identifier: BSD-3-Clause */
#include "repair/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "btt/find.h"
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
}

/* Room for one more element; arrays double when their length is a power of two. */
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
	char text[1024];
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

void plan_print_findings(const struct plan *plan)
{
	for (size_t i = 0; i < plan->nfinding; i++)
		puts(plan->finding[i]);
	if (plan->findings > plan->nfinding)
		printf("... and %llu more\n", ULL(plan->findings - plan->nfinding));
}

int plan_change(struct plan *plan, struct image *image, enum plan_phase phase,
		uint64_t off, const void *bytes, size_t len)
{
	unsigned char *at = image->map.base + off;
	int ret;

	if (memcmp(at, bytes, len) == 0)
		return 0;
	ret = grow(&plan->change, plan->nchange, sizeof(*plan->change));
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
	memcpy(at, bytes, len);
	return 0;
}

void plan_replay(const struct plan *plan, struct image *image)
{
	for (size_t i = 0; i < plan->nchange; i++) {
		const struct plan_change *c = &plan->change[i];

		memcpy(image->map.base + c->off, plan->data + c->data + c->len, c->len);
	}
}

int plan_add_basis(struct plan *plan, uint64_t off, uint64_t len)
{
	int ret = grow(&plan->basis, plan->nbasis, sizeof(*plan->basis));

	if (ret < 0)
		return ret;
	plan->basis[plan->nbasis++] = (struct plan_range){off, len};
	return 0;
}

static int by_offset(const void *a, const void *b)
{
	const struct plan_range *x = a;
	const struct plan_range *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

int plan_ranges(const struct plan *plan, struct plan_range **range, size_t *n)
{
	struct plan_range *r = calloc(plan->nchange + 1, sizeof(*r));
	size_t last = 0;

	if (!r)
		return errormsg_fail(ENOMEM, "out of memory for the list of changes");
	for (size_t i = 0; i < plan->nchange; i++)
		r[i] = (struct plan_range){plan->change[i].off, plan->change[i].len};
	qsort(r, plan->nchange, sizeof(*r), by_offset);
	for (size_t i = 1; i < plan->nchange; i++) {
		uint64_t end = r[last].off + r[last].len;

		if (r[i].off < end) {
			if (r[i].off + r[i].len > end)
				r[last].len = r[i].off + r[i].len - r[last].off;
		} else {
			r[++last] = r[i];
		}
	}
	*range = r;
	*n = plan->nchange ? last + 1 : 0;
	return 0;
}

static bool is_inside(const struct plan_change *c, const struct plan_range *range)
{
	return c->off >= range->off && c->off + c->len <= range->off + range->len;
}

/* The first change of a byte knows what it was before, the last one what it becomes. */
void plan_old_bytes(const struct plan *plan, const struct plan_range *range,
		    unsigned char *old)
{
	for (size_t i = plan->nchange; i-- > 0;) {
		const struct plan_change *c = &plan->change[i];

		if (is_inside(c, range))
			memcpy(old + (c->off - range->off), plan->data + c->data, c->len);
	}
}

void plan_new_bytes(const struct plan *plan, const struct plan_range *range,
		    unsigned char *bytes)
{
	for (size_t i = 0; i < plan->nchange; i++) {
		const struct plan_change *c = &plan->change[i];

		if (is_inside(c, range))
			memcpy(bytes + (c->off - range->off),
			       plan->data + c->data + c->len, c->len);
	}
}

static int MUST_CHECK extend_file(const struct plan *plan, struct image *image)
{
	struct poolset_part *part = &image->set->part[0];

	if (ftruncate(part->fd, (off_t)plan->extend_to) != 0)
		return errormsg_fail_sys(errno, "cannot extend %s", part->path);
	part->length = plan->extend_to;
	return 0;
}

/*
 * What a disk has refused can be read, but a flush alone does not write it. Pages of zeros stay
 * what they are: most of them are holes.
 */
static void renew(struct storage *s, struct storage_step *step,
		  const struct plan_range *range)
{
	uint64_t end = range->off + range->len;

	for (uint64_t off = range->off; off < end; off += BTT_PAGE)
		if (btt_find_nonzero(s, off, off + BTT_PAGE) < off + BTT_PAGE)
			storage_renew(s, step, off, storage_at(s, off), BTT_PAGE);
}

int plan_store(const struct plan *plan, struct storage *s)
{
	struct storage_step step = STORAGE_STEP_INIT;
	int ret;

	for (size_t i = 0; i < plan->nbasis; i++)
		renew(s, &step, &plan->basis[i]);
	ret = storage_fence(s, &step);
	for (uint32_t phase = 0; phase < PLAN_NPHASE && ret == 0; phase++) {
		bool stored = false;

		for (size_t i = 0; i < plan->nchange; i++) {
			const struct plan_change *c = &plan->change[i];

			if (c->phase != phase)
				continue;
			storage_write(s, &step, c->off, plan->data + c->data + c->len,
				      c->len);
			stored = true;
		}
		if (stored)
			ret = storage_fence(s, &step);
	}
	return ret;
}

int plan_apply(const struct plan *plan, struct image *image)
{
	struct poolset_mapping map;
	struct storage s;
	int ret = 0;

	if (plan->extend_to)
		ret = extend_file(plan, image);
	if (ret == 0)
		ret = poolset_map(image->set, MAPPING_SHARED, &map);
	if (ret != 0)
		return ret;
	storage_pool_init(&s, map.base, map.size, map.medium);
	ret = plan_store(plan, &s);
	poolset_unmap(&map);
	return ret;
}
