/* SPDX-License-Identifier: BSD-3-Clause */
#include "btt/flog.h"

#include <string.h>

uint32_t btt_flog_next_seq(uint32_t seq)
{
	static const uint32_t next[4] = {0, 2, 3, 1};

	return next[seq & 3];
}

int btt_flog_find_current(uint32_t seq0, uint32_t seq1)
{
	if (seq0 == seq1)
		return -1;
	if (seq0 == 0)
		return 1;
	if (seq1 == 0)
		return 0;
	return btt_flog_next_seq(seq0) == seq1 ? 1 : 0;
}

void btt_flog_decode(const struct btt_flog_slot_media *slot,
		     struct btt_flog_record record[2])
{
	struct btt_flog_record_media m[2];

	memcpy(m, slot->record, sizeof(m));
	for (int i = 0; i < 2; i++) {
		record[i].premap = le32_to_cpu(m[i].lba);
		record[i].old_map = le32_to_cpu(m[i].old_map);
		record[i].new_map = le32_to_cpu(m[i].new_map);
		record[i].seq = le32_to_cpu(m[i].seq);
	}
}

void btt_flog_encode_pristine(uint32_t n, uint32_t external_nlba,
			      struct btt_flog_slot_media *slot)
{
	memset(slot, 0, sizeof(*slot));
	slot->record[0].lba = cpu_to_le32(n);
	slot->record[0].old_map = cpu_to_le32(BTT_MAP_ZERO | (external_nlba + n));
	slot->record[0].new_map = slot->record[0].old_map;
	slot->record[0].seq = cpu_to_le32(1);
}
