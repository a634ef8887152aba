/* SPDX-License-Identifier: BSD-3-Clause */
/* What the pages of a pool hold, in words (image/place.h). */
#include "support.h"

#include <string.h>

#include "base/pool_format.h"
#include "btt/geometry.h"
#include "image/place.h"

#define MIB (UINT64_C(1) << 20)
#define ARENA UINT64_C(8192)

/* Only the descriptor is read. */
static unsigned char start[2 * POOL_PAGE];

static void assert_place(uint64_t size, uint32_t bsize, uint64_t off, const char *want)
{
	struct poolset_mapping map = {.base = start, .size = size};
	le32 value = cpu_to_le32(bsize);
	char text[128];

	memcpy(start + POOL_DESCRIPTOR_OFF, &value, sizeof(value));
	place_describe(&map, off, text, sizeof(text));
	if (strcmp(text, want) != 0)
		fail_msg("offset %llu: '%s' instead of '%s'", (unsigned long long)off,
			 text, want);
}

/* A pool of 32 MiB with 7919 blocks of 4000 bytes has its map at 33492992, and its flog at 33525760. */
static void each_page_of_an_arena_has_a_name(void **state)
{
	static const struct {
		uint64_t off;
		const char *text;
	} pages[] = {
	    {0, "the header"},
	    {4096, "the descriptor"},
	    {ARENA, "an info block of arena 0"},
	    {ARENA + 4096, "data of arena 0"},
	    {ARENA + 33488896, "data of arena 0"},
	    {ARENA + 33492992, "the map entries of blocks 0 to 1023"},
	    {ARENA + 33497088, "the map entries of blocks 1024 to 2047"},
	    {ARENA + 33521664, "the map entries of blocks 7168 to 7918"},
	    {ARENA + 33525760, "the flog of arena 0"},
	    {ARENA + 33538048, "the flog of arena 0"},
	    {ARENA + 33542144, "an info block of arena 0"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		assert_place(32 * MIB, 4000, pages[i].off, pages[i].text);
}

static void blocks_are_counted_through_all_arenas(void **state)
{
	const uint64_t arena_size = UINT64_C(512) << 30;
	const uint64_t size = 2 * arena_size + ARENA + 64 * MIB;
	struct btt_geometry full;
	struct btt_geometry last;
	char text[128];

	(void)state;
	assert_int_equal(btt_geometry_arena(arena_size, 4096, &full), 0);
	assert_int_equal(btt_geometry_arena(64 * MIB, 4096, &last), 0);
	assert_place(size, 4096, ARENA, "an info block of arena 0");
	assert_place(size, 4096, ARENA + arena_size - 4096, "an info block of arena 0");
	assert_place(size, 4096, ARENA + arena_size, "an info block of arena 1");
	assert_place(size, 4096, ARENA + arena_size + 4096, "data of arena 1");
	snprintf(text, sizeof(text), "the map entries of blocks %llu to %llu",
		 (unsigned long long)full.external_nlba,
		 (unsigned long long)full.external_nlba + 1023);
	assert_place(size, 4096, ARENA + arena_size + full.map_arena_off, text);
	snprintf(text, sizeof(text), "the map entries of blocks %llu to %llu",
		 (unsigned long long)full.external_nlba * 2 + 1024,
		 (unsigned long long)full.external_nlba * 2 + 2047);
	assert_place(size, 4096, ARENA + 2 * arena_size + last.map_arena_off + 4096,
		     text);
	assert_place(size, 4096, ARENA + 2 * arena_size + last.flog_arena_off,
		     "the flog of arena 2");
	assert_place(size, 4096, size - 4096, "an info block of arena 2");
}

static void without_a_block_size_only_the_beginning_is_known(void **state)
{
	(void)state;
	assert_place(32 * MIB, 0, 0, "the header");
	assert_place(32 * MIB, 0, 4096, "the descriptor");
	assert_place(32 * MIB, 0, ARENA, "the data area");
	assert_place(32 * MIB, UINT32_MAX, ARENA, "the data area");
	assert_place(32 * MIB, 512, 40 * MIB, "the data area");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_page_of_an_arena_has_a_name),
	    cmocka_unit_test(blocks_are_counted_through_all_arenas),
	    cmocka_unit_test(without_a_block_size_only_the_beginning_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
