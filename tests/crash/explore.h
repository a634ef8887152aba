/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs a program on a block table in every interleaving of its threads, and checks every image
 * that a crash can leave at every point of each interleaving.
 *
 * A point is the moment before an operation on the storage or on a lock. The explorer does the
 * following for each state that it meets at a point for the first time:
 *
 *   - It builds the images after a power loss. The independent implementation (ref.h) and the
 *     code under test recover each image. Both must agree on every block; the contents must be
 *     ones that the program's history allows; no data block may have two owners or none. The
 *     table's own check must find nothing, and one more write must work.
 *   - It cuts the power at each point of the recovery, and again in the recovery after that.
 *   - If the scenario says so, it kills the process. Another process opens what the page cache
 *     holds and runs a second program, and loses power at each point. The same is done after a
 *     power loss, for a share of the images.
 *   - If a sync has failed, or the kernel failed to write and no sync has reported it yet, it
 *     evicts some of the pages that are clean since then, before the second process opens the
 *     pool or while it runs. Syncs of the second process may fail, too; then a third process
 *     follows.
 *
 * Two states are the same if three things are the same: the medium with its pending stores and
 * flushes; how far each thread has come and what it has read; the run-time memory of the table.
 * So the search covers all interleavings of a program that is small enough for its limits.
 *
 * The pool has one arena or two. With two, the instrumented table has a smaller largest arena
 * (BTT_CRASH_TEST_ARENA_SIZE).
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
	/* several blocks in one call: w, z; NULL: not offered */
	int (*apply_many)(void *handle, char kind, const uint64_t *lba,
			  unsigned char (*buf)[EXPLORE_BSIZE], unsigned n);
	int (*check)(const struct sut *sut, struct storage *s); /* may be NULL */
	void (*end_thread)(void); /* the calling thread ends; may be NULL */
};

enum explore_base {
	BASE_FRESH, /* laid out in a user's file, never written */
	BASE_USED, /* a block of each state: written, zero, error, initial; two slots were used */
	BASE_EMPTY, /* not laid out, all zeros */
	BASE_STALE  /* not laid out, in a user's file that is full of old data */
};

struct scenario {
	const char *program;
	const char *then; /* of the process after the crash; NULL: no second process */
	enum explore_base base;
	unsigned fail_fence; /* the fence with this number fails (from 1); 0: none */
	/* the same for the second process; the fences of its open come first */
	unsigned fail_then;
	/*
	 * Before the event with this number (from 1; 0: none) the kernel fails to write all dirty
	 * pages. The next sync reports it.
	 */
	unsigned lose_in;
	/*
	 * After the failure, pages that it left clean are evicted: with this salt, see
	 * medium_drop(), and drop_in events later (0: before the next event).
	 */
	uint64_t drop;
	unsigned drop_in;
};

struct explore_stats {
	uint64_t scenarios, runs, states;
	uint64_t images; /* found, each counted once per state */
	/* images that differ in their bytes; each was recovered and checked */
	uint64_t distinct;
	uint64_t nested; /* those of them that are left by a crash of a recovery */
	uint64_t kills, restarts;
	/* how often pages were evicted that a failed sync had left clean */
	uint64_t drops;
	uint64_t sampled;    /* states with more images than the limit */
	uint64_t unfinished; /* scenarios with more interleavings than the limit */
};

struct explorer {
	const struct sut *sut;
	enum medium_kind kind;
	/*
	 * 5: one is shared, two threads have others; 1: it is shared. 9 or 11: a thread may borrow
	 * two or four more, see hooks.c.
	 */
	unsigned nlane;
	unsigned narena; /* 1 or 2; must not change after a base was used */
	uint64_t seed;

	/* Limits. */
	size_t image_limit; /* images of one state */
	size_t fence_limit; /* images of a state right before a fence */
	/* runs of a scenario; after that, as many random interleavings */
	size_t run_limit;
	unsigned kill_share; /* one of so many states is killed */
	/* one of so many distinct images goes on with the second program */
	unsigned then_share;
	unsigned save_share; /* one of so many distinct images is kept: explore_saved */
	unsigned bulk_share; /* one of so many states within a layout is examined */
	/* the table's check runs on one of so many distinct images */
	unsigned check_share;
	bool fine; /* points also at atomic accesses, not only at the storage and locks */
	bool split_writes; /* points within bulk writes */

	bool lie;      /* a failing fence returns 0 all the same */
	uint64_t page; /* see struct medium; 0: 8 bytes */
	/* after a failure each kill is tried with so many evictions */
	unsigned drop_share;

	struct site mutant;
	enum medium_twist twist;

	struct explore_stats stats;
	char why[1024]; /* the violation, if there is one */

	struct explorer_state *state;
};

void explore_init(struct explorer *ex, const struct sut *sut, enum medium_kind kind);
void explore_free(struct explorer *ex);

/* Returns true if it found no violation; otherwise ex->why describes the first one. */
bool explore(struct explorer *ex, const struct scenario *scenario);

/* Forgets which images were recovered already. Call it after a mutation. */
void explore_forget(struct explorer *ex);

/*
 * Damages an arena's info block, or its copy, in the base that was used last, and opens the pool.
 * Returns NULL if the open has repaired it durably, or a text that says what is wrong.
 */
const char *explore_repair(struct explorer *ex, unsigned arena, bool primary);

/* Whether the code of the mutation ran at all since explore_init or explore_forget. */
bool explore_mutant_hit(const struct explorer *ex);

void *explore_alloc(size_t size);

/*
 * Called by the code under test: the running thread has read a value that others may change; a
 * point; a point that counts only if ex->fine is set.
 */
void explore_read(uint64_t value);
void explore_point(void);
void explore_fine_point(void);
bool explore_in_image(const void *p);

/* The lane for the present operation; what identifies the running thread, from 1. */
unsigned explore_lane(void);
unsigned explore_thread(void);

/* The flushes of the running thread are complete, see medium_complete(). */
void explore_complete(void);

/* An image that was kept, as the words that differ from the content at rest. */
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

/* Fills a block with a content; finds the content of a block. */
void explore_fill(void *buf, unsigned char value);
unsigned char explore_identify(const void *data);

#endif
