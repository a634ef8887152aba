/* SPDX-License-Identifier: BSD-3-Clause */
#include "btt/info.h"

#include <stddef.h>
#include <string.h>

#include "base/fletcher64.h"

static uint64_t checksum(const struct btt_info_media *m)
{
	return fletcher64(m, sizeof(*m), offsetof(struct btt_info_media, checksum), 0);
}

/*
 * The block itself states the size of its arena (infooff + one page). All its other numbers have
 * to follow from this size. With a size from the file, pools whose file has grown since the
 * layout would be refused.
 */
static bool decode_numbers(const struct btt_info_media *m, uint32_t bsize, uint64_t room,
			   struct btt_info *info)
{
	uint64_t infooff = le64_to_cpu(m->infooff);
	uint64_t nextoff = le64_to_cpu(m->nextoff);
	struct btt_geometry *geo = &info->geo;

	if (infooff % BTT_PAGE || infooff > BTT_ARENA_MAX_SIZE - BTT_INFO_SIZE ||
	    infooff + BTT_INFO_SIZE < BTT_ARENA_MIN_SIZE || infooff > room)
		return false;
	if (btt_geometry_arena(infooff + BTT_INFO_SIZE, bsize, geo))
		return false;
	if (nextoff != 0 && (nextoff != geo->size || geo->size != BTT_ARENA_MAX_SIZE))
		return false;
	if (le32_to_cpu(m->external_lbasize) != bsize ||
	    le32_to_cpu(m->external_nlba) != geo->external_nlba ||
	    le32_to_cpu(m->internal_lbasize) != geo->internal_lbasize ||
	    le32_to_cpu(m->internal_nlba) != geo->internal_nlba ||
	    le32_to_cpu(m->nfree) != BTT_NFREE ||
	    le32_to_cpu(m->infosize) != BTT_INFO_SIZE ||
	    le64_to_cpu(m->dataoff) != geo->data_arena_off ||
	    le64_to_cpu(m->mapoff) != geo->map_arena_off ||
	    le64_to_cpu(m->flogoff) != geo->flog_arena_off)
		return false;
	info->uuid = m->uuid;
	info->error = (le32_to_cpu(m->flags) & BTT_INFO_FLAG_ERROR) != 0;
	info->has_next = nextoff != 0;
	return true;
}

enum btt_info_verdict btt_info_decode(const void *block, const struct uuid *parent,
				      uint32_t bsize, uint64_t room,
				      struct btt_info *info)
{
	struct btt_info_media m;
	struct btt_info decoded;

	/* a copy, because another process may change the shared page between two checks */
	memcpy(&m, block, sizeof(m));
	if (memcmp(m.signature, BTT_INFO_SIGNATURE, BTT_INFO_SIGNATURE_SIZE) != 0)
		return BTT_INFO_NONE;
	if (le64_to_cpu(m.checksum) != checksum(&m) || le16_to_cpu(m.major) == 0)
		return BTT_INFO_BROKEN;
	if (!uuid_equals(&m.parent_uuid, parent))
		return BTT_INFO_FOREIGN;
	if (!decode_numbers(&m, bsize, room, &decoded))
		return BTT_INFO_MISFIT;
	*info = decoded;
	return BTT_INFO_VALID;
}

bool btt_info_may_be_of(const void *block, const struct uuid *parent)
{
	const size_t half = sizeof(*parent) / 2;
	struct btt_info_media m;

	memcpy(&m, block, sizeof(m));
	return memcmp(m.parent_uuid.bytes, parent->bytes, half) == 0 ||
	       memcmp(m.parent_uuid.bytes + half, parent->bytes + half, half) == 0;
}

void btt_info_encode(const struct btt_info *info, const struct uuid *parent,
		     struct btt_info_media *m)
{
	const struct btt_geometry *geo = &info->geo;

	memset(m, 0, sizeof(*m));
	memcpy(m->signature, BTT_INFO_SIGNATURE, BTT_INFO_SIGNATURE_SIZE);
	m->uuid = info->uuid;
	m->parent_uuid = *parent;
	m->flags = cpu_to_le32(info->error ? BTT_INFO_FLAG_ERROR : 0);
	m->major = cpu_to_le16(BTT_INFO_MAJOR);
	m->minor = cpu_to_le16(BTT_INFO_MINOR);
	m->external_lbasize = cpu_to_le32(geo->external_lbasize);
	m->external_nlba = cpu_to_le32(geo->external_nlba);
	m->internal_lbasize = cpu_to_le32(geo->internal_lbasize);
	m->internal_nlba = cpu_to_le32(geo->internal_nlba);
	m->nfree = cpu_to_le32(BTT_NFREE);
	m->infosize = cpu_to_le32(BTT_INFO_SIZE);
	m->nextoff = cpu_to_le64(info->has_next ? geo->size : 0);
	m->dataoff = cpu_to_le64(geo->data_arena_off);
	m->mapoff = cpu_to_le64(geo->map_arena_off);
	m->flogoff = cpu_to_le64(geo->flog_arena_off);
	m->infooff = cpu_to_le64(geo->info_arena_off);
	m->checksum = cpu_to_le64(checksum(m));
}
