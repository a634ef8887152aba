/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads many blocks by single reads, one after the other. Before it copies the first block of a
 * group, it prefetches the map entries of the group and then the beginnings of its data blocks,
 * so that the cache misses overlap.
 */
#include "btt/read_runs.h"

#include "btt/modify.h"
#include "btt/read.h"

/* The blocks of a group, and the bytes that are prefetched of each; the L1 cache holds both. */
#define GROUP 32u
#define AHEAD ((size_t)512)

/* Prefetches the entries of a group, and the data of its normal ones. */
static void prefetch_blocks(const struct btt *btt, struct btt_cursor c, unsigned n)
{
	const struct btt_view *view[GROUP];
	uint32_t premap[GROUP];
	size_t ahead = btt->params.bsize < AHEAD ? btt->params.bsize : AHEAD;
	unsigned found = 0;

	for (; n && btt_cursor_has_more(&c); n--, c.at++) {
		struct btt_arena *arena;

		if (btt_find_arena(btt, btt_cursor_lba(&c), &arena, &premap[found]))
			continue;
		view[found] = &arena->view;
		__builtin_prefetch(&view[found]->map[premap[found]]);
		found++;
	}
	for (unsigned i = 0; i < found; i++) {
		uint32_t postmap;
		const unsigned char *data;

		/* relaxed: only a hint; the read loads the entry again */
		postmap = BTT_MAP_NORMAL ^
			  le32_to_cpu((le32){atomic_load_explicit(
			      &view[i]->map[premap[i]], memory_order_relaxed)});
		if (postmap >= view[i]->nblock)
			continue;
		data = view[i]->data + (uint64_t)postmap * view[i]->stride;
		for (size_t at = 0; at < ahead; at += 64)
			__builtin_prefetch(data + at);
	}
}

int btt_read_runs(struct btt *btt, const struct btt_run *run, size_t nrun,
		  long long *failed)
{
	struct btt_cursor c = {.run = run, .nrun = nrun};

	*failed = BTT_NOBODY;
	while (btt_cursor_has_more(&c)) {
		unsigned n = btt_cursor_count(c, GROUP);

		if (n > 1 && btt_is_laid_out(btt))
			prefetch_blocks(btt, c, n);
		for (; n && btt_cursor_has_more(&c); n--, c.at++) {
			uint64_t lba = btt_cursor_lba(&c);
			int ret =
			    btt_read(btt, btt_cursor_buf(&c, btt->params.bsize), lba);

			if (unlikely(ret)) {
				*failed = (long long)lba;
				return ret;
			}
		}
	}
	return 0;
}
