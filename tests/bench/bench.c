/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compares the libraries of this build with the original's, in turns (turns.h).
 *
 *	bench blk DIR [CASE...]		block pools as persistent memory, see cases_blk.h
 *	bench disk DIR [CASE...]	block pools on an ordinary file
 *	bench pmem DIR [PATTERN [MAX]]	libpmem, see cases_pmem.h
 *	bench batches DIR [CASE...]	many blocks in a call, as persistent memory, see cases_batch.h
 *	bench batches-disk DIR [CASE...]	the same on an ordinary file
 *	bench scale DIR CASE...		few and many threads, as persistent memory, see cases_scale.h
 *	bench scale-disk DIR CASE...	the same on an ordinary file
 *	bench beside DIR CASE...	writers beside readers, see cases_beside.h
 *	bench self-test DIR CASE...	prints what the operations of a case touch, and compares nothing
 *
 * The files are made in DIR. A DIR on /dev/shm, with PMEM_IS_PMEM_FORCE=1, stands for persistent
 * memory. The environment variables OURS and ORIGINAL are the folders of the libraries; POOLS,
 * ROUNDS and SLICE_MS set the effort. Prints a CSV, see turns.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "cases_batch.h"
#include "cases_beside.h"
#include "cases_blk.h"
#include "cases_pmem.h"
#include "cases_scale.h"
#include "turns.h"

static unsigned number(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);

	return text && atoi(text) > 0 ? (unsigned)atoi(text) : otherwise;
}

static const char *folder(const char *name)
{
	const char *text = getenv(name);

	if (!text)
		bench_die(name,
			  "the environment does not name the folder of the libraries");
	return text;
}

static void self_test_party(const struct turns_case *c, const char *dir,
			    enum turns_party party)
{
	void *state = c->prepare(c, dir, party);
	struct turns_sample sample;
	struct turns_touched t;

	c->run(state, 20000000, &sample);
	if (sample.ops == 0 || sample.ns == 0)
		bench_die(c->name, "did nothing");
	if (c->touched) {
		c->touched(state, &t);
		printf("%s,%llu,%llu,%llu,%llu,%llu,%u,%llu\n", c->name,
		       (unsigned long long)t.ops, (unsigned long long)t.distinct,
		       (unsigned long long)t.bytes, (unsigned long long)t.normal,
		       (unsigned long long)(t.calls ? t.calls : t.ops), sample.threads,
		       (unsigned long long)sample.others);
	}
	c->finish(state);
}

/* --- what is compared ---------------------------------------------------------------------- */

#define BOUNDS(name) name "," name "_low," name "_high"

static const struct turns_column with_original[] = {
    {"original_ns", TURNS_NS, TURNS_ORIGINAL, TURNS_NPARTY, false},
    {"ours_ns", TURNS_NS, TURNS_OURS, TURNS_NPARTY, false},
    {"ratio,low95,high95", TURNS_NS, TURNS_ORIGINAL, TURNS_OURS, true},
    {BOUNDS("noise"), TURNS_NS, TURNS_ORIGINAL, TURNS_AGAIN, true},
    {"limit_ns", TURNS_NS, TURNS_LIMIT, TURNS_NPARTY, false},
    {"ours_to_limit", TURNS_NS, TURNS_OURS, TURNS_LIMIT, false}};

static const struct turns_column with_single[] = {
    {"single_ns", TURNS_NS, TURNS_ORIGINAL, TURNS_NPARTY, false},
    {"batch_ns", TURNS_NS, TURNS_OURS, TURNS_NPARTY, false},
    {"ratio,low95,high95", TURNS_NS, TURNS_ORIGINAL, TURNS_OURS, true},
    {BOUNDS("noise"), TURNS_NS, TURNS_ORIGINAL, TURNS_AGAIN, true},
    {"limit_ns", TURNS_NS, TURNS_LIMIT, TURNS_NPARTY, false},
    {"batch_to_limit", TURNS_NS, TURNS_OURS, TURNS_LIMIT, false}};

/* Throughput relative to two threads: their time for an operation, divided by that of all. */
static const struct turns_column with_two_threads[] = {
    {"original_ns", TURNS_NS, TURNS_ORIGINAL, TURNS_NPARTY, false},
    {"ours_ns", TURNS_NS, TURNS_OURS, TURNS_NPARTY, false},
    {"ratio,low95,high95", TURNS_NS, TURNS_ORIGINAL, TURNS_OURS, true},
    {BOUNDS("ours_to_two"), TURNS_NS, CASES_SCALE_OURS_TWO, TURNS_OURS, true},
    {BOUNDS("original_to_two"), TURNS_NS, CASES_SCALE_ORIGINAL_TWO, TURNS_ORIGINAL,
     true}};

static const struct turns_column of_writers_and_readers[] = {
    {"original_ns", TURNS_NS, TURNS_ORIGINAL, TURNS_NPARTY, false},
    {"ours_ns", TURNS_NS, TURNS_OURS, TURNS_NPARTY, false},
    {"ratio,low95,high95", TURNS_NS, TURNS_ORIGINAL, TURNS_OURS, true},
    {BOUNDS("noise"), TURNS_NS, TURNS_ORIGINAL, TURNS_AGAIN, true},
    {"original_read_ns", TURNS_OTHER_NS, TURNS_ORIGINAL, TURNS_NPARTY, false},
    {"ours_read_ns", TURNS_OTHER_NS, TURNS_OURS, TURNS_NPARTY, false},
    {BOUNDS("reads"), TURNS_OTHER_NS, TURNS_ORIGINAL, TURNS_OURS, true},
    {"original_worst_ns", TURNS_WORST, TURNS_ORIGINAL, TURNS_NPARTY, false},
    {"ours_worst_ns", TURNS_WORST, TURNS_OURS, TURNS_NPARTY, false}};

#define COLUMNS(c) c, sizeof(c) / sizeof((c)[0])

/* The kinds of comparison. */
static const struct kind {
	const char *name;
	const struct turns_column *columns;
	size_t ncolumn;
	/* libraries of the original, instead of ours, for the second, third and fourth party */
	bool original, again, limit;
	bool is_disk;
	unsigned rounds;
	unsigned slice_ms;
} kinds[] = {
    {"blk", COLUMNS(with_original), true, true, false, false, 40, 4},
    {"disk", COLUMNS(with_original), true, true, false, true, 20, 40},
    {"pmem", COLUMNS(with_original), true, true, false, false, 9, 1},
    {"batches", COLUMNS(with_single), false, false, false, false, 40, 4},
    {"batches-disk", COLUMNS(with_single), false, false, false, true, 20, 40},
    {"scale", COLUMNS(with_two_threads), true, false, true, false, 5, 50},
    {"scale-disk", COLUMNS(with_two_threads), true, false, true, true, 5, 50},
    {"beside", COLUMNS(of_writers_and_readers), true, true, false, false, 5, 1000},
    {"self-test", NULL, 0, false, false, false, false, 1, 1}};

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(name, kinds[i].name) == 0)
			return &kinds[i];
	return NULL;
}

static bool is_kind(const struct kind *kind, const char *name)
{
	return strcmp(kind->name, name) == 0;
}

/* "scale:NAME" is a case of scale in a self-test; other names there are those of any kind. */
static struct turns_case find_case(const struct kind *kind, const char *name)
{
	struct cases_pmem pmem = {.pattern = name, .max_size = SIZE_MAX};
	struct turns_case c;

	if (is_kind(kind, "scale") || is_kind(kind, "scale-disk"))
		return cases_scale_find(name, kind->is_disk);
	if (is_kind(kind, "self-test") && strncmp(name, "scale:", 6) == 0)
		return cases_scale_find(name + 6, false);
	if (is_kind(kind, "self-test"))
		cases_pmem_list(&pmem);
	if (pmem.n)
		return pmem.list[0];
	if (cases_batch_find(name, kind->is_disk, &c) || cases_beside_find(name, &c))
		return c;
	return cases_blk_find(name, kind->is_disk);
}

/* Prints what each party touches whose operations are the library's. */
static void self_test(const char *name, const struct turns_case *c, const char *dir)
{
	int last = c->batch && !c->variant ? TURNS_ORIGINAL : TURNS_OURS;

	if (strncmp(name, "scale:", 6) == 0)
		last = TURNS_LIMIT;
	for (int p = 0; p <= last; p++)
		self_test_party(c, dir, (enum turns_party)p);
}

static int usage(const char *name)
{
	fprintf(stderr, "usage: %s", name);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		fprintf(stderr, "%c%s", i ? '|' : ' ', kinds[i].name);
	fprintf(stderr, " DIR [CASE...]\n");
	return 2;
}

int main(int argc, char **argv)
{
	const struct kind *kind = argc > 2 ? find_kind(argv[1]) : NULL;
	struct turns_plan plan = {.dir = argc > 2 ? argv[2] : NULL};
	struct cases_pmem pmem = {.pattern = "*", .max_size = SIZE_MAX};
	struct turns_case *cases = NULL;

	if (kind && is_kind(kind, "pmem")) {
		pmem.pattern = argc > 3 ? argv[3] : "*";
		pmem.max_size = argc > 4 ? strtoull(argv[4], NULL, 0) : SIZE_MAX;
		cases_pmem_list(&pmem);
		cases = pmem.list;
		plan.ncase = pmem.n;
	} else if (kind && argc > 3) {
		plan.ncase = (size_t)argc - 3;
		cases = calloc(plan.ncase, sizeof(*cases));
		for (size_t i = 0; cases && i < plan.ncase; i++)
			cases[i] = find_case(kind, argv[3 + i]);
	}
	if (!kind || !cases || plan.ncase == 0)
		return usage(argv[0]);
	plan.cases = cases;
	if (is_kind(kind, "self-test")) {
		for (size_t i = 0; i < plan.ncase; i++)
			self_test(argv[3 + i], &cases[i], plan.dir);
		return 0;
	}
	plan.columns = kind->columns;
	plan.ncolumn = kind->ncolumn;
	plan.rounds = number("ROUNDS", kind->rounds);
	plan.slice_ns = number("SLICE_MS", kind->slice_ms) * 1000000ull;
	if (turns_is_party())
		turns_party(&plan);
	plan.pools = number("POOLS", 5);
	plan.libs[TURNS_OURS] = folder("OURS");
	plan.libs[TURNS_ORIGINAL] = folder(kind->original ? "ORIGINAL" : "OURS");
	plan.libs[TURNS_AGAIN] = folder(kind->again ? "ORIGINAL" : "OURS");
	plan.libs[TURNS_LIMIT] = folder(kind->limit ? "ORIGINAL" : "OURS");
	return turns_run(&plan, argc, argv);
}
