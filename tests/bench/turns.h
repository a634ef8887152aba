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
 * library. Where the original has no such function, our own single calls take its place. The third
 * and the fourth party may also be something else; the plan's columns say what is compared.
 */
#ifndef TURNS_H
#define TURNS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TURNS_MAX_COLUMNS 12u

enum turns_party { TURNS_OURS, TURNS_ORIGINAL, TURNS_AGAIN, TURNS_LIMIT, TURNS_NPARTY };

/* What a party did in a slice. */
struct turns_sample {
	uint64_t ops;
	uint64_t ns;
	uint32_t threads; /* how many threads did something */
	/* Only of cases whose threads do different work. */
	uint64_t others; /* what threads did beside the operations, at the same time */
	uint64_t worst;	 /* nanoseconds of the longest operation */
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
	unsigned variant; /* or, of cases_beside: threads that read */
	unsigned batch;	  /* blocks in a call; of cases_beside: in use */
	size_t align;
	size_t pool_size;
	bool is_disk;
};

/* What a column of the table is about. */
enum turns_value {
	TURNS_NS,	/* time for each operation */
	TURNS_OTHER_NS, /* time for each of the others */
	TURNS_WORST	/* time of the longest operation */
};

/*
 * A column: the value of a party, or its ratio to that of another party in the neighbouring
 * slice. The table shows the median of all slices; of TURNS_WORST the maximum.
 */
struct turns_column {
	const char
	    *name; /* in the header; if there are bounds: three names with commas */
	enum turns_value value;
	enum turns_party party;
	enum turns_party over; /* TURNS_NPARTY: the value itself */
	bool bounds;	       /* two more columns: the 95 % interval of the ratio */
};

/*
 * The name of a file beside the parties' folders that they may share. Our party is the first to
 * prepare a case, so it makes the file. It is removed when the processes end.
 */
#define TURNS_SHARED "shared"

struct turns_plan {
	const struct turns_case *cases;
	size_t ncase;
	const char *dir;		/* where the parties make their files */
	const char *libs[TURNS_NPARTY]; /* folders of their libraries */
	const struct turns_column *columns;
	size_t ncolumn;	 /* at most TURNS_MAX_COLUMNS */
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
