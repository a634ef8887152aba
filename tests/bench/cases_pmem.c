/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmem's functions on a file on /dev/shm that counts as persistent memory
 * (PMEM_IS_PMEM_FORCE=1). Copies of up to SMALL bytes use slots in turn, which stay in the cache
 * and do not overlap.
 */
#include "cases_pmem.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <libpmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "limits.h"
#include "workers.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MIB ((size_t)1 << 20)
#define AREA (80 * MIB)
#define SMALL ((size_t)4096)
#define RING ((size_t)16 << 10)

/* One of each for the process: making them takes much longer than a case. */
static char *area; /* AREA / 2 for each thread */
static char *source;

struct work {
	const struct turns_case *c;
	size_t size;
	size_t step;
	unsigned flags;
	struct workers all;
	struct limit limit;
	void (*op)(const struct work *w, char *dest, const char *src);
};

/* --- what is timed ------------------------------------------------------------------- */

static void op_memcpy(const struct work *w, char *dest, const char *src)
{
	pmem_memcpy(dest, src, w->size, w->flags);
}

static void op_forward(const struct work *w, char *dest, const char *src)
{
	(void)src;
	pmem_memmove(dest, dest + 96, w->size, w->flags);
}

static void op_backward(const struct work *w, char *dest, const char *src)
{
	(void)src;
	pmem_memmove(dest + 96, dest, w->size, w->flags);
}

static void op_memset(const struct work *w, char *dest, const char *src)
{
	pmem_memset(dest, (int)(uintptr_t)src, w->size, w->flags);
}

static void op_persist(const struct work *w, char *dest, const char *src)
{
	*(volatile char *)dest = *src;
	pmem_persist(dest, w->size);
}

static void op_flush(const struct work *w, char *dest, const char *src)
{
	*(volatile char *)dest = *src;
	pmem_flush(dest, w->size);
}

static void op_bare(const struct work *w, char *dest, const char *src)
{
	limit_bulk((struct limit *)(uintptr_t)&w->limit, dest, src, w->size);
}

/* --- the cases ------------------------------------------------------------------------- */

struct figure {
	const char *name;
	void (*op)(const struct work *w, char *dest, const char *src);
};

static const struct figure figures[] = {{"memcpy", op_memcpy},
					{"memmove-forward", op_forward},
					{"memmove-backward", op_backward},
					{"memset", op_memset},
					{"persist", op_persist},
					{"flush", op_flush}};

static const struct {
	const char *name;
	unsigned flags;
} variants[] = {
    {"persist", 0},
    {"nodrain", PMEM_F_MEM_NODRAIN},
    {"nontemporal", PMEM_F_MEM_NODRAIN | PMEM_F_MEM_NONTEMPORAL},
    {"temporal", PMEM_F_MEM_NODRAIN | PMEM_F_MEM_TEMPORAL},
    {"wc", PMEM_F_MEM_NODRAIN | PMEM_F_MEM_WC},
    {"wb", PMEM_F_MEM_NODRAIN | PMEM_F_MEM_WB},
    {"noflush", PMEM_F_MEM_NOFLUSH},
};

/*
 * All parties work on the same pages, in turns, so that it makes no difference where these lie: for
 * copies of 16 MiB this was a quarter of the time.
 */
static void map_areas(const char *dir, enum turns_party party)
{
	char path[4096];

	if (area)
		return;
	snprintf(path, sizeof(path), "%s/%s" TURNS_SHARED, dir,
		 turns_is_party() ? "../" : "");
	if (party == TURNS_OURS)
		area = pmem_map_file(path, 2 * AREA, PMEM_FILE_CREATE | PMEM_FILE_EXCL,
				     0600, NULL, NULL);
	else
		area = pmem_map_file(path, 0, 0, 0, NULL, NULL);
	if (!area)
		bench_die(path, pmem_errormsg());
	if (!turns_is_party())
		unlink(path);
	source = area + AREA;
	memset(area, 1, AREA);
	memset(source, 2, AREA);
}

static uint64_t work_ring(struct worker *k)
{
	struct work *w = k->state;
	const size_t ring = w->size <= SMALL ? RING : w->step;
	char *dest = area + k->number * (AREA / 2) + w->c->align;
	const char *src = source + k->number * (AREA / 2);
	uint64_t n = 0;

	for (size_t at = 0; at < ring; at += w->step, n++)
		w->op(w, dest + at, src + at);
	pmem_drain();
	return n;
}

static void *prepare(const struct turns_case *c, const char *dir, enum turns_party party)
{
	struct work *w = calloc(1, sizeof(*w));

	if (!w)
		bench_die("a case", "out of memory");
	map_areas(dir, party);
	w->c = c;
	w->size = c->bsize;
	w->flags = variants[c->variant].flags;
	w->step = (c->bsize + c->align + 96 + 63) & ~(size_t)63;
	w->op = party == TURNS_LIMIT ? op_bare : figures[c->op].op;
	if (party == TURNS_LIMIT)
		limit_choose(&w->limit);
	workers_start(&w->all, c->threads, 64, w, work_ring);
	return w;
}

static void run(void *state, uint64_t ns, struct turns_sample *sample)
{
	struct work *w = state;

	workers_run(&w->all, ns, sample);
}

static void finish(void *state)
{
	struct work *w = state;

	workers_end(&w->all);
	free(w);
}

static void touched(void *state, struct turns_touched *t)
{
	struct work *w = state;
	size_t ring = w->size <= SMALL ? RING : w->step;

	*t = (struct turns_touched){.ops = work_ring(&w->all.worker[0])};
	t->bytes = t->ops * w->size;
	t->distinct = (ring + w->step - 1) / w->step;
	for (size_t at = 0; at < ring;
	     at += w->step) /* every byte of memcpy's source is 2 */
		t->normal += area[w->c->align + at] == 2 &&
			     area[w->c->align + at + w->size - 1] == 2;
}

static void add(struct cases_pmem *all, const struct turns_case *c)
{
	if (fnmatch(all->pattern, c->name, 0) != 0 || c->bsize > all->max_size)
		return;
	all->list = realloc(all->list, (all->n + 1) * sizeof(*all->list));
	if (!all->list)
		bench_die("the cases", "out of memory");
	all->list[all->n++] = *c;
}

static void add_copy(struct cases_pmem *all, size_t f, size_t v, size_t size,
		     size_t align, unsigned threads)
{
	struct turns_case c = {.prepare = prepare,
			       .run = run,
			       .finish = finish,
			       .touched = f == 0 ? touched : NULL,
			       .op = (int)f,
			       .variant = (unsigned)v,
			       .bsize = size,
			       .align = align,
			       .threads = threads};

	c.has_limit = f == 0 && v == 0 && align == 0 && size >= 64 << 10 && threads == 1;
	snprintf(c.name, sizeof(c.name), "%s/%s/%zu/%zu/%u", figures[f].name,
		 variants[v].name, size, align, threads);
	add(all, &c);
}

void cases_pmem_list(struct cases_pmem *all)
{
	static const size_t aligns[] = {0, 1, 8, 32};

	for (size_t f = 0; f < 4; f++)
		for (size_t v = 0; v < COUNT(variants); v++)
			for (size_t size = 8; size <= 16 * MIB;
			     size *= size < 4096 ? 2 : 4)
				for (size_t a = 0; a < COUNT(aligns); a++) {
					add_copy(all, f, v, size, aligns[a], 1);
					if (a == 0 && v < 3)
						add_copy(all, f, v, size, 0, 2);
				}
	for (size_t size = 64; size <= MIB; size *= 4)
		for (size_t f = 4; f < COUNT(figures); f++)
			add_copy(all, f, 0, size, 0, 1);
}
