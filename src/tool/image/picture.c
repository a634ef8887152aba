/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The picture has from top to bottom: title and problem; the pool image as one strip, to scale;
 * for each arena a row of its areas, not to scale, with their offsets, and a map of its blocks;
 * the legend.
 *
 * It uses presentation attributes only, no style sheet, because viewers in terminals support
 * little more.
 */
#include "image/picture.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "btt/map.h"
#include "btt/map_walk.h"
#include "errormsg.h"
#include "printable.h"

#define WIDTH 960.0
#define MARGIN 24.0
#define INNER (WIDTH - 2 * MARGIN)
#define COLUMNS 114u
#define MAX_ROWS 40u /* rows of cells of all arenas together */
#define CELL 8.0
#define MAX_ARENAS 6u /* later arenas are only counted */

enum state { STATE_NEVER, STATE_ZERO, STATE_DATA, STATE_BAD, NSTATE };

static const struct {
	const char *name;
	const char *colour;
} states[NSTATE] = {
    [STATE_NEVER] = {"never written", "#e4e7eb"},
    [STATE_ZERO] = {"zero", "#9fc5e8"},
    [STATE_DATA] = {"data", "#2f6f9f"},
    [STATE_BAD] = {"marked as bad", "#c0392b"},
};

#define HEADER_COLOUR "#7d5ba6"
#define INFO_COLOUR "#e0a030"
#define DATA_COLOUR "#2f6f9f"
#define MAP_COLOUR "#4f9d69"
#define FLOG_COLOUR "#d1495b"
#define DAMAGE_COLOUR "#c0392b"

struct canvas {
	FILE *out;
	const struct image *image;
	double y; /* where the next thing goes */
};

/* One cell of the map: how many of its blocks are in which state. */
struct cell {
	uint32_t n[NSTATE];
};

/* --- pieces of SVG ----------------------------------------------------------------------- */

/* XML has no control characters and no bytes that are not UTF-8: they are shown as \xHH. */
static void put_escaped(FILE *out, const char *text)
{
	char shown[4096];

	snprintf(shown, sizeof(shown), "%s", text);
	printable_make(shown, sizeof(shown));
	for (const char *p = shown; *p; p++) {
		switch (*p) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc(*p, out);
		}
	}
}

static void text(struct canvas *c, double x, double y, double size, const char *colour,
		 const char *what)
{
	fprintf(c->out, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.1f\" fill=\"%s\">", x,
		y, size, colour);
	put_escaped(c->out, what);
	fputs("</text>\n", c->out);
}

static void box(struct canvas *c, double x, double y, double w, double h,
		const char *colour)
{
	fprintf(
	    c->out,
	    "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"/>\n",
	    x, y, w, h, colour);
}

static void frame(struct canvas *c, double x, double y, double w, double h,
		  const char *colour)
{
	fprintf(
	    c->out,
	    "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"none\" "
	    "stroke=\"%s\" stroke-width=\"2\"/>\n",
	    x, y, w, h, colour);
}

static void print_size(char *buf, size_t size, uint64_t bytes)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double value = (double)bytes;
	unsigned u = 0;

	while (value >= 1024 && u + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		u++;
	}
	snprintf(buf, size, "%.*f %s", u == 0 || value >= 100 ? 0 : 1, value, units[u]);
}

/* --- the whole pool, to scale -------------------------------------------------------------- */

/* Draws an area of the image, at least one pixel wide. */
static void strip_part(struct canvas *c, uint64_t off, uint64_t size, const char *colour)
{
	double scale = INNER / (double)c->image->map.size;
	double w = (double)size * scale;

	box(c, MARGIN + (double)off * scale, c->y, w < 1 ? 1 : w, 26, colour);
}

static void draw_strip(struct canvas *c, const struct btt_found *found)
{
	char size[32];
	char line[96];

	print_size(size, sizeof(size), c->image->map.size);
	snprintf(line, sizeof(line), "The pool, %s, to scale", size);
	text(c, MARGIN, c->y + 11, 12, "#333333", line);
	c->y += 18;
	box(c, MARGIN, c->y, INNER, 26, "#f3f4f6");
	for (unsigned i = 0; i < found->narena; i++) {
		const struct btt_found_arena *a = &found->arena[i];
		const struct btt_geometry *g = &a->info.geo;

		strip_part(c, a->off + g->data_arena_off,
			   (uint64_t)g->internal_nlba * g->internal_lbasize, DATA_COLOUR);
		strip_part(c, a->off + g->map_arena_off, g->map_size, MAP_COLOUR);
		strip_part(c, a->off + g->flog_arena_off, g->flog_size, FLOG_COLOUR);
		strip_part(c, a->off, BTT_INFO_SIZE, INFO_COLOUR);
		strip_part(c, a->off + g->info_arena_off, BTT_INFO_SIZE, INFO_COLOUR);
	}
	strip_part(c, 0, c->image->params.data_off, HEADER_COLOUR);
	c->y += 40;
}

/* --- an arena ------------------------------------------------------------------------------ */

struct area {
	const char *name;
	const char *colour;
	uint64_t off;
	uint64_t size;
	double width;
	bool is_damaged;
};

static void draw_area(struct canvas *c, double x, const struct area *a)
{
	char size[32];
	char line[64];

	box(c, x, c->y, a->width - 3, 34, a->colour);
	if (a->is_damaged)
		frame(c, x - 1, c->y - 1, a->width - 1, 36, DAMAGE_COLOUR);
	text(c, x + 5, c->y + 15, 12, "#ffffff", a->name);
	print_size(size, sizeof(size), a->size);
	text(c, x + 5, c->y + 29, 10, "#ffffff", size);
	snprintf(line, sizeof(line), "%#llx", ULL(a->off));
	text(c, x, c->y + 46, 9.5, "#555555", line);
	if (a->is_damaged)
		text(c, x, c->y + 58, 10, DAMAGE_COLOUR, "damaged");
}

static void draw_areas(struct canvas *c, const struct btt_found_arena *a)
{
	const struct btt_geometry *g = &a->info.geo;
	const struct area areas[] = {
	    {"info", INFO_COLOUR, a->off, BTT_INFO_SIZE, 92, !a->primary_valid},
	    {"data", DATA_COLOUR, a->off + g->data_arena_off,
	     (uint64_t)g->internal_nlba * g->internal_lbasize, 440, false},
	    {"map", MAP_COLOUR, a->off + g->map_arena_off, g->map_size, 170, false},
	    {"flog", FLOG_COLOUR, a->off + g->flog_arena_off, g->flog_size, 110, false},
	    {"info's copy", INFO_COLOUR, a->off + g->info_arena_off, BTT_INFO_SIZE, 100,
	     !a->copy_valid},
	};
	double x = MARGIN;

	for (size_t i = 0; i < sizeof(areas) / sizeof(areas[0]); i++) {
		draw_area(c, x, &areas[i]);
		x += areas[i].width;
	}
	c->y += 68;
}

static enum state state_of(uint32_t entry)
{
	if (btt_map_is_initial(entry))
		return STATE_NEVER;
	if (btt_map_is_error(entry))
		return STATE_BAD;
	return btt_map_is_zero(entry) ? STATE_ZERO : STATE_DATA;
}

/* Counts the initial entries [i, end) into cells of `each` blocks. */
static void count_zeros(uint32_t i, uint32_t end, uint32_t each, struct cell *cells)
{
	while (i < end) {
		uint32_t stop = (i / each + 1) * each;
		uint32_t run = (stop < end ? stop : end) - i;

		cells[i / each].n[STATE_NEVER] += run;
		i += run;
	}
}

/* Counts the entries of an arena into cells of `each` blocks. */
static void count_cells(const struct image *image, const struct btt_found_arena *a,
			uint32_t each, struct cell *cells, uint64_t total[NSTATE])
{
	struct storage *s = (struct storage *)(uintptr_t)&image->storage;
	uint64_t map = a->off + a->info.geo.map_arena_off;
	struct btt_map_walk walk = btt_map_walk_begin(s, map, a->info.geo.external_nlba);
	struct btt_map_run run;

	while (btt_map_walk_next(&walk, &run)) {
		if (run.zeros) {
			count_zeros(run.first, run.end, each, cells);
			total[STATE_NEVER] += run.end - run.first;
			continue;
		}
		for (uint32_t i = run.first; i < run.end; i++) {
			enum state st = state_of(
			    storage_load32(s, map + (uint64_t)i * BTT_MAP_ENTRY_SIZE,
					   memory_order_relaxed));

			cells[i / each].n[st]++;
			total[st]++;
		}
	}
}

/* The state whose colour a cell gets. A single bad block decides, so that it is seen. */
static enum state shown(const struct cell *cell)
{
	enum state most = STATE_NEVER;

	if (cell->n[STATE_BAD])
		return STATE_BAD;
	for (int i = 1; i < NSTATE; i++)
		if (cell->n[i] > cell->n[most])
			most = (enum state)i;
	return most;
}

/* The share of the cell's blocks in this state, in eighths from 3 to 8. */
static unsigned strength(const struct cell *cell, enum state st)
{
	uint64_t all = 0;

	for (int i = 0; i < NSTATE; i++)
		all += cell->n[i];
	if (st == STATE_BAD || st == STATE_NEVER || all == 0)
		return 8;
	return 3 + (unsigned)(5 * (uint64_t)cell->n[st] / all);
}

static void draw_cells(struct canvas *c, const struct cell *cells, size_t ncell)
{
	for (size_t i = 0; i < ncell;) {
		enum state st = shown(&cells[i]);
		unsigned full = strength(&cells[i], st);
		size_t k = i + 1;

		while (k < ncell && k % COLUMNS != 0 && shown(&cells[k]) == st &&
		       strength(&cells[k], st) == full)
			k++;
		fprintf(c->out,
			"<rect x=\"%.0f\" y=\"%.0f\" width=\"%.0f\" height=\"%.0f\" "
			"fill=\"%s\"",
			MARGIN + (double)(i % COLUMNS) * CELL,
			c->y + (double)(unsigned)(i / COLUMNS) * CELL,
			(double)(k - i) * CELL - 1, CELL - 1, states[st].colour);
		if (full < 8)
			fprintf(c->out, " fill-opacity=\"%.3f\"", full / 8.0);
		fputs("/>\n", c->out);
		i = k;
	}
	c->y += (double)(unsigned)((ncell + COLUMNS - 1) / COLUMNS) * CELL + 10;
}

static int draw_blocks(struct canvas *c, const struct btt_found_arena *a, uint32_t each,
		       uint64_t total[NSTATE])
{
	uint32_t n = a->info.geo.external_nlba;
	size_t ncell = (n + each - 1) / each;
	struct cell *cells = alloc_zeroed(ncell * sizeof(*cells));
	char line[96];

	if (!cells)
		return errormsg_fail(ENOMEM, "out of memory for the picture of %s",
				     c->image->path);
	count_cells(c->image, a, each, cells, total);
	snprintf(line, sizeof(line), "%u blocks of %u bytes, %u in each square", n,
		 a->info.geo.external_lbasize, each);
	if (each == 1)
		snprintf(line, sizeof(line), "%u blocks of %u bytes", n,
			 a->info.geo.external_lbasize);
	text(c, MARGIN, c->y + 10, 12, "#333333", line);
	c->y += 17;
	draw_cells(c, cells, ncell);
	alloc_free(cells);
	return 0;
}

/* The number of blocks for a cell with which all arenas together take MAX_ROWS rows. */
static uint32_t blocks_per_cell(const struct btt_found *found, unsigned narena)
{
	uint64_t n = 0;
	uint64_t cells = (uint64_t)MAX_ROWS * COLUMNS;

	for (unsigned i = 0; i < narena; i++)
		n += found->arena[i].info.geo.external_nlba;
	return (uint32_t)((n + cells - 1) / cells);
}

/* --- all of it ----------------------------------------------------------------------------- */

static void draw_title(struct canvas *c, const char *problem)
{
	c->y = MARGIN;
	text(c, MARGIN, c->y + 16, 20, "#111111", c->image->path);
	c->y += 32;
	if (problem && *problem) {
		text(c, MARGIN, c->y + 10, 12, DAMAGE_COLOUR, problem);
		c->y += 20;
	}
}

static void draw_legend(struct canvas *c, const uint64_t total[NSTATE])
{
	double x = MARGIN;

	for (int i = 0; i < NSTATE; i++) {
		char line[64];

		box(c, x, c->y, 12, 12, states[i].colour);
		snprintf(line, sizeof(line), "%s: %llu", states[i].name, ULL(total[i]));
		text(c, x + 18, c->y + 10.5, 12, "#333333", line);
		x += 220;
	}
	c->y += 12 + MARGIN;
}

/* Draws everything. Only afterwards the height of the canvas is known. */
static int draw_body(struct canvas *c, const struct btt_found *found, const char *problem)
{
	unsigned narena = found->narena < MAX_ARENAS ? found->narena : MAX_ARENAS;
	uint32_t each = narena ? blocks_per_cell(found, narena) : 1;
	uint64_t total[NSTATE] = {0};
	char line[96];
	int ret = 0;

	draw_title(c, problem);
	draw_strip(c, found);
	for (unsigned i = 0; i < narena && ret == 0; i++) {
		snprintf(line, sizeof(line), "Arena %u", i);
		text(c, MARGIN, c->y + 12, 14, "#111111", line);
		c->y += 22;
		draw_areas(c, &found->arena[i]);
		ret = draw_blocks(c, &found->arena[i], each, total);
	}
	if (found->narena > narena) {
		snprintf(line, sizeof(line), "and %u more arenas",
			 found->narena - narena);
		text(c, MARGIN, c->y + 12, 12, "#333333", line);
		c->y += 22;
	}
	if (narena == 0) {
		text(c, MARGIN, c->y + 12, 12, "#333333",
		     found->layout == BTT_LAYOUT_NONE
			 ? "No block was written yet: there are no arenas."
			 : "Where the arenas are cannot be told.");
		c->y += 26;
	}
	draw_legend(c, total);
	return ret;
}

int picture_draw(FILE *out, const struct image *image, const struct btt_found *found,
		 const char *problem)
{
	char *body = NULL;
	size_t size = 0;
	struct canvas c = {.out = open_memstream(&body, &size), .image = image};
	int ret;

	if (!c.out)
		return errormsg_fail(ENOMEM, "out of memory for the picture of %s",
				     image->path);
	ret = draw_body(&c, found, problem);
	if (fclose(c.out) != 0 && ret == 0)
		ret = errormsg_fail(ENOMEM, "out of memory for the picture of %s",
				    image->path);
	if (ret == 0) {
		fprintf(out,
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
			"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" "
			"height=\"%.0f\" "
			"viewBox=\"0 0 %.0f %.0f\" font-family=\"sans-serif\">\n"
			"<rect width=\"%.0f\" height=\"%.0f\" fill=\"#ffffff\"/>\n",
			WIDTH, c.y, WIDTH, c.y, WIDTH, c.y);
		fwrite(body, 1, size, out);
		fputs("</svg>\n", out);
	}
	free(body);
	return ret;
}
