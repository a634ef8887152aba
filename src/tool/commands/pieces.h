/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Moving blocks with several threads. A job is cut into pieces, which are taken one after
 * the other and put one after the other, in the same order; between the two, threads work
 * on them at the same time.
 */
#ifndef PIECES_H
#define PIECES_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

struct piece {
	char *buf;	 /* of piece_size bytes */
	uint64_t first;	 /* block */
	size_t nblock;	 /* blocks in it */
	size_t len;	 /* bytes that the last block may fill in part only */
	size_t ndone;	 /* blocks that work() has managed, from the first on */
	const char *why; /* why it managed no more; of the thread's own */
	uint64_t number; /* of the piece */
};

struct pieces_job {
	void *arg; /* for the functions */

	/* The next piece, in order. False: there are no more. */
	bool (*take)(void *arg, struct piece *piece);

	/* Concurrently. */
	void (*work)(void *arg, struct piece *piece);

	/* In order. False ends the job: pieces that were taken are worked on, but not put. */
	bool (*put)(void *arg, const struct piece *piece);

	size_t piece_size; /* bytes, a multiple of the block size */
	unsigned nthread;  /* at most */
};

/* False if there is no memory for even one piece. */
bool pieces_run(const struct pieces_job *job) MUST_CHECK;

#endif
