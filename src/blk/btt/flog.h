/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Flog slots: which record of a pair is current, and the bytes of a new record. Pure.
 *
 * A slot holds two records of 16 bytes, which are written in turn. The sequence numbers 1, 2, 3,
 * 1 ... tell which one is newer. A record is written as two halves of 8 bytes, {lba, old_map}
 * before {new_map, seq}. It counts as soon as the second half is stored.
 */
#ifndef BTT_FLOG_H
#define BTT_FLOG_H 1

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "btt/format.h"
#include "btt/map.h"
#include "compiler.h"

struct btt_flog_record {
	uint32_t premap; /* on the medium the field is called lba */
	uint32_t old_map;
	uint32_t new_map;
	uint32_t seq;
};

/* Decodes both records. The slot is read once, so that both are of the same moment. */
static inline void btt_flog_decode(const struct btt_flog_slot_media *slot,
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

static inline uint32_t btt_flog_next_seq(uint32_t seq)
{
	static const uint32_t next[4] = {0, 2, 3, 1};

	return next[seq & 3];
}

/* Returns the index of the current record by both sequence numbers, or -1 if there is none. */
static inline int btt_flog_find_current(uint32_t seq0, uint32_t seq1)
{
	if (seq0 == seq1)
		return -1;
	if (seq0 == 0)
		return 1;
	if (seq1 == 0)
		return 0;
	return btt_flog_next_seq(seq0) == seq1 ? 1 : 0;
}

/*
 * Whether a record that tells of a write names map entries that a write can have replaced and
 * installed. An initial entry is recorded as normal, and what is installed is normal.
 */
static inline bool btt_flog_is_write(const struct btt_flog_record *r)
{
	return !btt_map_is_initial(r->old_map) &&
	       (r->new_map & BTT_MAP_NORMAL) == BTT_MAP_NORMAL;
}

/* The halves of a record, in host order, for two aligned stores of 8 bytes. */
static inline uint64_t btt_flog_first_half(uint32_t premap, uint32_t old_map)
{
	return (uint64_t)old_map << 32 | premap;
}

static inline uint64_t btt_flog_second_half(uint32_t new_map, uint32_t seq)
{
	return (uint64_t)seq << 32 | new_map;
}

/* Encodes slot n as a layout writes it: block external_nlba + n is free, nothing was logged. */
void btt_flog_encode_pristine(uint32_t n, uint32_t external_nlba,
			      struct btt_flog_slot_media *slot);

#endif
