/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Flog slots: which record of a pair is current, and the bytes of a new one. Pure.
 *
 * A slot holds two 16-byte records that are written in turn. The sequence numbers 1, 2, 3, 1 ...
 * tell which one is newer; each record is written as two 8-byte halves, {lba, old_map} before
 * {new_map, seq}, and counts from the moment that the second half is there.
 */
#ifndef BTT_FLOG_H
#define BTT_FLOG_H 1

#include <stdbool.h>
#include <stdint.h>

#include "btt/format.h"
#include "compiler.h"

struct btt_flog_record {
	uint32_t premap; /* on the medium the field is called lba */
	uint32_t old_map;
	uint32_t new_map;
	uint32_t seq;
};

/* Decoded records; the slot is read once, so that both come from the same moment. */
void btt_flog_decode(const struct btt_flog_slot_media *slot,
		     struct btt_flog_record record[2]);

/* Index of the current record by both sequence numbers, or -1 if they do not tell. */
int btt_flog_find_current(uint32_t seq0, uint32_t seq1);

uint32_t btt_flog_next_seq(uint32_t seq);

/* The halves of a record as host-order values of two aligned 8-byte stores. */
static inline uint64_t btt_flog_first_half(uint32_t premap, uint32_t old_map)
{
	return (uint64_t)old_map << 32 | premap;
}

static inline uint64_t btt_flog_second_half(uint32_t new_map, uint32_t seq)
{
	return (uint64_t)seq << 32 | new_map;
}

/* Slot n as a layout leaves it: block external_nlba + n is free, nothing was logged. */
void btt_flog_encode_pristine(uint32_t n, uint32_t external_nlba,
			      struct btt_flog_slot_media *slot);

#endif
