/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Consistency: map and free list together name every data block of an arena exactly once.
 *
 * The table is opened in the private copy first, so interrupted writes count as finished, as
 * they will be when the pool is opened next. What recovery could repair is damage all the same:
 * the pool would open and work, but the medium has lost something.
 */
#include "btt/check.h"

#include <errno.h>

#include "base/alloc.h"
#include "btt/arena.h"
#include "btt/find.h"
#include "btt/map.h"
#include "btt/recover.h"
#include "errormsg.h"

struct census {
	const struct btt *btt;
	const struct btt_arena *arena;
	unsigned char *seen; /* one bit for each data block */
	bool damaged;
};

static void count(struct census *c, uint32_t postmap, const char *what, uint32_t number)
{
	unsigned char bit = (unsigned char)(1u << postmap % 8);

	if (postmap >= c->arena->info.geo.internal_nlba) {
		c->damaged = true;
		errormsg_set("%s: arena at offset %#llx: %s %u names data block %u of %u",
			     c->btt->params.name, ULL(c->arena->off), what, number,
			     postmap, c->arena->info.geo.internal_nlba);
	} else if (c->seen[postmap / 8] & bit) {
		c->damaged = true;
		errormsg_set(
		    "%s: arena at offset %#llx: %s %u names data block %u, which has "
		    "another owner",
		    c->btt->params.name, ULL(c->arena->off), what, number, postmap);
	} else {
		c->seen[postmap / 8] |= bit;
	}
}

static int check_arena(const struct btt *btt, const struct btt_arena *arena,
		       bool *damaged)
{
	const struct btt_geometry *geo = &arena->info.geo;
	struct census c = {btt, arena, alloc_zeroed(geo->internal_nlba / 8 + 1), false};

	if (!c.seen)
		return errormsg_fail(ENOMEM,
				     "%s: out of memory for the census of %u blocks",
				     btt->params.name, geo->internal_nlba);
	for (uint32_t i = 0; i < geo->external_nlba; i++) {
		uint32_t entry = storage_load32(btt->storage, btt_arena_map_off(arena, i),
						memory_order_relaxed);

		count(&c, btt_map_postmap(btt_map_normalize(entry, i)), "map entry", i);
	}
	for (unsigned n = 0; n < BTT_NFREE; n++)
		if (arena->slot[n].free_block != BTT_NO_BLOCK)
			count(&c, arena->slot[n].free_block, "flog slot", n);
	for (uint32_t i = 0; i < geo->internal_nlba; i++) {
		if (c.seen[i / 8] & 1u << i % 8)
			continue;
		c.damaged = true;
		errormsg_set("%s: arena at offset %#llx: data block %u belongs to nobody",
			     btt->params.name, ULL(arena->off), i);
	}
	*damaged = *damaged || c.damaged;
	alloc_free(c.seen);
	return 0;
}

int btt_check(struct storage *s, const struct btt_params *params)
{
	struct btt_found found;
	bool damaged = false;
	struct btt *btt;
	int ret;

	ret = btt_setup(s, params, &btt, &found);
	if (ret)
		return ret;
	if (found.layout == BTT_LAYOUT_VALID)
		ret = btt_recover(btt, &found, &damaged);
	for (unsigned i = 0; !ret && i < btt->narena; i++)
		ret = check_arena(btt, &btt->arena[i], &damaged);
	if (!ret)
		ret = found.layout == BTT_LAYOUT_LOST || damaged ? 0 : 1;
	btt_find_free(&found);
	btt_close(btt);
	return ret;
}
