/* SPDX-License-Identifier: BSD-3-Clause */
#include "repair/repair.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "btt/check.h"
#include "errormsg.h"
#include "pool/shutdown_state.h"
#include "pool/header.h"

static bool is_witness(const struct image *image, uint64_t off,
		       struct repair_witness *witness)
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

bool repair_find_witness(const struct image *image, struct repair_witness *witness)
{
	uint64_t start = image->params.data_off;
	uint64_t size = btt_geometry_arena_size(image->params.data_size, 0);
	struct repair_witness copy;
	bool primary = is_witness(image, start, witness);

	if (!is_witness(image, start + size - BTT_INFO_SIZE, &copy))
		return primary;
	/* Of two that disagree the one that the header knows is right. */
	if (!primary ||
	    memcmp(&copy.parent, &image->params.parent, sizeof(copy.parent)) == 0)
		*witness = copy;
	return true;
}

int repair_descriptor(struct image *image, struct plan *plan)
{
	const struct btt_params *p = &image->params;
	struct repair_witness witness;
	le32 bsize;
	int ret;

	if (plan->cannot_be_mended)
		return 0;
	if (!repair_find_witness(image, &witness) ||
	    memcmp(&witness.parent, &p->parent, sizeof(p->parent)) != 0) {
		uint64_t nblock;

		if (btt_geometry_count(p->data_size, p->bsize, &nblock) == 0)
			return 0;
		return plan_note_hopeless(plan,
					  "descriptor: blocks of %u bytes do not fit the "
					  "pool, and no info block "
					  "tells the right size",
					  p->bsize);
	}
	if (witness.bsize == p->bsize)
		return 0;
	ret =
	    plan_note(plan, "descriptor: block size %u is wrong: the info block says %u",
		      p->bsize, witness.bsize);
	if (ret < 0)
		return ret;
	bsize = cpu_to_le32(witness.bsize);
	ret = plan_change(plan, image, PLAN_HEADER,
			  POOL_DESCRIPTOR_OFF + offsetof(struct pool_descriptor, bsize),
			  &bsize, sizeof(bsize));
	image_load_params(image);
	return ret;
}

int repair_shutdown_state(struct image *image, struct plan *plan)
{
	struct shutdown_state modules;
	struct pool_header h;
	struct pool_sds sds;
	int ret;

	memcpy(&h, storage_at(&image->storage, 0), sizeof(h));
	if (plan->cannot_be_mended || !pool_header_keeps_sds(&h))
		return 0;
	ret = image_read_modules(image, &modules);
	if (ret < 0 || shutdown_state_check(&h.sds, &modules, image->path) == 0)
		return ret;
	ret = plan_note(plan,
			"shutdown state: %s; it is set to closed, although blocks "
			"written last may be old ones",
			errormsg_get());
	if (ret < 0)
		return ret;
	shutdown_state_make(&sds, &modules, false);
	return plan_change(plan, image, PLAN_HEADER, offsetof(struct pool_header, sds),
			   &sds, sizeof(sds));
}

/* The planned state of the image has to be a consistent pool, or nothing is to be done. */
static int verify(struct image *image, struct plan *plan)
{
	struct pool_header h;
	int ret;

	if (plan->cannot_be_mended)
		return 0;
	memcpy(&h, storage_at(&image->storage, 0), sizeof(h));
	if (pool_header_check(&h, image->path) < 0)
		ret = -EINVAL;
	else
		ret = btt_check(&image->storage, &image->params);
	if (ret == 0 || ret == -EINVAL)
		return plan_note_hopeless(plan, "this would be left: %s", errormsg_get());
	return ret < 0 ? ret : 0;
}

int repair_plan(struct image *image, struct plan *plan)
{
	struct btt_found found = {0};
	int ret = repair_header(image, plan);

	if (ret == 0)
		ret = repair_descriptor(image, plan);
	if (ret == 0)
		ret = repair_infos(image, plan);
	if (ret == 0 && !plan->cannot_be_mended)
		ret = btt_find_layout(&image->storage, &image->params, &found);
	if (ret == 0 && found.narena)
		ret = repair_table(image, plan, &found);
	btt_find_free(&found);
	if (ret == 0)
		ret = repair_shutdown_state(image, plan);
	if (ret == 0)
		ret = verify(image, plan);
	return ret;
}
