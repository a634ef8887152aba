/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bare loops that no block pool can beat: the same loads, copies, flushes and fences on the
 * same kind of memory, without a library, locks or checks.
 *
 *	write		non-temporal copy of the block (the widest stores that pay), fence, load of
 *			the old map entry, whose value goes into the record, record of 16 bytes,
 *			flush, fence, map entry of 4 bytes, flush
 *	write, no load	the same without the load, as an earlier benchmark had it
 *	read		load of a map entry, copy of the block that it selects
 *	mix		70 % of the reads, 30 % of the writes
 *	zero		load of a map entry, store, flush, fence; then a write
 *	file		two msyncs of one page each
 *	batches		as write, read and file, but each step for all blocks: the copies, fence, the
 *			loads and records, fence, the map entries; the loads, then the copies; the
 *			pages and an msync from the first to the last of them, a page and an msync
 *	first		the pages of a first layout and of one write, for the first time
 *	open		open, lock, read the header, map, read the flog, store the mark, unmap
 *	check		one pass over the map with a bit for each block
 */
#ifndef LIMITS_H
#define LIMITS_H 1

#include <stddef.h>
#include <stdint.h>

#include "turns.h"
#include "workers.h"

struct limit {
	char *base;
	size_t size;
	char *map;  /* entries of 4 bytes */
	char *flog; /* a line for each thread */
	size_t blocks;
	size_t stride;
	size_t bsize;
	bool loads;
	void (*copy)(char *to, const char *from, size_t n);
	void (*flush)(void *line);
	char path[4096];
};

/* Makes and maps an unlinked file in dir, writes every byte, and fills its map at random. */
void limit_init(struct limit *l, const struct turns_case *c, const char *dir);
void limit_fini(struct limit *l);

/*
 * For workers whose state begins with a pointer to struct limit. Each call does some operations.
 */
void limit_read(struct limit *l, struct worker *w);
void limit_write(struct limit *l, struct worker *w);
void limit_zero(struct limit *l, struct worker *w);
void limit_file(struct limit *l, struct worker *w);

/* The same for n blocks. The buffer of the worker has room for them, and for a line more. */
#define LIMIT_BATCH 128u
void limit_writev(struct limit *l, struct worker *w, unsigned n);
void limit_readv(struct limit *l, struct worker *w, unsigned n);
void limit_filev(struct limit *l, struct worker *w, unsigned n);

/*
 * Makes a file of c->pool_size bytes for the limits of first, open and check; its map is at its
 * end.
 */
void limit_make_file(struct limit *l, const struct turns_case *c, const char *dir);
uint64_t limit_first(struct limit *l);
uint64_t limit_open(struct limit *l);
uint64_t limit_check(struct limit *l);

/* Bulk copies of libpmem: a non-temporal loop and a fence. */
void limit_bulk(struct limit *l, char *to, const char *from, size_t n);
/* Fills in copy and flush for this CPU. */
void limit_choose(struct limit *l);

#endif
