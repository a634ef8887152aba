/* SPDX-License-Identifier: BSD-3-Clause */
#include "btt/runs.h"

#include "btt/modify.h"

unsigned btt_cursor_count(struct btt_cursor c, unsigned max)
{
	unsigned n = 0;

	while (n < max && btt_cursor_has_more(&c)) {
		size_t left = c.run->nblock - c.at;

		n += left < max - n ? (unsigned)left : max - n;
		c.at = c.run->nblock;
	}
	return n;
}

void btt_blame(const struct btt *btt, const struct btt_arena *arena, uint32_t premap,
	       long long *failed)
{
	uint64_t lba = premap;

	for (const struct btt_arena *a = btt->arena; a < arena; a++)
		lba += a->info.geo.external_nlba;
	*failed = (long long)lba;
}

int btt_check_arenas(const struct btt *btt, uint64_t lba, uint64_t nblock,
		     long long *failed)
{
	uint64_t begin = 0;

	for (unsigned i = 0; i < btt->narena; i++) {
		const struct btt_arena *arena = &btt->arena[i];
		uint64_t end = begin + arena->info.geo.external_nlba;

		if (btt_arena_is_read_only(arena) && nblock && lba < end &&
		    lba + nblock > begin) {
			*failed = (long long)(lba > begin ? lba : begin);
			return btt_fail_read_only(btt, arena);
		}
		begin = end;
	}
	return 0;
}
