/* SPDX-License-Identifier: BSD-3-Clause */
#include "btt/flog.h"

#include <string.h>

void btt_flog_encode_pristine(uint32_t n, uint32_t external_nlba,
			      struct btt_flog_slot_media *slot)
{
	memset(slot, 0, sizeof(*slot));
	slot->record[0].lba = cpu_to_le32(n);
	slot->record[0].old_map = cpu_to_le32(BTT_MAP_ZERO | (external_nlba + n));
	slot->record[0].new_map = slot->record[0].old_map;
	slot->record[0].seq = cpu_to_le32(1);
}
