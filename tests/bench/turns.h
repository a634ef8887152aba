/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Comparing libraries on a machine that does other things, too.
 *
 * A single run of a benchmark swings by a third on a shared machine. So the parties of a comparison
 * live at the same time, each a process of its own on its own pair of libraries, and take turns in
 * slices of a few milliseconds: neighbouring slices meet the same weather, and only they are
 * compared. What remains is where the pages of a pool happen to lie, so everything is repeated with
 * new processes and new pools, and the median over these counts.
 *
 * The parties: ours, the original, the original once more (what it differs from itself is the
 * noise), and the limit: a bare loop of the same loads, copies, flushes and fences, without library.
 */
#ifndef TURNS_H
#define TURNS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum turns_party { TURNS_OURS, TURNS_ORIGINAL, TURNS_AGAIN, TURNS_LIMIT, TURNS_NPARTY };

/* What a party did in a slice. */
struct turns_sample {
	uint64_t ops;
	uint64_t ns;
};

/* What the operations of a case touched, for the benchmark's own test. */
struct turns_touched {
	uint64_t ops;
	uint64_t distinct; /* blocks or places */
	uint64_t bytes;	   /* read or written by the caller's count */
	uint64_t normal;   /* reads and writes of blocks that held data, not zeros */
};

struct turns_case {
	char name[64];
	/* Makes what the case needs; it depends on no case before. */
	void *(*prepare)(const struct turns_case *c, const char *dir, bool limit);
	/* Works for about ns nanoseconds. */
	void (*run)(void *state, uint64_t ns, struct turns_sample *sample);
	void (*finish)(void *state);
	/* After some work in prepared state; may be NULL. */
	void (*touched)(void *state, struct turns_touched *t);
	bool has_limit;

	/* For prepare. */
	int op;
	size_t bsize;
	unsigned threads;
	unsigned variant;
	size_t align;
	size_t pool_size;
	bool is_disk;
};

struct turns_plan {
	const struct turns_case *cases;
	size_t ncase;
	const char *dir;		/* where the parties make their files */
	const char *libs[TURNS_NPARTY]; /* folders of their libraries */
	unsigned pools;			/* repetitions with new processes */
	unsigned rounds;		/* turns of each party in one of them */
	uint64_t slice_ns;
};

/* Runs the plan and prints the table as CSV to stdout. The status for exit(3). */
int turns_run(const struct turns_plan *plan, int argc, char **argv);

/* In a process started by turns_run(): does not return. */
void turns_party(const struct turns_plan *plan);
bool turns_is_party(void);

#endif
