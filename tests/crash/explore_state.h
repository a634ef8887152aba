/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the explorer share.
 */
#ifndef EXPLORE_STATE_H
#define EXPLORE_STATE_H 1

#include "explore.h"
#include "sched.h"

#define NBASE 4
#define PATH_MAX_LEN 4096

/* A set of 64-bit hashes, each with an index. */
struct hashes {
	uint64_t *key;
	unsigned *value;
	size_t cap, n;
};

/* Returns the index of key; *fresh: whether this call has added it. */
unsigned hashes_add(struct hashes *set, uint64_t key, bool *fresh);
void hashes_clear(struct hashes *set);

/* The result of the recovery of an image. */
struct verdict {
	unsigned char value[NTRACKED];
	bool copies;	 /* all copies of info blocks are valid */
	bool judging;	 /* the judgement is not finished yet */
	const char *why; /* NULL: nothing is wrong */
};

/* A point at which more than one thread could run. */
struct branch {
	unsigned char choice;
	unsigned char rest; /* bits of the threads that were not tried yet */
};

/* A medium that is being watched, and the rule by which its images are judged. */
struct watch {
	struct explorer *ex;
	unsigned level;
	struct history *history; /* NULL: all images must have these contents: */
	const unsigned char *value;
	bool nested; /* images after the crash of a recovery */
	/* the call of each thread: its first operation, as an index in the history, and how many */
	unsigned op[NTHREAD];
	unsigned nop[NTHREAD];
	unsigned lose_in; /* events until the kernel fails to write; 0: it does not */
	uint64_t drop;	  /* before one of the next events: see struct scenario */
	unsigned drop_in;
	bool dropped;
};

#define NO_OP UINT32_MAX

struct explorer_state {
	int fd[NBASE];
	bool made[NBASE];
	struct medium medium[NBASE][EXPLORE_LEVELS];
	unsigned char initial[NBASE][NTRACKED];
	uint64_t map_off[NTRACKED];
	uint64_t data_off[NTRACKED]; /* the first data block of the arena */
	uint32_t lbasize;	     /* of a data block */
	uint64_t nfirst;	     /* blocks of the first arena */
	uint64_t info_off[EXPLORE_ARENAS], flog_off[EXPLORE_ARENAS];
	enum explore_base base;

	struct hashes states;  /* of the running scenario */
	struct hashes pending; /* states of media whose images were looked at */
	struct hashes images;  /* index into verdict */
	struct verdict *verdict;
	size_t verdict_cap;

	const struct scenario *scenario;
	struct program program, then;
	struct history history;
	struct watch live;
	void *handle;
	unsigned lane_now; /* the lane for which a process of one thread asks */
	unsigned position[NTHREAD];
	uint64_t trail[NTHREAD];
	struct branch path[PATH_MAX_LEN];
	unsigned npath, depth;
	bool random;
	bool violated, mutant_hit;
	uint64_t rng;
	unsigned nrun;
	char schedule[4096];
	unsigned nschedule;

	struct saved_image *saved;
	size_t nsaved, saved_cap;
};

/* The explorer whose coroutines are running; hooks find it here. */
extern struct explorer *explore_running;

struct medium *explore_level(struct explorer *ex, unsigned level);
void explore_select_base(struct explorer *ex, enum explore_base base);

void explore_violation(struct explorer *ex, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Runs one call, which begins with op, and judges what it returns. */
void explore_apply(struct watch *w, void *handle, unsigned thread, unsigned op_index,
		   const struct op *op);

/* Examines every image that a power loss could leave of the watched medium now. */
void explore_images(struct watch *w);

/* Kills the process that runs on the watched medium and goes on with another. */
void explore_kill(struct watch *w);

/* Called before each event: evicts the pages that the scenario names for it. */
void explore_drop(struct watch *w);

void explore_watch(struct watch *w);
const char *explore_value_name(unsigned char value, char buf[32]);

/* The bump allocator: everything after mark is forgotten. */
size_t explore_heap_mark(void);
void explore_heap_release(size_t mark);
uint64_t explore_heap_hash(void);

#endif
