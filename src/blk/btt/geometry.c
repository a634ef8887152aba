/* SPDX-License-Identifier: BSD-3-Clause */
#include "btt/geometry.h"

#include <errno.h>

#include "btt/format.h"

static uint64_t round_up(uint64_t x, uint64_t unit)
{
	return (x + unit - 1) / unit * unit;
}

uint64_t btt_geometry_arena_size(uint64_t data_size, uint64_t start)
{
	uint64_t left = start < data_size ? data_size - start : 0;

	left -= left % BTT_PAGE;
	if (left < BTT_ARENA_MIN_SIZE)
		return 0;
	return left < BTT_ARENA_MAX_SIZE ? left : BTT_ARENA_MAX_SIZE;
}

int btt_geometry_arena(uint64_t arena_size, uint32_t bsize, struct btt_geometry *geo)
{
	uint64_t lbasize = bsize < BTT_MIN_LBASIZE ? BTT_MIN_LBASIZE : bsize;
	uint64_t flog_size = round_up((uint64_t)BTT_NFREE * BTT_FLOG_SLOT_SIZE, BTT_PAGE);
	uint64_t fixed =
	    2 * BTT_INFO_SIZE + flog_size + BTT_PAGE; /* a page to align the map */
	uint64_t nlba;

	lbasize = round_up(lbasize, BTT_LBASIZE_UNIT);
	if (bsize == 0 || lbasize > UINT32_MAX || arena_size < fixed ||
	    arena_size > BTT_ARENA_MAX_SIZE)
		return -EINVAL;
	nlba = (arena_size - fixed) / (lbasize + BTT_MAP_ENTRY_SIZE);
	if (nlba < 2 * BTT_NFREE)
		return -EINVAL;

	geo->size = arena_size;
	geo->external_lbasize = bsize;
	geo->internal_lbasize = (uint32_t)lbasize;
	geo->internal_nlba = (uint32_t)nlba;
	geo->external_nlba = (uint32_t)(nlba - BTT_NFREE);
	geo->data_arena_off = BTT_INFO_SIZE;
	geo->flog_size = flog_size;
	geo->map_size =
	    round_up((uint64_t)geo->external_nlba * BTT_MAP_ENTRY_SIZE, BTT_PAGE);
	geo->info_arena_off = arena_size - BTT_INFO_SIZE;
	geo->flog_arena_off = geo->info_arena_off - geo->flog_size;
	geo->map_arena_off = geo->flog_arena_off - geo->map_size;
	return 0;
}

int btt_geometry_count(uint64_t data_size, uint32_t bsize, uint64_t *nblock)
{
	uint64_t start = 0;
	uint64_t size;
	uint64_t n = 0;

	while ((size = btt_geometry_arena_size(data_size, start)) != 0) {
		struct btt_geometry geo;
		int ret = btt_geometry_arena(size, bsize, &geo);

		if (ret)
			return ret;
		n += geo.external_nlba;
		start += size;
	}
	if (n == 0)
		return -EINVAL;
	*nblock = n;
	return 0;
}
