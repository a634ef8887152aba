/* SPDX-License-Identifier: BSD-3-Clause */
#include "cases_scale.h"

#include "cases_blk.h"

#define SIZE ((size_t)64 << 20)

static void *prepare(const struct turns_case *c, const char *dir, enum turns_party party)
{
	static struct turns_case blk; /* a process works on one case at a time */

	blk = cases_blk_find(c->name, c->is_disk);
	blk.pool_size = c->pool_size;
	if (party == CASES_SCALE_OURS_TWO || party == CASES_SCALE_ORIGINAL_TWO)
		blk.threads = 2;
	return blk.prepare(&blk, dir, TURNS_OURS);
}

struct turns_case cases_scale_find(const char *name, bool is_disk)
{
	struct turns_case c = cases_blk_find(name, is_disk);

	c.prepare = prepare;
	c.has_limit = true; /* the fourth party takes part */
	if (!is_disk)
		c.pool_size = SIZE;
	return c;
}
