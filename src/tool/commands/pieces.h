/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Moves blocks with several threads. A job consists of pieces. The pieces are taken one after the
 * other, and put one after the other in the same order. Between the two steps, several threads
 * work on several pieces at the same time.
 */
#ifndef PIECES_H
#define PIECES_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

struct piece {
	char *buf;	/* of piece_size bytes */
	uint64_t first; /* block */
	size_t nblock;	/* blocks in it */
	size_t len;	/* bytes; the last block may be incomplete */
	/* the number of blocks that work() has done, from the first on */
	size_t ndone;
	const char *why; /* why it has not done more; a text of the thread */
	/* whether the reason is the next block; otherwise it may be any of the rest */
	bool is_block;
	uint64_t number; /* of the piece */
};

struct pieces_job {
	void *arg; /* for the functions */

	/* Takes the next piece, in order. False: there are no more. */
	bool (*take)(void *arg, struct piece *piece);

	/* Works on a piece, at the same time as other threads. */
	void (*work)(void *arg, struct piece *piece);

	/*
	 * Puts a piece, in order. False ends the job: pieces already taken are worked on, but not
	 * put.
	 */
	bool (*put)(void *arg, const struct piece *piece);

	size_t piece_size; /* bytes, a multiple of the block size */
	unsigned nthread;  /* at most */
};

/* False if there is no memory for even one piece. */
bool pieces_run(const struct pieces_job *job) MUST_CHECK;

#endif
