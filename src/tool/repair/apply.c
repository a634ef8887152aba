/* SPDX-License-Identifier: BSD-3-Clause */
#include "repair/apply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "errormsg.h"
#include "image/guard.h"
#include "image/why.h"
#include "repair/backup.h"
#include "repair/undo.h"
#include "repair/verdict.h"

/* Whether [off, end) is a hole. Nobody has ever stored to it. */
static bool is_hole(struct storage *s, uint64_t off, uint64_t end)
{
	return storage_next_data(s, off, end) == end;
}

/*
 * Stores a basis again. An earlier sync may have failed, and pages in memory may differ from the
 * medium although the kernel takes them for clean.
 */
static void renew(struct storage *s, struct storage_step *step,
		  const struct plan_basis *basis)
{
	uint64_t end = basis->off + basis->len;

	for (uint64_t off = basis->off; off < end; off += POOL_PAGE)
		if (!is_hole(s, off, off + POOL_PAGE))
			storage_renew(s, step, off, storage_at(s, off), POOL_PAGE);
}

int apply_store(const struct plan *plan, struct storage *s)
{
	struct storage_step step = STORAGE_STEP_INIT;
	int ret;

	for (size_t i = 0; i < plan->nbasis; i++)
		renew(s, &step, &plan->basis[i]);
	ret = storage_fence(s, &step);
	for (uint32_t phase = 0; phase < PLAN_NPHASE && ret == 0; phase++) {
		bool stored = false;

		if (phase == PLAN_INFO && plan->ahead)
			ret = plan->ahead->store_last(plan->ahead->arg, s);
		for (size_t i = 0; i < plan->nchange && ret == 0; i++) {
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

struct work {
	const struct plan *plan;
	const struct plan_ranges *ranges;
	struct image *image;
};

static int store_guarded(void *arg)
{
	struct work *w = arg;

	return apply_store(w->plan, &w->image->storage);
}

static int MUST_CHECK allocate_ranges(const struct work *w)
{
	uint64_t length = image_length(w->image);
	int ret = 0;

	for (size_t i = 0; i < w->ranges->n && ret == 0; i++) {
		const struct plan_range *r = &w->ranges->range[i];

		if (r->off + r->len <= length)
			ret = image_allocate(w->image, r->off, r->len);
	}
	return ret;
}

static int MUST_CHECK lengthen(const struct work *w)
{
	const struct plan_ahead *ahead = w->plan->ahead;
	int ret;

	if (!ahead)
		return image_set_length(w->image, w->plan->extend_to);
	ret = image_lengthen(w->image, w->plan->extend_to);
	if (ret == 0)
		ret = ahead->allocate(ahead->arg, w->image);
	return ret == 0 ? allocate_ranges(w) : ret;
}

/* Gives the file its old length back. Nothing else of the pool has changed yet. */
static void cut_off(const struct work *w, uint64_t length, enum apply_state *state)
{
	struct why why;

	why_keep(&why);
	if (image_set_length(w->image, length) < 0)
		*state = APPLY_PARTLY;
	why_restore(&why);
}

/* Allocates space for everything that is going to be stored. */
static int MUST_CHECK allocate(const struct work *w, uint64_t before,
			       enum apply_state *state)
{
	int ret = allocate_ranges(w);

	if (ret < 0 || !w->plan->extend_to)
		return ret;
	ret = lengthen(w);
	if (ret < 0)
		cut_off(w, before, state);
	return ret;
}

static int store_ahead_guarded(void *arg)
{
	struct work *w = arg;

	return w->plan->ahead->store(w->plan->ahead->arg, &w->image->storage);
}

static int MUST_CHECK store_on_files(const struct work *w, int (*stores)(void *))
{
	struct image shared;
	struct work on_files = {w->plan, w->ranges, &shared};
	int ret = image_map_shared(w->image, &shared);

	if (ret < 0)
		return ret;
	ret = guard_run(w->image->path, &shared.map, stores, &on_files);
	image_unmap_shared(&shared);
	return ret;
}

/* Allocates space, and stores what comes ahead of the phases. */
static int MUST_CHECK prepare(const struct work *w, enum apply_state *state)
{
	uint64_t before = image_length(w->image);
	int ret = allocate(w, before, state);

	if (ret < 0 || !w->plan->ahead)
		return ret;
	ret = store_on_files(w, store_ahead_guarded);
	if (ret < 0)
		cut_off(w, before, state);
	return ret;
}

static int MUST_CHECK compare(const struct work *w)
{
	for (size_t i = 0; i < w->ranges->n; i++) {
		const struct plan_range *r = &w->ranges->range[i];
		unsigned char *want = malloc(r->len);
		bool same;

		if (!want)
			return errormsg_fail(ENOMEM, "out of memory");
		plan_range_after(w->plan, w->ranges, i, PLAN_NPHASE, want);
		same = r->off + r->len <= w->image->map.size &&
		       memcmp(storage_at(&w->image->storage, r->off), want, r->len) == 0;
		free(want);
		if (!same)
			return errormsg_fail(EIO,
					     "%s: at offset %llu stands something else "
					     "than what was stored",
					     w->image->path, ULL(r->off));
	}
	return 0;
}

static int verify_guarded(void *arg)
{
	const struct work *w = arg;
	bool consistent;
	int ret = compare(w);

	if (ret == 0)
		ret = verdict_of(w->image, &consistent);
	if (ret == 0 && !consistent)
		ret = -EIO;
	return ret;
}

static int MUST_CHECK verify(struct work *w)
{
	int ret = image_refresh(w->image);

	if (ret == 0)
		ret = image_run(w->image, verify_guarded, w);
	/* The verdict has tried recovery on the image. */
	return ret == 0 ? image_refresh(w->image) : ret;
}

static enum apply_state take_back(const char *name, struct image *image)
{
	struct undo_done done;
	struct why why;

	why_keep(&why);
	if (image_refresh(image) < 0 || undo_take_back(name, image, &done) < 0)
		return APPLY_PARTLY;
	why_restore(&why);
	return APPLY_TAKEN_BACK;
}

static int MUST_CHECK run(struct work *w, const char *name, enum apply_state *state)
{
	int ret = prepare(w, state);

	if (ret < 0) {
		if (*state == APPLY_NOTHING)
			unlink(name);
		return ret;
	}
	*state = APPLY_PARTLY;
	ret = store_on_files(w, store_guarded);
	if (ret < 0)
		return ret;
	ret = verify(w);
	*state = ret < 0 ? take_back(name, w->image) : APPLY_DONE;
	return ret;
}

int apply_plan(const struct plan *plan, struct image *image, const char *file,
	       char **name, enum apply_state *state)
{
	struct plan_ranges ranges;
	struct work w = {plan, &ranges, image};
	int ret = plan_ranges(plan, &ranges);

	*state = APPLY_NOTHING;
	if (ret < 0)
		return ret;
	ret = backup_write(plan, image, file, name);
	if (ret == 0)
		ret = run(&w, *name, state);
	plan_ranges_free(&ranges);
	return ret;
}
