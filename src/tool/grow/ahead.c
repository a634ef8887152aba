/* SPDX-License-Identifier: BSD-3-Clause */
#include "grow/ahead.h"

#include <errno.h>
#include <string.h>

#include "errormsg.h"

uint64_t ahead_begin(const struct grow *g, const struct metadata_arena *a)
{
	return g->image_end > a->off ? g->image_end - a->off : 0;
}

bool ahead_has(const struct grow *g, const struct metadata_arena *a, uint64_t x,
	       const unsigned char page[BTT_PAGE])
{
	static const unsigned char zeros[BTT_PAGE];

	return x >= ahead_begin(g, a) && memcmp(page, zeros, sizeof(zeros)) != 0;
}

int ahead_allocate(struct grow *g, struct image *image)
{
	const struct metadata *m = &g->metadata;
	int ret = 0;

	for (unsigned i = 0; i < m->narena && ret == 0; i++) {
		const struct metadata_arena *a = &m->arena[i];
		uint64_t x = metadata_next(m, &image->storage, i, ahead_begin(g, a));

		while (x < a->geo.size && ret == 0) {
			uint64_t first = x;

			do
				x += BTT_PAGE;
			while (x < a->geo.size &&
			       metadata_next(m, &image->storage, i, x) == x);
			ret = image_allocate(image, a->off + first, x - first);
			x = metadata_next(m, &image->storage, i, x);
		}
	}
	return ret;
}

/* The number of bytes that are stored between two fences. */
#define CHUNK (UINT64_C(64) << 20)

struct progress_of_store {
	struct storage_step step;
	uint64_t done;
};

static int MUST_CHECK store_pages(struct grow *g, struct storage *s, unsigned arena,
				  uint64_t x, uint64_t end, struct progress_of_store *p)
{
	const struct metadata *m = &g->metadata;
	unsigned char page[BTT_PAGE];
	int ret = 0;

	for (; ret == 0 && (x = metadata_next(m, s, arena, x)) < end; x += BTT_PAGE) {
		metadata_make(m, s, arena, x, page);
		if (!ahead_has(g, &m->arena[arena], x, page))
			continue;
		storage_write(s, &p->step, m->arena[arena].off + x, page, sizeof(page));
		p->done += sizeof(page);
		if (p->done % CHUNK == 0)
			ret = storage_fence(s, &p->step);
		if (ret == 0 && g->watch && p->done % (CHUNK / 64) == 0 &&
		    !g->watch->go_on(g->watch->arg, p->done))
			ret = errormsg_fail(EINTR, "%s: interrupted", g->image->path);
	}
	return ret;
}

int ahead_store(struct grow *g, struct storage *s)
{
	const struct metadata *m = &g->metadata;
	struct progress_of_store p = {.step = STORAGE_STEP_INIT};
	int ret = 0;

	for (unsigned i = 0; i < m->narena && ret == 0; i++)
		ret = store_pages(g, s, i, ahead_begin(g, &m->arena[i]),
				  m->arena[i].geo.info_arena_off, &p);
	if (ret == 0)
		ret = storage_fence(s, &p.step);
	for (unsigned i = m->moves; i < m->narena && ret == 0; i++) {
		const struct btt_geometry *geo = &m->arena[i].geo;

		if (ahead_begin(g, &m->arena[i]) <= geo->info_arena_off)
			ret = store_pages(g, s, i, geo->info_arena_off, geo->size, &p);
	}
	if (ret == 0)
		ret = storage_fence(s, &p.step);
	if (ret == 0 && g->watch && !g->watch->go_on(g->watch->arg, p.done))
		ret = errormsg_fail(EINTR, "%s: interrupted", g->image->path);
	return ret;
}

int ahead_store_copy(struct grow *g, struct storage *s)
{
	const struct metadata_arena *a = &g->metadata.arena[0];
	struct storage_step step = STORAGE_STEP_INIT;

	if (!g->metadata.moves || ahead_begin(g, a) > a->geo.info_arena_off)
		return 0;
	storage_write(s, &step, a->off + a->geo.info_arena_off, &a->info,
		      sizeof(a->info));
	return storage_fence(s, &step);
}
