/* SPDX-License-Identifier: BSD-3-Clause */
#include "ref.h"

#include <stdio.h>
#include <string.h>

#define FLAGS UINT32_C(0xc0000000)
#define ZERO UINT32_C(0x80000000)
#define ERROR UINT32_C(0x40000000)
#define NORMAL UINT32_C(0xc0000000)
#define INDEX UINT32_C(0x3fffffff)

#define CENSUS_MAX 81920u /* data blocks of an arena */

static uint32_t get32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static uint64_t get64(const unsigned char *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

uint64_t ref_checksum(const unsigned char *page, unsigned skip)
{
	uint32_t lo = 0, hi = 0;

	for (unsigned at = 0; at < 4096; at += 4) {
		lo += at >= 4088 || at >= skip ? 0 : get32(page + at);
		hi += lo;
	}
	return (uint64_t)hi << 32 | lo;
}

static bool is_info(const unsigned char *p, const unsigned char parent[16])
{
	return memcmp(p, "BTT_ARENA_INFO\0", 16) == 0 &&
	       memcmp(p + 32, parent, 16) == 0 && (p[52] || p[53]) &&
	       ref_checksum(p, 4096) == get64(p + 4088);
}

static uint32_t entry_of(const struct ref *ref, const struct ref_arena *a, uint32_t lba)
{
	uint32_t entry = get32(ref->image + a->map + (uint64_t)lba * 4);

	for (unsigned i = a->nredo; i-- > 0;)
		if (a->redo[i].lba == lba)
			return a->redo[i].entry;
	return entry & FLAGS ? entry : lba | NORMAL;
}

static int current_record(uint32_t a, uint32_t b)
{
	static const uint32_t succ[4] = {0, 2, 3, 1};

	if (a == b)
		return -1;
	if (a == 0 || b == 0)
		return a == 0;
	return succ[a & 3] == b;
}

static const char *recover_arena(struct ref *ref, struct ref_arena *a, uint64_t total)
{
	for (unsigned n = 0; n < REF_NFREE; n++) {
		const unsigned char *slot = ref->image + a->flog + n * 64;
		int cur = current_record(get32(slot + 12), get32(slot + 28));
		const unsigned char *rec = slot + 16 * cur;
		uint32_t lba, old, new;

		if (get32(slot) >= total || get32(slot + 16) >= total)
			return "a flog record names a block that the pool does not have";
		if (cur < 0)
			return "a flog slot without a current record";
		lba = get32(rec);
		old = get32(rec + 4);
		new = get32(rec + 8);
		a->free_block[n] = old & INDEX;
		if (old == new)
			continue;
		if (lba >= a->nlba)
			return "a flog record names a block of another arena";
		if (entry_of(ref, a, lba) == old)
			a->redo[a->nredo++] = (struct ref_redo){lba, new};
	}
	return NULL;
}

const char *ref_recover(struct ref *ref, const unsigned char *image, uint64_t size,
			uint32_t bsize, const unsigned char parent[16])
{
	uint64_t off = REF_DATA_OFF, total = 0, next;

	ref->image = image;
	ref->laid_out = false;
	ref->narena = 0;
	ref->copies = true;
	do {
		const unsigned char *info = image + off;
		struct ref_arena *a = &ref->arena[ref->narena++];

		if (!is_info(info, parent)) {
			ref->narena = 0;
			return NULL;
		}
		if (get32(info + 56) != bsize || get32(info + 72) != REF_NFREE)
			return "an info block of another pool";
		next = get64(info + 80);
		a->off = off;
		a->nlba = get32(info + 60);
		a->lbasize = get32(info + 64);
		a->nblock = get32(info + 68);
		a->data = off + get64(info + 88);
		a->map = off + get64(info + 96);
		a->flog = off + get64(info + 104);
		a->nredo = 0;
		if (off + get64(info + 112) + 4096 > size ||
		    a->flog + REF_NFREE * 64 > size ||
		    a->map + 4 * (uint64_t)a->nlba > a->flog)
			return "an info block whose numbers lead out of the pool";
		ref->copies = ref->copies &&
			      memcmp(info, image + off + get64(info + 112), 4096) == 0;
		total += a->nlba;
		off += next;
		if (off + 4096 > size || (next && ref->narena == REF_ARENA_MAX))
			return "an arena out of the pool";
	} while (next);
	ref->laid_out = true;
	for (unsigned i = 0; i < ref->narena; i++) {
		const char *why = recover_arena(ref, &ref->arena[i], total);

		if (why)
			return why;
	}
	return NULL;
}

static const struct ref_arena *arena_of(const struct ref *ref, uint64_t *lba)
{
	const struct ref_arena *a = ref->arena;

	while (*lba >= a->nlba)
		*lba -= a++->nlba;
	return a;
}

uint64_t ref_map_off(const struct ref *ref, uint64_t lba)
{
	const struct ref_arena *a = arena_of(ref, &lba);

	return a->map + 4 * lba;
}

uint64_t ref_data_off(const struct ref *ref, uint64_t lba)
{
	return arena_of(ref, &lba)->data;
}

enum ref_state ref_block(const struct ref *ref, uint64_t lba, const unsigned char **data)
{
	const struct ref_arena *a;
	uint32_t raw, entry;

	if (!ref->laid_out)
		return REF_ZERO;
	a = arena_of(ref, &lba);
	raw = get32(ref->image + a->map + 4 * lba);
	entry = entry_of(ref, a, (uint32_t)lba);
	if ((entry & FLAGS) == ERROR)
		return REF_ERROR;
	if ((entry & FLAGS) == ZERO ||
	    (entry == ((uint32_t)lba | NORMAL) && !(raw & FLAGS)))
		return REF_ZERO;
	*data = ref->image + a->data + (uint64_t)(entry & INDEX) * a->lbasize;
	return REF_DATA;
}

/*
 * An initial entry owns the block of its own number. So it is enough to check the other entries
 * and the free list: they must own different blocks, none of which is that of an initial entry,
 * and the numbers must add up.
 */
struct census {
	const struct ref *ref;
	const struct ref_arena *arena;
	uint32_t owned[CENSUS_MAX];
	unsigned n;
	const char *why;
};

static bool is_initial(const struct ref *ref, const struct ref_arena *a, uint32_t lba)
{
	for (unsigned i = 0; i < a->nredo; i++)
		if (a->redo[i].lba == lba)
			return false;
	return !(get32(ref->image + a->map + 4 * (uint64_t)lba) & FLAGS);
}

static void own(struct census *c, uint32_t block)
{
	/* the number of the last census that met the block */
	static uint32_t met[CENSUS_MAX], number;

	if (c->n == 0)
		number++;
	if (block >= c->arena->nblock || block >= CENSUS_MAX || c->n == CENSUS_MAX) {
		c->why = "a block number out of range";
		return;
	}
	if (met[block] == number)
		c->why = "a data block has two owners";
	met[block] = number;
	c->owned[c->n++] = block;
}

static void census_arena(struct census *c)
{
	const struct ref_arena *a = c->arena;
	const unsigned char *map = c->ref->image + a->map;

	c->n = 0;
	for (uint32_t lba = 0; lba < a->nlba; lba++) {
		if (lba % 2 == 0 && lba + 1 < a->nlba &&
		    get64(map + 4 * (uint64_t)lba) == 0)
			lba++; /* nearly all entries are initial */
		else if (get32(map + 4 * (uint64_t)lba) & FLAGS)
			own(c, entry_of(c->ref, a, lba) & INDEX);
	}
	for (unsigned i = 0; i < a->nredo; i++) {
		uint32_t lba = a->redo[i].lba;
		bool first = !(get32(map + 4 * (uint64_t)lba) & FLAGS);

		for (unsigned j = 0; j < i; j++)
			first = first && a->redo[j].lba != lba;
		if (first)
			own(c, entry_of(c->ref, a, lba) & INDEX);
	}
	for (unsigned n = 0; n < REF_NFREE; n++)
		own(c, a->free_block[n]);
	for (unsigned i = 0; i < c->n && !c->why; i++)
		if (c->owned[i] < a->nlba && is_initial(c->ref, a, c->owned[i]))
			c->why = "a data block has two owners, one of them initial";
}

const char *ref_census(const struct ref *ref)
{
	static struct census c;

	c.ref = ref;
	c.why = NULL;
	for (unsigned i = 0; ref->laid_out && i < ref->narena && !c.why; i++) {
		c.arena = &ref->arena[i];
		census_arena(&c);
	}
	return c.why;
}
