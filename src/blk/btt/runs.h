/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Vectors of blocks. If a call for a vector fails, *failed is the number of the block that has
 * caused the error, or BTT_NOBODY if no single block has.
 */
#ifndef BTT_RUNS_H
#define BTT_RUNS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "btt/arena.h"
#include "compiler.h"

#define BTT_NOBODY (-1LL)

/* Consecutive blocks and their buffer. The same as the public struct pmemblk_iovec. */
struct btt_run {
	void *buf;
	long long lba;
	size_t nblock;
};

/* A place in a vector. */
struct btt_cursor {
	const struct btt_run *run;
	size_t nrun;
	size_t at; /* the next block of the first run */
};

/* Whether there is another block. Skips runs without blocks. */
static inline bool btt_cursor_has_more(struct btt_cursor *c)
{
	while (c->nrun && c->at == c->run->nblock) {
		c->run++;
		c->nrun--;
		c->at = 0;
	}
	return c->nrun != 0;
}

static inline uint64_t btt_cursor_lba(const struct btt_cursor *c)
{
	return (uint64_t)c->run->lba + c->at;
}

static inline unsigned char *btt_cursor_buf(const struct btt_cursor *c, size_t bsize)
{
	return (unsigned char *)c->run->buf + c->at * bsize;
}

/* The number of blocks that are left, at most max. */
unsigned btt_cursor_count(struct btt_cursor c, unsigned max);

/* Sets *failed to the block that has this premap number in the arena. */
void btt_blame(const struct btt *btt, const struct btt_arena *arena, uint32_t premap,
	       long long *failed);

/* -EIO, message and *failed set: one of these blocks is in a read-only arena. */
int btt_check_arenas(const struct btt *btt, uint64_t lba, uint64_t nblock,
		     long long *failed) MUST_CHECK;

#endif
