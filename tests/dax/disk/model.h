/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A model of a pool on an ordinary disk: what writers do, and what a judge may find after a power
 * loss.
 *
 * Some blocks of the pool are tracked; every modification of one gives it a new generation. All
 * other blocks stay zero.
 */
#ifndef MODEL_H
#define MODEL_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpmemblk.h>

#include "disk/content.h"

#define NTRACKED 32
#define MAX_BSIZE 4096
#define MAX_OUTCOMES 30

/* The possible contents of a block: the last confirmed one first, then the unconfirmed ones. */
struct outcomes {
	uint64_t n;
	uint64_t gen[MAX_OUTCOMES];
};

/* The judge's task; a file that is mapped by those who write it and by the judge. */
struct notes {
	uint64_t bsize;
	uint64_t in_place;
	uint64_t created; /* the creation was confirmed */
	struct outcomes block[NTRACKED];
	uint64_t nold, nnew; /* of blocks with several outcomes: what the judge found */
};

/* A pool, or for comparison a file whose blocks are overwritten where they are. */
struct target {
	const char *path;
	size_t bsize;
	PMEMblkpool *pool;
	char *memory;	/* in place of a pool */
	long long last; /* the highest block */
};

/* All are generation 0: zero. */
void notes_reset(struct notes *notes, size_t bsize, bool in_place);
void notes_confirmed(struct notes *notes, unsigned block, uint64_t gen);
void notes_possible(struct notes *notes, unsigned block, uint64_t gen);
struct notes *notes_map(const char *path);

/* The tracked block that operation number op of a thread modifies: one that no other does. */
unsigned model_block(unsigned thread, unsigned nthread, uint64_t op);

/* Where a tracked block is: half of them side by side, half spread to the pool's end. */
long long model_place(const struct target *t, unsigned block);

/* Which of the outcomes a block has, as it was read; -1 if none. */
int model_outcome(const struct notes *notes, unsigned block, const uint64_t *buf,
		  int error);

/* These return 0 or an error number. */
int target_create(struct target *t, const char *path, size_t bsize, size_t size,
		  bool in_place);
int target_open(struct target *t, const char *path, size_t bsize, bool in_place);
int target_modify(const struct target *t, unsigned block, uint64_t gen);
int target_read(const struct target *t, long long lba, uint64_t *buf);
void target_close(struct target *t);

#endif
