/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compares libraries on a machine that does other work, too.
 *
 * On a shared machine the result of a single run varies by a third. So the parties of a
 * comparison run at the same time, each in a process of its own with its own pair of libraries.
 * They take turns in slices of a few milliseconds. Neighbouring slices run under the same
 * conditions, and only these are compared. The placement of the pages of a pool still makes a
 * difference. So everything is repeated with new processes and new pools, and the result is the
 * median of the repetitions.
 *
 * The parties are: our libraries; the original; the original again (its difference from itself is
 * the noise); and the limit, a bare loop of the same loads, copies, flushes and fences without a
 * library. Where the original has no such function, our own single calls take its place.
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
	uint64_t distinct; /* the number of different blocks or places */
	uint64_t bytes;	   /* bytes that were read or written, as the caller counts */
	uint64_t normal;   /* reads and writes of blocks that held data, not zeros */
	uint64_t calls;	   /* calls of the library; 0: one for each operation */
};

struct turns_case {
	char name[64];
	/* Makes the state that the case needs. It does not depend on earlier cases. */
	void *(*prepare)(const struct turns_case *c, const char *dir,
			 enum turns_party party);
	/* Works for about ns nanoseconds. */
	void (*run)(void *state, uint64_t ns, struct turns_sample *sample);
	void (*finish)(void *state);
	/* Called after some work on the prepared state; may be NULL. */
	void (*touched)(void *state, struct turns_touched *t);
	bool has_limit;

	/* For prepare. */
	int op;
	size_t bsize;
	unsigned threads;
	unsigned variant;
	unsigned batch; /* blocks in a call */
	size_t align;
	size_t pool_size;
	bool is_disk;
};

struct turns_plan {
	const struct turns_case *cases;
	size_t ncase;
	const char *dir;		/* where the parties make their files */
	const char *libs[TURNS_NPARTY]; /* folders of their libraries */
	const char *ours;		/* what the first two parties are called */
	const char *original;
	unsigned pools;	 /* repetitions with new processes */
	unsigned rounds; /* turns of each party in one of them */
	uint64_t slice_ns;
};

/* Runs the plan and prints the table as CSV to stdout. Returns the status for exit(3). */
int turns_run(const struct turns_plan *plan, int argc, char **argv);

/* Runs a party in a process that turns_run() has started. Does not return. */
void turns_party(const struct turns_plan *plan);
bool turns_is_party(void);

#endif
