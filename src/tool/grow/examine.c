/* SPDX-License-Identifier: BSD-3-Clause */
/* Decides whether a pool can grow to a length, and computes the arenas that it has then. */
#include "grow/examine.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/fletcher64.h"
#include "base/pool_format.h"
#include "errormsg.h"
#include "image/why.h"
#include "mapping.h"
#include "repair/repair.h"
#include "repair/verdict.h"

static uint64_t data_size(uint64_t length)
{
	return length - length % POOL_PAGE - POOL_DATA_OFF;
}

static int MUST_CHECK refuse_kind(const struct image *image)
{
	if (image->set->is_file)
		return errormsg_fail(
		    EOPNOTSUPP,
		    "%s is a pool set, which cannot grow; make a larger one, and copy "
		    "the "
		    "blocks into it with pmemblk export and pmemblk import",
		    image->path);
	if (image->header->ro_compat.raw)
		return errormsg_fail(EOPNOTSUPP,
				     "%s has features that are not known here (ro_compat "
				     "%#x); it can only be read",
				     image->path, le32_to_cpu(image->header->ro_compat));
	return 0;
}

/*
 * A pool is mapped as a whole. One that does not fit the address space could not be opened, and to
 * plan its arenas could take all memory.
 */
static int MUST_CHECK refuse_unmappable(const struct grow *g)
{
	struct why why;
	void *addr;
	int ret = mapping_reserve(g->length, 0, &addr);

	if (ret < 0) {
		why_keep(&why);
		errormsg_set("%s could not be opened with %llu bytes: %s", g->image->path,
			     ULL(g->length), why.text);
		return ret;
	}
	mapping_release(addr, g->length, 0);
	return 0;
}

static int MUST_CHECK refuse_length(const struct grow *g)
{
	uint64_t now = image_length(g->image);

	if (g->length < now)
		return errormsg_fail(EINVAL,
				     "%s is %llu bytes long, and a pool does not shrink: "
				     "%llu is less",
				     g->image->path, ULL(now), ULL(g->length));
	if (g->nblock <= g->nblock_before)
		return errormsg_fail(
		    EINVAL, "%s has %llu blocks already, and no more fit %llu bytes",
		    g->image->path, ULL(g->nblock_before), ULL(g->length));
	return refuse_unmappable(g);
}

static int MUST_CHECK count_blocks(struct grow *g)
{
	const struct btt_params *p = &g->image->params;
	int ret = 0;

	if (g->found.layout == BTT_LAYOUT_NONE)
		ret = btt_geometry_count(p->data_size, p->bsize, &g->nblock_before);
	for (unsigned i = 0; i < g->found.narena; i++)
		g->nblock_before += g->found.arena[i].info.geo.external_nlba;
	if (ret == 0 && g->length >= image_length(g->image))
		ret = btt_geometry_count(data_size(g->length), p->bsize, &g->nblock);
	if (ret < 0)
		return errormsg_fail(EINVAL,
				     "%s: with %llu bytes its last arena would be too "
				     "small for blocks of %u bytes",
				     g->image->path, ULL(g->length), p->bsize);
	return 0;
}

static void set_numbers(struct btt_info_media *m, const struct btt_geometry *geo,
			bool has_next)
{
	m->external_nlba = cpu_to_le32(geo->external_nlba);
	m->internal_nlba = cpu_to_le32(geo->internal_nlba);
	m->nextoff = cpu_to_le64(has_next ? geo->size : 0);
	m->mapoff = cpu_to_le64(geo->map_arena_off);
	m->flogoff = cpu_to_le64(geo->flog_arena_off);
	m->infooff = cpu_to_le64(geo->info_arena_off);
	m->checksum = cpu_to_le64(
	    fletcher64(m, sizeof(*m), offsetof(struct btt_info_media, checksum), 0));
}

static int MUST_CHECK add_arena(struct grow *g, uint64_t off, uint64_t size)
{
	struct metadata *m = &g->metadata;
	struct metadata_arena *grown =
	    reallocarray(m->arena, m->narena + 1, sizeof(*grown));

	if (!grown)
		return errormsg_fail(ENOMEM, "out of memory for the list of arenas");
	m->arena = grown;
	grown += m->narena++;
	*grown = (struct metadata_arena){.off = off};
	/* does not fail: btt_geometry_count() has accepted the size */
	return btt_geometry_arena(size, g->image->params.bsize, &grown->geo);
}

/* Places the arena that is now the last one, and all new arenas behind it. */
static int MUST_CHECK place_arenas(struct grow *g)
{
	const struct btt_found_arena *last = &g->found.arena[g->found.narena - 1];
	uint64_t total = data_size(g->length);
	uint64_t start = last->off - POOL_DATA_OFF;
	uint64_t size = btt_geometry_arena_size(total, start);
	struct btt_info info = {.uuid = last->info.uuid};
	struct btt_geometry geo;
	int ret = btt_geometry_arena(size, g->image->params.bsize, &geo);

	g->metadata.old = last->info.geo;
	g->metadata.moves = size != last->info.geo.size;
	if (ret == 0 && g->metadata.moves)
		ret = add_arena(g, last->off, size);
	if (ret == 0)
		metadata_load_slots(&g->metadata, &g->image->storage);
	memcpy(&g->last, storage_at(&g->image->storage, last->off), sizeof(g->last));
	start += size;
	set_numbers(&g->last, &geo, btt_geometry_arena_size(total, start) != 0);
	if (ret == 0 && g->metadata.moves)
		g->metadata.arena[0].info = g->last;
	while (ret == 0 && (size = btt_geometry_arena_size(total, start)) != 0) {
		ret = add_arena(g, POOL_DATA_OFF + start, size);
		if (ret < 0)
			break;
		start += size;
		info.geo = g->metadata.arena[g->metadata.narena - 1].geo;
		info.has_next = btt_geometry_arena_size(total, start) != 0;
		btt_info_encode(&info, &g->image->params.parent,
				&g->metadata.arena[g->metadata.narena - 1].info);
	}
	return ret;
}

/* Judges an inconsistent pool. It is refused if repair refuses it; otherwise it is damaged. */
static int MUST_CHECK judge_damage(struct grow *g, enum grow_verdict *verdict)
{
	enum repair_verdict repair = REPAIR_HOPELESS;
	struct why why;
	struct plan plan;
	int ret;

	why_keep(&why);
	plan_init(&plan, 0);
	ret = image_refresh(g->image);
	if (ret == 0)
		ret = repair_plan(g->image, &plan, &repair);
	plan_free(&plan);
	if (ret < 0)
		return ret;
	*verdict = repair == REPAIR_REFUSED ? GROW_REFUSED : GROW_DAMAGED;
	why_restore(&why);
	return 0;
}

static int MUST_CHECK judge(struct grow *g, enum grow_verdict *verdict)
{
	bool consistent;
	int ret = verdict_of(g->image, &consistent);

	if (ret < 0)
		return ret;
	if (!consistent)
		return judge_damage(g, verdict);
	ret = image_refresh(g->image);
	if (ret == 0)
		ret = btt_find_layout(&g->image->storage, &g->image->params, &g->found);
	if (ret < 0)
		return ret;
	*verdict = GROW_REFUSED;
	g->is_laid_out = g->found.layout == BTT_LAYOUT_VALID;
	if (refuse_kind(g->image) < 0 || count_blocks(g) < 0 || refuse_length(g) < 0)
		return 0;
	*verdict = GROW_POSSIBLE;
	return g->is_laid_out ? place_arenas(g) : 0;
}

struct judging {
	struct grow *grow;
	enum grow_verdict *verdict;
};

static int judge_guarded(void *arg)
{
	struct judging *j = arg;

	return judge(j->grow, j->verdict);
}

int examine_length(struct image *image, uint64_t length, struct grow *g,
		   enum grow_verdict *verdict)
{
	struct judging j = {g, verdict};

	*g = (struct grow){.image = image, .length = length};
	*verdict = GROW_REFUSED;
	/* a set is refused even if it is damaged */
	if (image->set->is_file)
		return refuse_kind(image) < 0 ? 0 : -EOPNOTSUPP;
	return image_run(image, judge_guarded, &j);
}

void examine_free(struct grow *g)
{
	btt_find_free(&g->found);
	free(g->metadata.arena);
	g->metadata.arena = NULL;
}
