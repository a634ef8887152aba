/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compares the libraries of this build with the original's, in turns (turns.h).
 *
 *	bench blk DIR [CASE...]		block pools as persistent memory, see cases_blk.h
 *	bench disk DIR [CASE...]	block pools on an ordinary file
 *	bench pmem DIR [PATTERN [MAX]]	libpmem, see cases_pmem.h
 *	bench batches DIR [CASE...]	many blocks in a call, as persistent memory, see cases_batch.h
 *	bench batches-disk DIR [CASE...]	the same on an ordinary file
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
#include "cases_blk.h"
#include "cases_pmem.h"
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

static void self_test(const struct turns_case *c, const char *dir, enum turns_party party)
{
	void *state = c->prepare(c, dir, party);
	struct turns_sample sample;
	struct turns_touched t;

	c->run(state, 20000000, &sample);
	if (sample.ops == 0 || sample.ns == 0)
		bench_die(c->name, "did nothing");
	if (c->touched) {
		c->touched(state, &t);
		printf("%s,%llu,%llu,%llu,%llu,%llu\n", c->name,
		       (unsigned long long)t.ops, (unsigned long long)t.distinct,
		       (unsigned long long)t.bytes, (unsigned long long)t.normal,
		       (unsigned long long)(t.calls ? t.calls : t.ops));
	}
	c->finish(state);
}

static struct turns_case find_case(const char *what, const char *name)
{
	struct cases_pmem pmem = {.pattern = name, .max_size = SIZE_MAX};
	bool is_disk = strcmp(what, "disk") == 0 || strcmp(what, "batches-disk") == 0;
	struct turns_case c;

	if (strcmp(what, "self-test") == 0)
		cases_pmem_list(&pmem);
	if (pmem.n)
		return pmem.list[0];
	return cases_batch_find(name, is_disk, &c) ? c : cases_blk_find(name, is_disk);
}

int main(int argc, char **argv)
{
	struct turns_plan plan = {.dir = argc > 2 ? argv[2] : NULL};
	struct cases_pmem pmem = {.pattern = "*", .max_size = SIZE_MAX};
	struct turns_case *cases = NULL;
	const char *what = argc > 2 ? argv[1] : "";
	bool is_batches = strncmp(what, "batches", 7) == 0;
	bool is_disk = strcmp(what, "disk") == 0 || strcmp(what, "batches-disk") == 0;

	if (strcmp(what, "pmem") == 0) {
		pmem.pattern = argc > 3 ? argv[3] : "*";
		pmem.max_size = argc > 4 ? strtoull(argv[4], NULL, 0) : SIZE_MAX;
		cases_pmem_list(&pmem);
		cases = pmem.list;
		plan.ncase = pmem.n;
	} else if ((strcmp(what, "blk") == 0 || is_disk || is_batches ||
		    strcmp(what, "self-test") == 0) &&
		   argc > 3) {
		plan.ncase = (size_t)argc - 3;
		cases = calloc(plan.ncase, sizeof(*cases));
		for (size_t i = 0; cases && i < plan.ncase; i++)
			cases[i] = find_case(what, argv[3 + i]);
	}
	if (!cases || plan.ncase == 0) {
		fprintf(stderr,
			"usage: %s blk|disk|pmem|batches|batches-disk|self-test DIR "
			"[CASE...]\n",
			argv[0]);
		return 2;
	}
	plan.cases = cases;
	if (strcmp(what, "self-test") == 0) {
		for (size_t i = 0; i < plan.ncase; i++)
			for (int p = 0;
			     p <= (cases[i].batch ? TURNS_ORIGINAL : TURNS_OURS); p++)
				self_test(&cases[i], plan.dir, (enum turns_party)p);
		return 0;
	}
	plan.rounds = number("ROUNDS", is_disk ? 20 : strcmp(what, "pmem") == 0 ? 9 : 40);
	plan.slice_ns = number("SLICE_MS", is_disk		       ? 40
					   : strcmp(what, "pmem") == 0 ? 1
								       : 4) *
			1000000ull;
	if (turns_is_party())
		turns_party(&plan);
	plan.pools = number("POOLS", 5);
	plan.libs[TURNS_OURS] = plan.libs[TURNS_LIMIT] = folder("OURS");
	plan.libs[TURNS_ORIGINAL] = plan.libs[TURNS_AGAIN] =
	    folder(is_batches ? "OURS" : "ORIGINAL");
	plan.ours = is_batches ? "batch" : "ours";
	plan.original = is_batches ? "single" : "original";
	return turns_run(&plan, argc, argv);
}
