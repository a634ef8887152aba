/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs a program on a block table in every interleaving of its threads and looks at every
 * image that a crash can leave at every point of each.
 *
 * A state is met at each point, before an operation on the storage or a lock. For each state
 * not met before:
 *
 *   - the images after a power loss are built. Each one is recovered by the independent
 *     implementation and by the code under test, and both must agree on every block, on what
 *     the program's history allows, and that no data block has two owners or none. The
 *     table's own check must find nothing. One more write must work.
 *   - the recovery itself loses power at each of its points, and again.
 *   - if the scenario says so, the process is killed: another one opens what the page cache
 *     holds and runs a second program, losing power at each point. The same after a power
 *     loss, on a share of the images.
 *   - if a sync has failed in it, or a write of the kernel that no sync has told of yet, some of the pages that are clean since go out of memory: before
 *     the other process opens the pool, or while it runs. Its syncs may fail in turn; then a third
 *     one comes.
 *
 * States are told apart by the medium with its pending stores and flushes, by how far each
 * thread has come and what it has read, and by the run-time memory of the table; so the
 * search covers all interleavings of programs small enough for its bounds.
 *
 * The pool has one arena or two; for two, the instrumented table takes smaller arenas for the
 * largest ones (BTT_CRASH_TEST_ARENA_SIZE).
 */
#ifndef EXPLORE_H
#define EXPLORE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "history.h"
#include "medium.h"

#define EXPLORE_BSIZE 16u
#define EXPLORE_LEVELS 8
#define EXPLORE_ARENAS 2u /* at most; two need the instrumented build */

/* The code under test. Memory comes from explore_alloc() and is never freed. */
struct sut {
	const char *name;
	const void *config;
	int (*open)(const struct sut *sut, struct storage *s, void **handle);
	int (*apply)(void *handle, char kind, uint64_t lba, void *buf);
	int (*check)(const struct sut *sut, struct storage *s); /* may be NULL */
};

enum explore_base {
	BASE_FRESH, /* laid out, never written */
	BASE_USED, /* one block each written, zeroed, in error, initial; two slots used */
	BASE_EMPTY, /* not laid out, all zeros */
	BASE_STALE  /* not laid out, a file whose pages the user filled with something */
};

struct scenario {
	const char *program;
	const char *then; /* of the process after the crash; NULL: no second process */
	enum explore_base base;
	unsigned fail_fence; /* the fence with this number fails (from 1); 0: none */
	/* the same for the second process, whose open has the first */
	unsigned fail_then;
	/*
	 * Before the event with this number (from 1; 0: none) the kernel fails to write all that is
	 * dirty; the next sync is the first to tell.
	 */
	unsigned lose_in;
	/*
	 * After the failure, pages that it left clean are dropped: with this salt, see
	 * medium_drop(), before the event that is drop_in events later (0: the next).
	 */
	uint64_t drop;
	unsigned drop_in;
};

struct explore_stats {
	uint64_t scenarios, runs, states;
	uint64_t images;   /* met, counted once for each state */
	uint64_t distinct; /* by their bytes: each one was recovered and checked */
	uint64_t nested;   /* of these, after a crash of a recovery */
	uint64_t kills, restarts;
	uint64_t drops;	     /* of pages that a failed sync had left clean */
	uint64_t sampled;    /* states with more images than the limit */
	uint64_t unfinished; /* scenarios with more interleavings than the limit */
};

struct explorer {
	const struct sut *sut;
	enum medium_kind kind;
	unsigned nlane;	 /* 5: one is shared, two threads have others; 1: it is shared */
	unsigned narena; /* 1 or 2; not to be changed once a base was used */
	uint64_t seed;

	/* Limits. */
	size_t image_limit; /* for one state */
	size_t fence_limit; /* for one right before a fence */
	size_t run_limit; /* for one scenario; then random interleavings, as many again */
	unsigned kill_share; /* of so many states one is killed */
	unsigned then_share; /* of so many distinct images one goes on with the program */
	unsigned save_share; /* of so many distinct images one is kept: explore_saved */
	unsigned bulk_share; /* of so many states in a layout one is looked at */
	unsigned check_share; /* on so many distinct images the table's check runs once */
	bool fine; /* points at atomic accesses, too, not at storage and locks alone */
	bool split_writes; /* points within bulk writes */

	bool lie;	     /* a fence that fails returns 0 */
	uint64_t page;	     /* see struct medium; 0: 8 bytes */
	unsigned drop_share; /* after a failure each kill is tried with so many drops */

	struct site mutant;
	enum medium_twist twist;

	struct explore_stats stats;
	char why[1024]; /* the violation, if there is one */

	struct explorer_state *state;
};

void explore_init(struct explorer *ex, const struct sut *sut, enum medium_kind kind);
void explore_free(struct explorer *ex);

/* True if no violation was found; otherwise ex->why tells the first one. */
bool explore(struct explorer *ex, const struct scenario *scenario);

/* Forgets which images were recovered already: to be called after a mutation. */
void explore_forget(struct explorer *ex);

/*
 * Damages an arena's info block, or its copy, in the base that was used last, and opens: NULL
 * if the repair is durable then, or what is wrong.
 */
const char *explore_repair(struct explorer *ex, unsigned arena, bool primary);

/* True if the mutation was met at all since explore_init or explore_forget. */
bool explore_mutant_hit(const struct explorer *ex);

void *explore_alloc(size_t size);

/*
 * From the code under test: the running thread has read something that others may change; a
 * point; a point if they are to be fine.
 */
void explore_read(uint64_t value);
void explore_point(void);
void explore_fine_point(void);
bool explore_in_image(const void *p);

/* The lane that the present operation is to take; a number for the thread, from 1. */
unsigned explore_lane(void);
unsigned explore_thread(void);

/* An image that was kept: the words that differ from the content at rest. */
struct saved_image {
	enum explore_base base;
	unsigned nword;
	uint64_t (*word)[2]; /* offset, value */
	unsigned char value[NTRACKED];
};

size_t explore_saved(const struct explorer *ex, const struct saved_image **saved);
int explore_base_file(const struct explorer *ex, enum explore_base base);
uint64_t explore_size(void);
uint64_t explore_lba(unsigned block);
const unsigned char *explore_parent(void);

/* The bytes of a content, and back. */
void explore_fill(void *buf, unsigned char value);
unsigned char explore_identify(const void *data);

#endif
