/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/sizes.h"

#include "base/pool_format.h"
#include "btt/format.h"
#include "btt/geometry.h"

/* The longest pool with one arena. Up to this length, a longer pool can have larger blocks. */
#define MAX_ONE_ARENA (POOL_DATA_OFF + BTT_ARENA_MAX_SIZE)

static bool fits(uint64_t bsize, uint64_t size)
{
	uint64_t nblock;

	return size >= POOL_MIN_SIZE && bsize <= UINT32_MAX &&
	       btt_geometry_count(size - size % POOL_PAGE - POOL_DATA_OFF,
				  (uint32_t)bsize, &nblock) == 0;
}

uint64_t sizes_smallest_pool(uint64_t bsize)
{
	uint64_t lo = POOL_MIN_SIZE / POOL_PAGE;
	uint64_t hi = MAX_ONE_ARENA / POOL_PAGE;

	if (!fits(bsize, hi * POOL_PAGE))
		return 0;
	while (lo < hi) {
		uint64_t middle = (lo + hi) / 2;

		if (fits(bsize, middle * POOL_PAGE))
			hi = middle;
		else
			lo = middle + 1;
	}
	return lo * POOL_PAGE;
}

/* 0 if the pool is too small for blocks of any size. */
static uint64_t largest_block(uint64_t size)
{
	uint64_t lo = 0;
	uint64_t hi = UINT32_MAX;

	while (lo < hi) {
		uint64_t middle = hi - (hi - lo) / 2;

		if (fits(middle, size))
			lo = middle;
		else
			hi = middle - 1;
	}
	return lo;
}

bool sizes_fit(const struct tool_command *self, uint64_t bsize, uint64_t size)
{
	uint64_t smallest = sizes_smallest_pool(bsize);

	if (fits(bsize, size))
		return true;
	if (smallest == 0)
		tool_usage_error(self,
				 "no pool can have blocks of %llu bytes: 1 to %llu are "
				 "possible",
				 ULL(bsize), ULL(largest_block(MAX_ONE_ARENA)));
	else if (size < POOL_MIN_SIZE)
		tool_usage_error(self,
				 "%llu bytes are too few for a pool: with blocks of %llu "
				 "bytes it has at least %llu",
				 ULL(size), ULL(bsize), ULL(smallest));
	else if (size < smallest)
		tool_usage_error(self,
				 "a pool with blocks of %llu bytes has at least %llu "
				 "bytes; one of %llu bytes can have blocks of 1 to %llu",
				 ULL(bsize), ULL(smallest), ULL(size),
				 ULL(largest_block(size)));
	/* the rest behind the last full arena is large enough for smaller blocks only */
	else
		tool_usage_error(
		    self,
		    "a pool of %llu bytes can have blocks of 1 to %llu bytes; for blocks "
		    "of %llu bytes make it %llu bytes long",
		    ULL(size), ULL(largest_block(size)), ULL(bsize),
		    ULL(size - (size - POOL_DATA_OFF) % BTT_ARENA_MAX_SIZE));
	return false;
}
