/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random damage to a pool file, by kinds: header, descriptor, shutdown state, info blocks (with
 * right and wrong checksums), map entries (duplicate, out of range, old value), flog slots
 * (duplicate, cyclic, stale, garbage), map and flog together, and the length of the file.
 */
#ifndef DAMAGES_H
#define DAMAGES_H 1

#include <stddef.h>

#include "base/fletcher64.h"
#include "base/pool_format.h"
#include "btt/info.h"
#include "pool/header.h"
#include "pool_file.h"

#define MAX_LENGTH_CHANGE 8192u

static inline uint32_t pick(uint64_t *random, uint32_t n)
{
	return (uint32_t)(support_random(random) % n);
}

static inline void put_sum(struct pool_file *f, uint64_t page, size_t field, size_t skip)
{
	le64 sum = cpu_to_le64(fletcher64(f->p + page, 4096, field, skip));

	put_bytes(f, page + field, &sum, sizeof(sum));
}

/* --- the first two pages ----------------------------------------------------------------- */

static void mend_header(struct pool_file *f)
{
	struct pool_header h;
	const size_t field = offsetof(struct pool_header, checksum);

	memcpy(&h, f->p, sizeof(h));
	put_sum(f, 0, field,
		pool_header_has(h.incompat, POOL_INCOMPAT_CKSUM_2K)
		    ? offsetof(struct pool_header, unused2)
		    : field);
}

static void header_bytes(struct pool_file *f, uint64_t *random)
{
	for (uint32_t n = 1 + pick(random, 4); n > 0; n--)
		f->p[pick(random, 4096)] ^= (unsigned char)(1u << pick(random, 8));
}

static void header_field(struct pool_file *f, uint64_t *random)
{
	uint32_t at = pick(random, 4) ? 4 * pick(random, 38) : 8 + 4 * pick(random, 4);

	put32(f, at,
	      pick(random, 2) ? get32(f, at) ^ 1u << pick(random, 32)
			      : (uint32_t)support_random(random));
	if (pick(random, 4))
		mend_header(f);
}

static void header_gone(struct pool_file *f, uint64_t *random)
{
	memset(f->p, pick(random, 2) ? 0 : 0xff, pick(random, 2) ? 4096 : 8192);
}

static void header_ro_compat(struct pool_file *f, uint64_t *random)
{
	put32(f, offsetof(struct pool_header, ro_compat), 1u << pick(random, 32));
	mend_header(f);
}

static void block_size(struct pool_file *f, uint64_t *random)
{
	static const uint32_t sizes[] = {0, 1, 512, 4096, 8192, 0xffffffff};

	put32(f, POOL_DESCRIPTOR_OFF,
	      pick(random, 2) ? sizes[pick(random, 6)]
			      : (uint32_t)support_random(random));
}

/* Open, on other memory modules; with any features, with a right or a wrong checksum. */
static void shutdown_state(struct pool_file *f, uint64_t *random)
{
	uint64_t at = offsetof(struct pool_header, sds);
	struct pool_sds sds = {.usc = cpu_to_le64(pick(random, 3)),
			       .uuid = cpu_to_le64(pick(random, 3)),
			       .dirty = (uint8_t)pick(random, 2)};

	if (pick(random, 4))
		sds.checksum = cpu_to_le64(fletcher64(
		    &sds, sizeof(sds), offsetof(struct pool_sds, checksum), 0));
	put_bytes(f, at, &sds, sizeof(sds));
	if (pick(random, 2))
		put32(f, offsetof(struct pool_header, incompat),
		      pick(random, 2) ? POOL_INCOMPAT_SDS : pick(random, 8));
	if (pick(random, 4))
		mend_header(f);
}

/* Open on other modules, in a header whose checksum covers that. */
static void shutdown_state_under_the_sum(struct pool_file *f, uint64_t *random)
{
	struct pool_sds sds = {.usc = cpu_to_le64(7), .uuid = cpu_to_le64(8), .dirty = 1};

	sds.checksum = cpu_to_le64(
	    fletcher64(&sds, sizeof(sds), offsetof(struct pool_sds, checksum), 0));
	put_bytes(f, offsetof(struct pool_header, sds), &sds, sizeof(sds));
	put32(f, offsetof(struct pool_header, incompat),
	      pick(random, 4) ? POOL_INCOMPAT_SDS : 0);
	mend_header(f);
}

/* --- info blocks ------------------------------------------------------------------------- */

static void info_bytes(struct pool_file *f, uint64_t *random)
{
	uint64_t page = pick(random, 2) ? ARENA : copy_off(f);

	for (uint32_t n = 1 + pick(random, 4); n > 0; n--) {
		uint64_t at = page + pick(random, pick(random, 2) ? 128 : 4096);

		if (at < f->len)
			f->p[at] ^= (unsigned char)(1u << pick(random, 8));
	}
}

static void info_field(struct pool_file *f, uint64_t *random)
{
	uint32_t which = 1 + pick(random, 3);
	uint32_t at = 4 * pick(random, 32);
	uint32_t value = pick(random, 2) ? get32(f, ARENA + at) ^ 1u << pick(random, 32)
					 : (uint32_t)support_random(random);

	for (int i = 0; i < 2; i++) {
		uint64_t page = i ? copy_off(f) : ARENA;

		if (!(which & 1u << i) || page + 4096 > f->len)
			continue;
		put32(f, page + at, value);
		put_sum(f, page, offsetof(struct btt_info_media, checksum), 0);
	}
}

static void info_gone(struct pool_file *f, uint64_t *random)
{
	static const unsigned char zero[4096];
	uint32_t which = 1 + pick(random, 3);

	if (which & 1)
		put_bytes(f, ARENA, zero, sizeof(zero));
	if (which & 2)
		put_bytes(f, copy_off(f), zero, sizeof(zero));
}

/* --- map ----------------------------------------------------------------------------------- */

static uint32_t pick_written(const struct pool_file *f, uint64_t *random)
{
	uint32_t n = f->geo.external_nlba;

	for (uint32_t i = pick(random, n), left = n; left > 0; left--, i = (i + 1) % n)
		if (!btt_map_is_initial(get32(f, map_off(f, i))))
			return i;
	return 0;
}

static void entry_twice(struct pool_file *f, uint64_t *random)
{
	uint32_t from = pick_written(f, random);

	for (uint32_t n = 1 + pick(random, 3); n > 0; n--)
		put32(f, map_off(f, pick_written(f, random)), get_entry(f, from));
}

static void entry_out_of_range(struct pool_file *f, uint64_t *random)
{
	put32(f, map_off(f, pick_written(f, random)),
	      (uint32_t)support_random(random) | 0x20000000);
}

static void entry_at_random(struct pool_file *f, uint64_t *random)
{
	put32(f, map_off(f, pick_written(f, random)),
	      pick(random, f->geo.internal_nlba) | pick(random, 4) << 30);
}

static void entry_flags(struct pool_file *f, uint64_t *random)
{
	uint64_t at = map_off(f, pick_written(f, random));

	put32(f, at, get32(f, at) ^ (1 + pick(random, 3)) << 30);
}

static void entry_fallen_back(struct pool_file *f, uint64_t *random)
{
	put32(f, map_off(f, pick_written(f, random)), 0);
}

static void sector_of_the_map(struct pool_file *f, uint64_t *random)
{
	static const unsigned char zero[512];
	uint64_t at = map_off(f, pick_written(f, random)) & ~UINT64_C(511);
	uint64_t other = map_off(f, pick_written(f, random)) & ~UINT64_C(511);
	unsigned char sector[512];

	memcpy(sector, f->p + (other < f->len ? other : 0), sizeof(sector));
	put_bytes(f, at, pick(random, 2) ? zero : sector, sizeof(sector));
}

/* --- flog ---------------------------------------------------------------------------------- */

/* A slot, mostly one that was used. *cur: its current record, else 0. */
static unsigned pick_slot(const struct pool_file *f, uint64_t *random, int *cur,
			  struct btt_flog_record record[2])
{
	unsigned n = pick(random, pick(random, 4) ? 64 : BTT_NFREE);

	get_slot(f, n, record);
	*cur = btt_flog_find_current(record[0].seq, record[1].seq);
	if (*cur < 0)
		*cur = 0;
	return n;
}

static void slot_twice(struct pool_file *f, uint64_t *random)
{
	unsigned char slot[BTT_FLOG_SLOT_SIZE];
	struct btt_flog_record r[2];
	int cur;
	uint64_t from = slot_off(f, pick_slot(f, random, &cur, r));

	if (from + sizeof(slot) > f->len)
		return;
	memcpy(slot, f->p + from, sizeof(slot));
	put_bytes(f, slot_off(f, pick_slot(f, random, &cur, r)), slot, sizeof(slot));
}

/* One field of one record: another slot's, a map entry, garbage. */
static void record_field(struct pool_file *f, uint64_t *random)
{
	struct btt_flog_record r[2];
	int cur;
	unsigned n = pick_slot(f, random, &cur, r);
	uint64_t at = record_off(f, n, (int)pick(random, 2)) + 4 * pick(random, 4);
	unsigned other = pick_slot(f, random, &cur, r);

	switch (pick(random, 4)) {
	case 0:
		put32(f, at, (uint32_t)support_random(random));
		break;
	case 1:
		put32(f, at, get32(f, record_off(f, other, cur) + at % 16));
		break;
	case 2:
		put32(f, at, get_entry(f, pick_written(f, random)));
		break;
	default:
		put32(f, at, pick(random, 5));
	}
}

static void record_cyclic(struct pool_file *f, uint64_t *random)
{
	struct btt_flog_record r[2];
	int cur;
	unsigned n = pick_slot(f, random, &cur, r);

	if (pick(random, 2))
		r[cur].new_map = r[cur].old_map;
	else
		r[cur].old_map = (r[cur].new_map & BTT_MAP_LBA_MASK) |
				 (r[cur].old_map & BTT_MAP_FLAGS);
	put_record(f, n, cur, &r[cur]);
}

/* The newer record, or its second half, never reached the medium. */
static void slot_stale(struct pool_file *f, uint64_t *random)
{
	struct btt_flog_record r[2];
	int cur;
	unsigned n = pick_slot(f, random, &cur, r);

	r[cur].seq = 0;
	r[cur].new_map = pick(random, 2) ? 0 : r[cur].new_map;
	put_record(f, n, cur, &r[cur]);
}

static void same_sequence(struct pool_file *f, uint64_t *random)
{
	struct btt_flog_record r[2];
	int cur;
	unsigned n = pick_slot(f, random, &cur, r);

	r[0].seq = r[1].seq = pick(random, 4);
	put_record(f, n, 0, &r[0]);
	put_record(f, n, 1, &r[1]);
}

static void sector_of_the_flog(struct pool_file *f, uint64_t *random)
{
	static const unsigned char zero[512];

	put_bytes(f, slot_off(f, 8 * pick(random, BTT_NFREE / 8)), zero, sizeof(zero));
}

/* --- map and flog -------------------------------------------------------------------------- */

static void last_write_fallen_back(struct pool_file *f, uint64_t *random)
{
	struct btt_flog_record r[2];
	int cur;

	pick_slot(f, random, &cur, r);
	if (r[cur].premap >= f->geo.external_nlba)
		return;
	put32(f, map_off(f, r[cur].premap), r[cur].old_map);
	if (pick(random, 2))
		put32(f, map_off(f, pick_written(f, random)), r[cur].new_map);
}

static void last_two_writes_fallen_back(struct pool_file *f, uint64_t *random)
{
	struct btt_flog_record r[2];
	int cur;

	pick_slot(f, random, &cur, r);
	for (int i = 0; i < 2; i++)
		if (r[i].seq && r[i].premap < f->geo.external_nlba)
			put32(f, map_off(f, r[i].premap), r[i].old_map);
}

/* The record that is not current names no block, and the free block is in use. */
static void slot_to_clear_and_to_rewrite(struct pool_file *f, uint64_t *random)
{
	struct btt_flog_record r[2];
	int cur;
	unsigned n = pick_slot(f, random, &cur, r);

	r[cur ^ 1].premap = f->geo.external_nlba + pick(random, 1000);
	r[cur].old_map = get_entry(f, pick_written(f, random));
	put_record(f, n, 0, &r[0]);
	put_record(f, n, 1, &r[1]);
}

static void entry_of_a_free_block(struct pool_file *f, uint64_t *random)
{
	struct btt_flog_record r[2];
	int cur;

	pick_slot(f, random, &cur, r);
	put32(f, map_off(f, pick_written(f, random)), BTT_MAP_NORMAL | r[cur].old_map);
}

/* --- length -------------------------------------------------------------------------------- */

static void length_cut(struct pool_file *f, uint64_t *random)
{
	f->len -= pick(random, 4) ? 1 + pick(random, 4096) : 1 + pick(random, 8192);
}

static void length_grown(struct pool_file *f, uint64_t *random)
{
	size_t n = 1 + pick(random, MAX_LENGTH_CHANGE);

	memset(f->p + f->len, pick(random, 2) ? 0 : 0x5a, n);
	f->len += n;
}

/* --------------------------------------------------------------------------------------------- */

struct damage_kind {
	const char *name;
	void (*apply)(struct pool_file *f, uint64_t *random);
};

#define KIND(f)                                                                          \
	{                                                                                \
#f, f                                                                    \
	}

static const struct damage_kind damage_kinds[] = {
    KIND(header_bytes),
    KIND(header_field),
    KIND(header_gone),
    KIND(header_ro_compat),
    KIND(block_size),
    KIND(shutdown_state),
    KIND(shutdown_state_under_the_sum),
    KIND(info_bytes),
    KIND(info_field),
    KIND(info_gone),
    KIND(entry_twice),
    KIND(entry_out_of_range),
    KIND(entry_at_random),
    KIND(entry_flags),
    KIND(entry_fallen_back),
    KIND(sector_of_the_map),
    KIND(slot_twice),
    KIND(record_field),
    KIND(record_cyclic),
    KIND(slot_stale),
    KIND(same_sequence),
    KIND(sector_of_the_flog),
    KIND(last_write_fallen_back),
    KIND(last_two_writes_fallen_back),
    KIND(slot_to_clear_and_to_rewrite),
    KIND(entry_of_a_free_block),
    KIND(length_cut),
    KIND(length_grown),
};

/* Makes one to four damages; what receives their names. The file has room to grow a little. */
static inline void damage(struct pool_file *f, uint64_t *random, char *what, size_t size)
{
	static const uint32_t counts[] = {1, 1, 1, 2, 2, 3, 4};
	uint32_t n = counts[pick(random, 7)];
	bool resized = false;
	size_t at = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct damage_kind *kind =
		    &damage_kinds[pick(random, ARRAY_SIZE(damage_kinds))];
		bool resizes = kind->apply == length_cut || kind->apply == length_grown;

		if (resizes && resized)
			continue;
		resized = resized || resizes;
		kind->apply(f, random);
		at += (size_t)snprintf(what + at, size - at, "%s%s", at ? ", " : "",
				       kind->name);
	}
}

#endif
