/* SPDX-License-Identifier: BSD-3-Clause */
#include "repair/undo.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "btt/info.h"
#include "btt/nonzero.h"
#include "errormsg.h"
#include "image/guard.h"
#include "pool/header.h"
#include "poolset/io.h"
#include "repair/backup.h"
#include "repair/undo_read.h"

#define WORD 4u

static int MUST_CHECK refuse(const struct undo *u, const char *what)
{
	return errormsg_fail(EINVAL, "%s: %s; nothing is put back", u->file, what);
}

static const unsigned char *value(const struct undo *u, const struct undo_range *r,
				  unsigned k)
{
	return u->data + r->data + (size_t)k * r->len;
}

/* --- examining --------------------------------------------------------------------------- */

/*
 * Finds the lengths for a backup of version 1, which has only the old one, rounded down to pages.
 * A repair may have appended one page.
 */
static int MUST_CHECK settle_length_1(struct undo *u, const struct image *image)
{
	uint64_t size = image->map.size;
	bool appended = false;

	if (size == u->length[0]) {
		u->length[0] = u->length[1] = image_length(image);
		return 0;
	}
	for (size_t i = 0; i < u->nrange; i++)
		appended = appended || (u->range[i].off == u->length[0] &&
					u->range[i].len == POOL_PAGE);
	if (size != u->length[0] + POOL_PAGE || !appended || image->set->npart != 1)
		return refuse(u, "the pool has another length than the repair left");
	u->length[1] = image_length(image);
	return 0;
}

/*
 * Whether the lengths are those of a repair that has extended the file: by one page, the last
 * range.
 */
static bool is_extension(const struct undo *u)
{
	uint64_t page = u->length[0] - u->length[0] % POOL_PAGE;
	const struct undo_range *last = u->nrange ? &u->range[u->nrange - 1] : NULL;

	return u->length[1] == page + POOL_PAGE && last && last->off == page &&
	       last->len == POOL_PAGE;
}

/* Whether the arena that a grow has changed fits into a file of the old length. */
static bool fits_old_length(const struct undo *u)
{
	for (size_t i = 0; i < u->nrange; i++) {
		const struct undo_range *r = &u->range[i];
		struct btt_info_media m;
		struct btt_info info;
		uint64_t end = u->length[0] - u->length[0] % POOL_PAGE;

		if (r->len != sizeof(m) || r->phase[1] != PLAN_INFO || r->off >= end)
			continue;
		memcpy(&m, value(u, r, 0), sizeof(m));
		if (btt_info_decode(&m, (const void *)u->uuid[0],
				    le32_to_cpu(m.external_lbasize), end - r->off,
				    &info) == BTT_INFO_VALID)
			return true;
	}
	return false;
}

static int MUST_CHECK check_length(struct undo *u, const struct image *image)
{
	uint64_t now = image_length(image);

	if (u->version == 1)
		return settle_length_1(u, image);
	if (u->version == 3 && !fits_old_length(u))
		return refuse(u, "the pool would be cut off");
	if (now < u->length[0] || now > u->length[1])
		return refuse(u, "the pool has another length than before and after the "
				 "repair");
	if (u->length[0] != u->length[1] &&
	    (image->set->npart != 1 || (u->version == 2 && !is_extension(u))))
		return refuse(u, "the backup is damaged: a length that no repair gives");
	return 0;
}

/*
 * Whether the pool has the backup's uuid. If the repair changes it, it may be a mixture of both.
 */
static bool is_same_pool(const struct undo *u, const struct image *image)
{
	const unsigned char *now = image->header->poolset_uuid.bytes;

	for (unsigned i = 0; i < UUID_SIZE; i += WORD)
		if (memcmp(now + i, u->uuid[0] + i, WORD) != 0 &&
		    memcmp(now + i, u->uuid[1] + i, WORD) != 0)
			return false;
	return true;
}

/*
 * Finds the old uuid for a backup of version 1, which names the new one only. If they differ, the
 * old one is in the header's range.
 */
static void settle_uuid_1(struct undo *u)
{
	const uint64_t at = offsetof(struct pool_header, poolset_uuid);

	if (u->nrange && u->range[0].off <= at &&
	    u->range[0].off + u->range[0].len >= at + UUID_SIZE)
		memcpy(u->uuid[0], value(u, &u->range[0], 0) + (at - u->range[0].off),
		       UUID_SIZE);
}

/* Checks a range in the page that the repair appends if the file does not have that page. */
static int MUST_CHECK check_absent(struct undo *u, struct undo_range *r,
				   const struct image *image)
{
	unsigned char page[POOL_PAGE] = {0};
	uint64_t tail = image_length(image) - image->map.size;
	int ret = poolset_io_read(image->set, 0, image->map.size, page, (size_t)tail);

	if (ret < 0)
		return ret;
	r->absent = true;
	if (r->off != image->map.size || r->len != POOL_PAGE ||
	    (u->version > 1 && memcmp(page, value(u, r, 0), (size_t)tail) != 0))
		return refuse(u, "the pool was changed after the repair");
	return 0;
}

static int MUST_CHECK check_range(struct undo *u, struct undo_range *r,
				  const struct image *image)
{
	const unsigned char *now;

	if (r->off >= image->map.size && image->set->npart == 1)
		return check_absent(u, r, image);
	if (r->len > image->map.size || r->off > image->map.size - r->len)
		return refuse(u, "an offset beyond the pool");
	now = storage_at(&image->storage, r->off);
	for (unsigned i = 0; i < r->len; i += WORD) {
		unsigned k = 0;

		while (k < r->nvalue && memcmp(now + i, value(u, r, k) + i, WORD) != 0)
			k++;
		if (k == r->nvalue)
			return refuse(u, "the pool was changed after the repair");
		if (k > 0 && r->phase[k] > u->reached)
			u->reached = r->phase[k];
	}
	return 0;
}

static int MUST_CHECK check_area(const struct undo *u, const struct plan_area *a,
				 struct storage *s, bool is_locked)
{
	uint64_t end = a->off + a->len;

	if (end > s->size)
		return refuse(u, "the pool is shorter than the grow left it");
	if (backup_sum_area(s, a->off, end) == a->sum)
		return 0;
	return refuse(u, is_locked
			     ? "the pool was used after it grew; pmemblk repair can "
			       "unlock it"
			     : "the pool was used after it grew");
}

/* Whether the pool is as the grow has left it, see rules 5 and 7 of repair/undo.h. */
static int MUST_CHECK examine_grown(struct undo *u, struct image *image, bool is_ours)
{
	bool may_be_used = u->reached >= PLAN_INFO && !is_ours;
	bool is_locked = pool_header_has(image->header->incompat, POOL_INCOMPAT_LOCKED);
	int ret = 0;

	for (size_t i = 0; may_be_used && i < u->narea && ret == 0; i++)
		ret = check_area(u, &u->area[i], &image->storage, is_locked);
	if (u->reached >= PLAN_GROW_LOCK)
		u->reached = PLAN_NPHASE - 1;
	return ret;
}

static int MUST_CHECK examine(struct undo *u, struct image *image, bool is_ours)
{
	int ret;

	u->reached = -1;
	if (u->version == 1)
		settle_uuid_1(u);
	if (!is_same_pool(u, image))
		return refuse(u, "the backup is another pool's");
	ret = check_length(u, image);
	for (size_t i = 0; i < u->nrange && ret == 0; i++)
		ret = check_range(u, &u->range[i], image);
	if (ret == 0 && u->version == 3)
		ret = examine_grown(u, image, is_ours);
	return ret;
}

struct load {
	struct undo *undo;
	struct image *image;
	/* the caller holds the pool since the changes: nobody has used it */
	bool is_ours;
};

static int examine_guarded(void *arg)
{
	struct load *l = arg;

	return examine(l->undo, l->image, l->is_ours);
}

static int MUST_CHECK load(const char *file, struct image *image, bool is_ours,
			   struct undo *undo)
{
	struct load l = {undo, image, is_ours};
	int ret = undo_read(file, image->map.size + POOL_PAGE, undo);

	if (ret < 0)
		return ret;
	return image_run(image, examine_guarded, &l);
}

int undo_load(const char *file, struct image *image, struct undo *undo)
{
	return load(file, image, false, undo);
}

void undo_free(struct undo *undo)
{
	free(undo->range);
	free(undo->area);
	free(undo->data);
}

/* --- storing ----------------------------------------------------------------------------- */

/* Stores the 8-byte words again that a range touches. */
static void renew(struct storage *s, struct storage_step *step,
		  const struct undo_range *r)
{
	uint64_t off = r->off & ~UINT64_C(7);
	uint64_t end = (r->off + r->len + 7) & ~UINT64_C(7);

	storage_renew(s, step, off, storage_at(s, off), (size_t)(end - off));
}

/* Clears the last page of each area behind the old length. One of them is the new copy. */
static int MUST_CHECK clear_copies(const struct undo *u, struct storage *s)
{
	static const unsigned char zeros[POOL_PAGE];
	struct storage_step step = STORAGE_STEP_INIT;

	for (size_t i = 0; i < u->narea; i++) {
		uint64_t end = u->area[i].off + u->area[i].len;
		uint64_t page = end - POOL_PAGE;

		if (page >= u->length[0] && end <= s->size &&
		    btt_nonzero_find(s, page, end) < end)
			storage_write(s, &step, page, zeros, sizeof(zeros));
	}
	return storage_fence(s, &step);
}

int undo_store(const struct undo *undo, struct storage *s)
{
	struct storage_step step = STORAGE_STEP_INIT;
	int ret;

	for (size_t i = 0; i < undo->nrange; i++)
		if (!undo->range[i].absent)
			renew(s, &step, &undo->range[i]);
	ret = storage_fence(s, &step);
	for (int phase = undo->reached; phase >= 0 && ret == 0; phase--) {
		if (phase == PLAN_GROW_LOCK && undo->narea)
			ret = clear_copies(undo, s);
		for (size_t i = 0; i < undo->nrange && ret == 0; i++) {
			const struct undo_range *r = &undo->range[i];

			for (unsigned k = 1; k < r->nvalue && !r->absent; k++)
				if (r->phase[k] == phase)
					storage_write(s, &step, r->off,
						      value(undo, r, k - 1), r->len);
		}
		if (ret == 0)
			ret = storage_fence(s, &step);
	}
	return ret;
}

struct work {
	const struct undo *undo;
	struct image *image;
};

static int store_guarded(void *arg)
{
	struct work *w = arg;

	return undo_store(w->undo, &w->image->storage);
}

static int compare(void *arg)
{
	const struct work *w = arg;

	for (size_t i = 0; i < w->undo->nrange; i++) {
		const struct undo_range *r = &w->undo->range[i];

		if (r->off >= w->image->map.size)
			continue; /* the page that was appended */
		if (memcmp(storage_at(&w->image->storage, r->off), value(w->undo, r, 0),
			   r->len) != 0)
			return errormsg_fail(EIO,
					     "%s: at offset %llu stands something else "
					     "than what was put back",
					     w->image->path, ULL(r->off));
	}
	return 0;
}

static int MUST_CHECK put_back(const struct undo *u, struct image *image)
{
	struct image shared;
	struct work w = {u, &shared};
	int ret = 0;

	for (size_t i = 0; i < u->nrange && ret == 0; i++)
		if (!u->range[i].absent)
			ret = image_allocate(image, u->range[i].off, u->range[i].len);
	if (ret == 0)
		ret = image_map_shared(image, &shared);
	if (ret < 0)
		return ret;
	ret = guard_run(image->path, &shared.map, store_guarded, &w);
	image_unmap_shared(&shared);
	if (ret == 0 && image_length(image) != u->length[0])
		ret = image_set_length(image, u->length[0]);
	if (ret == 0)
		ret = image_refresh(image);
	w.image = image;
	if (ret == 0)
		ret = image_run(image, compare, &w);
	return ret;
}

static int MUST_CHECK take_back(const char *file, struct image *image, bool is_ours,
				struct undo_done *done)
{
	struct undo u;
	int ret = load(file, image, is_ours, &u);

	if (ret == 0)
		ret = put_back(&u, image);
	*done = (struct undo_done){.nrange = u.nrange, .is_grow = u.version == 3};
	undo_free(&u);
	return ret;
}

int undo_repair(const char *file, struct image *image, struct undo_done *done)
{
	return take_back(file, image, false, done);
}

int undo_take_back(const char *file, struct image *image, struct undo_done *done)
{
	return take_back(file, image, true, done);
}
