/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shows header, descriptor and arenas as they are in the files. It also works on damaged pools:
 * the output names the damage, and the command ends with status 1.
 */
#include "commands/tool.h"

#include "commands/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "btt/find.h"
#include "btt/map.h"
#include "btt/map_walk.h"
#include "errormsg.h"
#include "image/facts.h"
#include "image/image.h"
#include "image/picture.h"
#include "image/why.h"
#include "pool/header.h"
#include "repair/header.h"
#include "repair/verdict.h"

/* The first three groups are stored as little-endian numbers. */
static void show_uuid(struct facts *f, const char *name, const struct uuid *uuid)
{
	static const unsigned char order[UUID_SIZE] = {3, 2, 1,	 0,  5,	 4,  7,	 6,
						       8, 9, 10, 11, 12, 13, 14, 15};
	char text[2 * UUID_SIZE + 5];
	size_t n = 0;

	for (size_t i = 0; i < UUID_SIZE; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[n++] = '-';
		snprintf(text + n, 3, "%02x", uuid->bytes[order[i]]);
		n += 2;
	}
	facts_text(f, name, text);
}

static void show_features(struct facts *f, const struct pool_header *h)
{
	uint32_t incompat = le32_to_cpu(h->incompat);

	facts_begin_named(f, "features");
	facts_number(f, "compat", le32_to_cpu(h->compat));
	facts_number(f, "incompat", incompat);
	facts_number(f, "ro_compat", le32_to_cpu(h->ro_compat));
	facts_bool(f, "check_bad_blocks",
		   pool_header_has(h->compat, POOL_COMPAT_CHECK_BAD_BLOCKS));
	facts_bool(f, "single_header", incompat & POOL_INCOMPAT_SINGLEHDR);
	facts_bool(f, "checksum_2k", incompat & POOL_INCOMPAT_CKSUM_2K);
	facts_bool(f, "shutdown_state", incompat & POOL_INCOMPAT_SDS);
	facts_end_group(f);
}

static void show_parts(struct facts *f, const struct poolset *set)
{
	facts_begin_list(f, "parts");
	for (unsigned i = 0; i < set->npart; i++) {
		char title[32];

		snprintf(title, sizeof(title), "part %u", i);
		facts_begin_group(f, title);
		facts_text(f, "path", set->part[i].path);
		facts_number(f, "length", set->part[i].length);
		facts_end_group(f);
	}
	facts_end_list(f);
}

/* Seconds since 1970 for programs; for people a date, or the number if it is not a valid date. */
static void show_time(struct facts *f, const char *name, uint64_t seconds)
{
	time_t t = (time_t)seconds;
	char text[64];
	struct tm tm;

	if (!f->json && t >= 0 && (uint64_t)t == seconds && localtime_r(&t, &tm) &&
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &tm) != 0)
		facts_text(f, name, text);
	else
		facts_number(f, name, seconds);
}

static void show_header(struct facts *f, const struct image *image)
{
	const struct pool_header *h = image->header;

	show_uuid(f, "uuid", &h->poolset_uuid);
	show_time(f, "created", le64_to_cpu(h->crtime));
	facts_number(f, "machine", le16_to_cpu(h->arch.machine));
	show_features(f, h);
	facts_bool(f, "open_or_interrupted", h->sds.dirty != 0);
	facts_number(f, "unsafe_shutdowns", le64_to_cpu(h->sds.usc));
}

/* The number of an arena's blocks in each state, by the two bits of their map entries. */
struct counts {
	uint64_t n[4];
};

/* Results of reading the mapped files, where an access may fail. */
struct look {
	struct image *image;
	struct btt_found found;
	struct counts *counts; /* of each arena */
};

static int find_guarded(void *arg)
{
	struct look *l = arg;

	return btt_find_layout(&l->image->storage, &l->image->params, &l->found);
}

static void count_arena(struct storage *s, const struct btt_found_arena *arena,
			struct counts *c)
{
	uint64_t map_off = arena->off + arena->info.geo.map_arena_off;
	struct btt_map_walk walk =
	    btt_map_walk_begin(s, map_off, arena->info.geo.external_nlba);
	struct btt_map_run run;

	while (btt_map_walk_next(&walk, &run)) {
		if (run.zeros) {
			c->n[BTT_MAP_INITIAL >> 30] += run.end - run.first;
			continue;
		}
		for (uint32_t i = run.first; i < run.end; i++)
			c->n[storage_load32(s, map_off + (uint64_t)i * BTT_MAP_ENTRY_SIZE,
					    memory_order_relaxed) >>
			     30]++;
	}
}

static int count_guarded(void *arg)
{
	struct look *l = arg;

	for (unsigned i = 0; i < l->found.narena; i++)
		count_arena(&l->image->storage, &l->found.arena[i], &l->counts[i]);
	return 0;
}

static int count_states(struct look *l)
{
	int ret;

	l->counts = calloc(l->found.narena ? l->found.narena : 1, sizeof(*l->counts));
	if (!l->counts)
		return errormsg_fail(ENOMEM, "out of memory for %s", l->image->path);
	ret = image_run(l->image, count_guarded, l);
	if (ret < 0) {
		free(l->counts);
		l->counts = NULL;
	}
	return ret;
}

static void show_counts(struct facts *f, const struct counts *c)
{
	facts_begin_named(f, "blocks");
	facts_number(f, "never_written", c->n[BTT_MAP_INITIAL >> 30]);
	facts_number(f, "zero", c->n[BTT_MAP_ZERO >> 30]);
	facts_number(f, "error", c->n[BTT_MAP_ERROR >> 30]);
	facts_number(f, "data", c->n[BTT_MAP_NORMAL >> 30]);
	facts_end_group(f);
}

static void show_arena(struct facts *f, const struct btt_found_arena *arena,
		       unsigned number, const struct counts *counts)
{
	const struct btt_geometry *geo = &arena->info.geo;
	char title[32];

	snprintf(title, sizeof(title), "arena %u", number);
	facts_begin_group(f, title);
	facts_number(f, "offset", arena->off);
	facts_number(f, "size", geo->size);
	show_uuid(f, "uuid", &arena->info.uuid);
	facts_bool(f, "info_valid", arena->primary_valid);
	facts_bool(f, "info_copy_valid", arena->copy_valid);
	facts_bool(f, "error_flag", arena->info.error);
	facts_number(f, "external_lbasize", geo->external_lbasize);
	facts_number(f, "external_nlba", geo->external_nlba);
	facts_number(f, "internal_lbasize", geo->internal_lbasize);
	facts_number(f, "internal_nlba", geo->internal_nlba);
	facts_number(f, "data_offset", geo->data_arena_off);
	facts_number(f, "map_offset", geo->map_arena_off);
	facts_number(f, "flog_offset", geo->flog_arena_off);
	facts_number(f, "info_copy_offset", geo->info_arena_off);
	if (counts)
		show_counts(f, counts);
	facts_end_group(f);
}

/* The number of blocks; 0 if it is not known. */
static uint64_t count_blocks(const struct image *image, const struct btt_found *found)
{
	uint64_t n = 0;

	if (found->layout == BTT_LAYOUT_VALID)
		for (unsigned i = 0; i < found->narena; i++)
			n += found->arena[i].info.geo.external_nlba;
	else if (btt_geometry_count(image->params.data_size, image->params.bsize, &n))
		return 0;
	return n;
}

static bool is_whole(const struct btt_found *found)
{
	for (unsigned i = 0; i < found->narena; i++)
		if (!found->arena[i].primary_valid || !found->arena[i].copy_valid)
			return false;
	return found->layout != BTT_LAYOUT_LOST;
}

static void show_files(struct facts *f, const struct image *image)
{
	facts_text(f, "kind", image->set->is_file ? "pool set" : "file");
	show_parts(f, image->set);
	facts_number(f, "size", image->map.size);
}

static void show_table(struct facts *f, const struct look *l, bool stats)
{
	const struct image *image = l->image;
	const struct btt_found *found = &l->found;
	static const char *const layouts[] = {"none yet", "written", "damaged"};

	facts_number(f, "block_size", image->params.bsize);
	facts_number(f, "blocks", count_blocks(image, found));
	facts_bool(f, "made_of_zeros", image->is_zeroed != 0);
	show_header(f, image);
	facts_text(f, "layout", layouts[found->layout]);
	if (stats && !f->json && found->layout == BTT_LAYOUT_NONE)
		facts_text(f, "statistics", "no block was written yet");
	facts_begin_list(f, "arenas");
	for (unsigned i = 0; i < found->narena; i++)
		show_arena(f, &found->arena[i], i, l->counts ? &l->counts[i] : NULL);
	facts_end_list(f);
}

/* Shows the error that keeps info from showing more. For programs it is one of the facts. */
static void show_error(struct facts *f, const char *text)
{
	if (f->json)
		facts_text(f, "error", text);
	tool_complain("%s", text);
}

struct judge {
	struct image *image;
	bool is_damaged;
};

static int judge_guarded(void *arg)
{
	struct judge *j = arg;
	struct plan plan;
	int ret;

	plan_init(&plan, 0);
	ret = header_repair(j->image, &plan);
	plan_free(&plan);
	j->is_damaged = ret != -EINVAL;
	return j->is_damaged ? ret : 0;
}

/*
 * Tells a damaged header from that of a file which is no pool, or not one for this library, as
 * check and repair do. The image is of no more use then.
 */
static enum tool_status judge_header(struct image *image)
{
	struct judge j = {.image = image};

	return image_run(image, judge_guarded, &j) == 0 && j.is_damaged ? TOOL_DAMAGED
									: TOOL_FAILED;
}

static enum tool_status show_image(struct facts *f, struct image *image, bool stats)
{
	enum tool_status status = TOOL_OK;
	struct look look = {.image = image};
	int ret = image_check_headers(image);

	show_files(f, image);
	if (ret < 0) {
		show_error(f, errormsg_get());
		return judge_header(image);
	}
	if (image_run(image, find_guarded, &look) < 0) {
		show_error(f, errormsg_get());
		return TOOL_FAILED;
	}
	if (look.found.layout == BTT_LAYOUT_LOST)
		show_error(f, errormsg_get());
	if (!is_whole(&look.found) || image->params.bsize == 0)
		status = TOOL_DAMAGED;
	if (stats && count_states(&look) < 0) {
		/* There is only one member "error". */
		if (look.found.layout == BTT_LAYOUT_LOST)
			tool_complain("%s", errormsg_get());
		else
			show_error(f, errormsg_get());
		status = TOOL_FAILED;
	}
	show_table(f, &look, stats);
	free(look.counts);
	btt_find_free(&look.found);
	return status;
}

/* The text of the picture about damage: that of check. */
static int find_problem(struct image *image, char *problem, size_t size)
{
	bool is_consistent;
	int ret = verdict_of(image, &is_consistent);

	if (ret == 0 && !is_consistent)
		snprintf(problem, size, "%s", errormsg_get());
	return ret;
}

struct drawing {
	FILE *out;
	struct image *image;
};

static int draw_guarded(void *arg)
{
	const struct drawing *d = arg;
	struct image *image = d->image;
	char problem[ERRORMSG_MAX] = "";
	struct btt_found found;
	int ret = btt_find_layout(&image->storage, &image->params, &found);

	if (ret == 0)
		ret = find_problem(image, problem, sizeof(problem));
	if (ret == 0)
		ret = picture_draw(d->out, image, &found, problem);
	btt_find_free(&found);
	return ret;
}

static int draw(FILE *out, struct image *image)
{
	struct drawing drawing = {.out = out, .image = image};

	return image_run(image, draw_guarded, &drawing);
}

static enum tool_status save_picture(const char *path, struct image *image,
				     struct output *out, bool force)
{
	enum tool_status status = TOOL_FAILED;
	struct own_files source;
	char *text = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&text, &size);
	int ret = memory ? draw(memory, image) : -ENOMEM;

	if (memory && fclose(memory) != 0)
		ret = -ENOMEM;
	if (ret < 0) {
		tool_complain("%s", ret == -ENOMEM ? "out of memory for the picture"
						   : errormsg_get());
		free(text);
		return TOOL_FAILED;
	}
	if (own_files_init(&source, path, image->set)) {
		if (output_open(out, force, &source) && output_put(out, text, size))
			status = TOOL_OK;
		own_files_fini(&source);
	}
	free(text);
	return status;
}

/* What is no pool has no areas to draw. */
static int MUST_CHECK check_drawable(struct image *image)
{
	struct why why;
	int ret = image_check_headers(image);

	if (ret == 0)
		return 0;
	why_keep(&why);
	if (judge_header(image) == TOOL_DAMAGED)
		return image_refresh(image);
	why_restore(&why);
	return -EINVAL;
}

static enum tool_status draw_pool(const char *path, struct output *out, bool force)
{
	enum tool_status status;
	struct image image;

	if (image_open(path, POOLSET_READ, &image) < 0)
		return tool_failed();
	if (check_drawable(&image) < 0)
		status = tool_failed();
	else
		status = save_picture(path, &image, out, force);
	image_close(&image);
	return status;
}

/* Draws the pool at path, also a damaged one. */
static enum tool_status draw_map(const char *path, const char *file, bool force)
{
	enum tool_status status;
	struct output out;

	if (!output_begin(&out, file))
		return TOOL_FAILED;
	status = draw_pool(path, &out, force);
	return output_finish(&out, status == TOOL_OK) ? TOOL_OK : TOOL_FAILED;
}

/* Prints one JSON object, or lines, also if there is an error. */
static enum tool_status show(const char *path, bool json, bool stats)
{
	enum tool_status status = TOOL_FAILED;
	struct image image;
	struct facts f;
	int ret = image_open(path, POOLSET_READ, &image);

	facts_begin(&f, json);
	if (json || ret == 0)
		facts_text(&f, "path", path);
	if (ret == 0) {
		status = show_image(&f, &image, stats);
		image_close(&image);
	} else {
		show_error(&f, errormsg_get());
	}
	facts_end(&f);
	return status;
}

enum tool_status cmd_info(const struct tool_command *self, int argc, char **argv)
{
	enum tool_status status;
	bool json = false;
	bool stats = false;
	bool force = false;
	const char *map = NULL;
	const char *path;
	const struct tool_option options[] = {
	    {'j', "json", NULL, "for programs", TOOL_FLAG, &json, 0, 0},
	    {'s', "stats", NULL, "count the blocks in each state (reads the whole map)",
	     TOOL_FLAG, &stats, 0, 0},
	    {'m', "map", "FILE",
	     "draw the pool and its blocks as SVG; - is the standard output", TOOL_TEXT,
	     &map, 0, 0},
	    {'f', "force", NULL, "overwrite FILE", TOOL_FLAG, &force, 0, 0},
	    {0},
	};
	const struct tool_operand operands[] = {{"PATH", &path}, {0}};

	if (!tool_read_arguments(self, argc, argv, options, operands, &status))
		return status;
	if (map && (json || stats))
		return tool_usage_error(self, "--map goes with --force only");
	return map ? draw_map(path, map, force) : show(path, json, stats);
}
