/* SPDX-License-Identifier: BSD-3-Clause */
#include "repair/witness.h"

#include <string.h>

#include "btt/info.h"

static bool is_witness(const struct image *image, uint64_t off, struct witness *witness)
{
	uint64_t start = image->params.data_off;
	struct btt_info_media m;
	struct btt_info info;

	memcpy(&m, storage_at(&image->storage, off), sizeof(m));
	if (btt_info_decode(&m, &m.parent_uuid, le32_to_cpu(m.external_lbasize),
			    image->params.data_size, &info) != BTT_INFO_VALID)
		return false;
	if (off != start && off != start + info.geo.info_arena_off)
		return false;
	witness->parent = m.parent_uuid;
	witness->bsize = info.geo.external_lbasize;
	return true;
}

bool witness_find(const struct image *image, struct witness *witness)
{
	uint64_t start = image->params.data_off;
	uint64_t size = btt_geometry_arena_size(image->params.data_size, 0);
	struct witness copy;
	bool primary = is_witness(image, start, witness);

	if (!is_witness(image, start + size - BTT_INFO_SIZE, &copy))
		return primary;
	if (!primary || uuid_equals(&copy.parent, &image->params.parent))
		*witness = copy;
	return true;
}
