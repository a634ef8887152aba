/* SPDX-License-Identifier: BSD-3-Clause */
/* The metadata of an arena that grows, from the table in tests/support/vectors/grow.csv. */
#include "support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "btt/flog.h"
#include "btt/map.h"
#include "grow/metadata.h"
#include "vectors.h"

#define ARENA ((uint64_t)8192)
#define SMALL 200000u /* blocks that are all looked at */

enum column {
	BLOCK_SIZE,
	OLD_SIZE,
	NEW_SIZE,
	OLD_NLBA,
	NLBA,
	INTERNAL_NLBA,
	MAP,
	FLOG,
	INFO,
	FIRST_ENTRY,
	LAST_ZERO,
	LAST_ZERO_ENTRY,
	APART,
	NCOLUMN
};

static uint64_t number(const struct vectors *v, enum column column)
{
	return strtoull(v->field[column], NULL, 10);
}

static uint64_t no_data(struct storage *s, uint64_t off, uint64_t end)
{
	(void)s;
	(void)off;
	return end;
}

/* An arena of holes that grows. */
struct fixture {
	struct storage s;
	struct metadata_arena arena;
	struct metadata m;
};

static void setup(struct fixture *f, uint64_t old, uint64_t grown, uint32_t bsize)
{
	*f = (struct fixture){.arena.off = ARENA, .m.moves = true, .m.narena = 1};
	f->m.arena = &f->arena;
	assert_int_equal(btt_geometry_arena(old, bsize, &f->m.old), 0);
	assert_int_equal(btt_geometry_arena(grown, bsize, &f->arena.geo), 0);
	f->s.size = ARENA + old;
	f->s.next_data = no_data;
	f->s.base = mmap(NULL, f->s.size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(f->s.base != MAP_FAILED);
}

static void teardown(struct fixture *f)
{
	munmap(f->s.base, f->s.size);
}

static uint32_t entry_of(const struct fixture *f, uint64_t block)
{
	uint64_t off = block * BTT_MAP_ENTRY_SIZE;
	unsigned char page[BTT_PAGE];
	le32 entry;

	metadata_make(&f->m, &f->s, 0, f->arena.geo.map_arena_off + off - off % BTT_PAGE,
		      page);
	memcpy(&entry, page + off % BTT_PAGE, sizeof(entry));
	return le32_to_cpu(entry);
}

/*
 * Every data block that is added, or that a slot gives up, has one owner among the new blocks and
 * the slots that begin anew; no other data block has.
 */
static void assert_owners(const struct fixture *f)
{
	const struct btt_geometry *geo = &f->arena.geo;
	unsigned char *owned = calloc(1, geo->internal_nlba);

	assert_non_null(owned);
	for (uint32_t i = f->m.old.external_nlba; i < geo->external_nlba; i++) {
		uint32_t entry = entry_of(f, i);
		uint32_t block = btt_map_postmap(btt_map_normalize(entry, i));

		assert_true(entry == 0 || btt_map_is_zero(entry));
		assert_true(block < geo->internal_nlba);
		assert_int_equal(owned[block]++, 0);
	}
	for (uint32_t n = 0; n < BTT_NFREE; n++)
		if (f->m.is_fresh[n])
			assert_int_equal(owned[geo->external_nlba + n]++, 0);
	for (uint32_t block = 0; block < geo->internal_nlba; block++) {
		uint32_t n = block - f->m.old.external_nlba;
		bool was_free = block >= f->m.old.external_nlba && n < BTT_NFREE;

		assert_int_equal(owned[block], block >= f->m.old.internal_nlba ||
						   (was_free && f->m.is_fresh[n]));
	}
	free(owned);
}

static void the_table(void **state)
{
	struct vectors v;

	(void)state;
	vectors_open(&v, "grow.csv", ',', NCOLUMN);
	while (vectors_next(&v)) {
		const struct btt_geometry *geo;
		struct fixture f;
		uint64_t x;

		if (SUPPORT_SANITIZED && number(&v, OLD_SIZE) > UINT64_C(1) << 38)
			continue; /* its run time leaves no such room */
		setup(&f, number(&v, OLD_SIZE), number(&v, NEW_SIZE),
		      (uint32_t)number(&v, BLOCK_SIZE));
		geo = &f.arena.geo;
		assert_int_equal(f.m.old.external_nlba, number(&v, OLD_NLBA));
		assert_int_equal(geo->external_nlba, number(&v, NLBA));
		assert_int_equal(geo->internal_nlba, number(&v, INTERNAL_NLBA));
		assert_int_equal(geo->map_arena_off, number(&v, MAP));
		assert_int_equal(geo->flog_arena_off, number(&v, FLOG));
		assert_int_equal(geo->info_arena_off, number(&v, INFO));
		assert_int_equal(geo->map_arena_off >= f.m.old.size, number(&v, APART));
		assert_true(geo->map_arena_off >= f.m.old.map_arena_off);

		assert_int_equal(entry_of(&f, number(&v, OLD_NLBA)),
				 number(&v, FIRST_ENTRY));
		assert_int_equal(entry_of(&f, number(&v, LAST_ZERO)),
				 number(&v, LAST_ZERO_ENTRY));
		if (number(&v, LAST_ZERO) + 1 < geo->external_nlba)
			assert_int_equal(entry_of(&f, number(&v, LAST_ZERO) + 1), 0);
		if (geo->external_nlba < SMALL)
			assert_owners(&f);

		/* of the map only the pages with such entries are named */
		x = metadata_next(&f.m, &f.s, 0, BTT_PAGE);
		assert_int_equal((x - geo->map_arena_off) / BTT_PAGE,
				 number(&v, OLD_NLBA) * 4 / BTT_PAGE);
		while (x < geo->flog_arena_off)
			x = metadata_next(&f.m, &f.s, 0, x + BTT_PAGE);
		assert_int_equal(x, geo->flog_arena_off);
		teardown(&f);
	}
	vectors_close(&v, SUPPORT_SANITIZED ? 8 : 13);
}

/* A page of the new map that would have initial entries only is not named: it stays a hole. */
static void the_last_page_with_entries_is_named_last(void **state)
{
	static const struct {
		uint32_t internal_nlba;
		uint64_t pages; /* of the new map up to the last with an entry */
	} rows[] = {{32767, 32}, {32768, 32}, {32769, 33}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fixture f;
		uint64_t end;

		setup(&f, UINT64_C(16) << 20, UINT64_C(48) << 20, 512);
		f.m.old.internal_nlba = rows[i].internal_nlba;
		f.m.old.external_nlba = rows[i].internal_nlba - BTT_NFREE;
		end = f.arena.geo.map_arena_off + rows[i].pages * BTT_PAGE;
		assert_int_equal(metadata_next(&f.m, &f.s, 0, end - BTT_PAGE),
				 end - BTT_PAGE);
		assert_int_equal(metadata_next(&f.m, &f.s, 0, end),
				 f.arena.geo.flog_arena_off);
		teardown(&f);
	}
}

/* Old entries and the flog move as they are. */
static void what_was_there_stays(void **state)
{
	struct fixture f;
	unsigned char page[BTT_PAGE];
	uint64_t random = 1;

	(void)state;
	setup(&f, UINT64_C(16) << 20, UINT64_C(17) << 20, 512);
	f.s.next_data = NULL;
	for (uint64_t off = f.m.old.map_arena_off; off < f.m.old.info_arena_off;
	     off += 8) {
		uint64_t r = support_random(&random);

		memcpy(f.s.base + ARENA + off, &r, sizeof(r));
	}
	for (uint32_t i = 0; i < f.m.old.external_nlba; i++)
		assert_int_equal(
		    entry_of(&f, i),
		    storage_load32(&f.s, ARENA + f.m.old.map_arena_off + (uint64_t)i * 4,
				   memory_order_relaxed));
	for (uint64_t off = 0; off < f.arena.geo.flog_size; off += BTT_PAGE) {
		metadata_make(&f.m, &f.s, 0, f.arena.geo.flog_arena_off + off, page);
		assert_memory_equal(page, f.s.base + ARENA + f.m.old.flog_arena_off + off,
				    BTT_PAGE);
	}
	/* what stood behind the last entry does not become an entry */
	assert_owners(&f);
	teardown(&f);
}

/* Slots that were never used are those of a new arena; used ones stay. */
static void slots_that_were_never_used_begin_anew(void **state)
{
	struct btt_flog_slot_media slot[BTT_NFREE];
	struct btt_flog_slot_media pristine;
	struct fixture f;
	unsigned char page[BTT_PAGE];
	unsigned char *flog;

	(void)state;
	setup(&f, UINT64_C(16) << 20, UINT64_C(18) << 20, 512);
	flog = f.s.base + ARENA + f.m.old.flog_arena_off;
	for (uint32_t n = 0; n < BTT_NFREE; n++) {
		btt_flog_encode_pristine(n, f.m.old.external_nlba, &slot[n]);
		if (n % 5 == 1)
			slot[n].record[1].lba = cpu_to_le32(7);
		if (n % 5 == 2)
			slot[n].record[0].seq = cpu_to_le32(2);
	}
	memcpy(flog, slot, sizeof(slot));
	metadata_load_slots(&f.m, &f.s);
	for (uint32_t n = 0; n < BTT_NFREE; n++) {
		uint64_t off = (uint64_t)n * sizeof(pristine);

		assert_int_equal(f.m.is_fresh[n], n % 5 != 1 && n % 5 != 2);
		metadata_make(&f.m, &f.s, 0,
			      f.arena.geo.flog_arena_off + off - off % BTT_PAGE, page);
		btt_flog_encode_pristine(n, f.arena.geo.external_nlba, &pristine);
		assert_memory_equal(page + off % BTT_PAGE,
				    f.m.is_fresh[n] ? &pristine : &slot[n],
				    sizeof(pristine));
	}
	assert_owners(&f);
	teardown(&f);

	/* with less than 256 new blocks their data blocks are not free */
	setup(&f, UINT64_C(16) << 20, (UINT64_C(16) << 20) + 65536, 512);
	memcpy(f.s.base + ARENA + f.m.old.flog_arena_off, slot, sizeof(slot));
	metadata_load_slots(&f.m, &f.s);
	for (uint32_t n = 0; n < BTT_NFREE; n++)
		assert_false(f.m.is_fresh[n]);
	assert_owners(&f);
	teardown(&f);
}

/* A new arena begins as a layout leaves it, and its map is not touched. */
static void a_new_arena_is_as_laid_out(void **state)
{
	struct btt_flog_slot_media slot;
	unsigned char page[BTT_PAGE];
	const struct btt_geometry *geo;
	struct fixture f;

	(void)state;
	setup(&f, UINT64_C(16) << 20, UINT64_C(16) << 20, 512);
	f.m.moves = false;
	geo = &f.arena.geo;
	f.arena.info.nfree = cpu_to_le32(BTT_NFREE);
	assert_int_equal(metadata_next(&f.m, &f.s, 0, 0), 0);
	metadata_make(&f.m, &f.s, 0, 0, page);
	assert_memory_equal(page, &f.arena.info, BTT_PAGE);
	assert_int_equal(metadata_next(&f.m, &f.s, 0, BTT_PAGE), geo->flog_arena_off);
	for (uint32_t n = 0; n < BTT_NFREE; n++) {
		uint64_t off = (uint64_t)n * sizeof(slot);

		metadata_make(&f.m, &f.s, 0, geo->flog_arena_off + off - off % BTT_PAGE,
			      page);
		btt_flog_encode_pristine(n, geo->external_nlba, &slot);
		assert_memory_equal(page + off % BTT_PAGE, &slot, sizeof(slot));
	}
	metadata_make(&f.m, &f.s, 0, geo->info_arena_off, page);
	assert_memory_equal(page, &f.arena.info, BTT_PAGE);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_table),
	    cmocka_unit_test(the_last_page_with_entries_is_named_last),
	    cmocka_unit_test(what_was_there_stays),
	    cmocka_unit_test(slots_that_were_never_used_begin_anew),
	    cmocka_unit_test(a_new_arena_is_as_laid_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
