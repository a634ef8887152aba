/* SPDX-License-Identifier: BSD-3-Clause */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "btt/info.h"
#include "base/fletcher64.h"

#define ROOM (UINT64_C(16) << 20)

static struct btt_info_media block;
static struct uuid parent;

static int load_vector(void **state)
{
	const char *path = support_source("tests/support/vectors/btt-info-512.hex");
	size_t len;
	unsigned char *p = support_load_sparse(path, &len);

	(void)state;
	assert_int_equal(len, sizeof(block));
	memcpy(&block, p, sizeof(block));
	parent = block.parent_uuid;
	free(p);
	return 0;
}

static void reseal(void)
{
	size_t field = offsetof(struct btt_info_media, checksum);

	block.checksum = cpu_to_le64(fletcher64(&block, sizeof(block), field, 0));
}

static enum btt_info_verdict decode(struct btt_info *info)
{
	return btt_info_decode(&block, &parent, 512, ROOM, info);
}

static void the_vector_decodes_and_encodes_to_itself(void **state)
{
	struct btt_info info;
	struct btt_info_media again;

	(void)state;
	assert_int_equal(decode(&info), BTT_INFO_VALID);
	assert_int_equal(info.geo.external_nlba, 32202);
	assert_int_equal(info.geo.internal_nlba, 32458);
	assert_int_equal(info.geo.info_arena_off, 0xfff000);
	assert_false(info.error);
	assert_false(info.has_next);
	btt_info_encode(&info, &parent, &again);
	assert_memory_equal(&again, &block, sizeof(block));
}

static void any_flipped_bit_is_noticed(void **state)
{
	unsigned char *p = (unsigned char *)&block;
	struct btt_info info;

	(void)state;
	for (size_t bit = 0; bit < 8 * sizeof(block); bit += bit < 960 ? 1 : 31) {
		p[bit / 8] ^= (unsigned char)(1u << bit % 8);
		assert_int_not_equal(decode(&info), BTT_INFO_VALID);
		p[bit / 8] ^= (unsigned char)(1u << bit % 8);
	}
}

static void wrong_numbers_are_refused_in_spite_of_a_sound_checksum(void **state)
{
	static const size_t field[][2] = {{56, 4}, {60, 4},  {64, 4}, {68, 4},
					  {72, 4}, {76, 4},  {80, 8}, {88, 8},
					  {96, 8}, {104, 8}, {112, 8}};
	static const uint64_t value[] = {1,	     0,		 4096,	     UINT32_MAX,
					 UINT64_MAX, 1ull << 39, 1ull << 63, 0xfff001};
	unsigned char *p = (unsigned char *)&block;
	struct btt_info info;

	(void)state;
	for (size_t f = 0; f < sizeof(field) / sizeof(field[0]); f++)
		for (size_t v = 0; v < sizeof(value) / sizeof(value[0]); v++) {
			struct btt_info_media saved = block;

			memcpy(p + field[f][0], &value[v], field[f][1]);
			if (memcmp(&saved, &block, sizeof(block)) == 0)
				continue;
			reseal();
			assert_int_equal(decode(&info), BTT_INFO_MISFIT);
			block = saved;
		}
}

static void another_pools_block_is_foreign(void **state)
{
	struct btt_info info;

	(void)state;
	block.parent_uuid.bytes[3] ^= 1;
	reseal();
	assert_int_equal(decode(&info), BTT_INFO_FOREIGN);
}

static void without_a_signature_it_is_no_info_block(void **state)
{
	struct btt_info info;

	(void)state;
	block.signature[0] = 'X';
	reseal();
	assert_int_equal(decode(&info), BTT_INFO_NONE);
	memset(&block, 0, sizeof(block));
	assert_int_equal(decode(&info), BTT_INFO_NONE);
}

static void version_zero_is_refused_and_later_ones_are_read(void **state)
{
	struct btt_info info;

	(void)state;
	block.major = cpu_to_le16(0);
	reseal();
	assert_int_equal(decode(&info), BTT_INFO_BROKEN);
	block.major = cpu_to_le16(2);
	block.minor = cpu_to_le16(77);
	reseal();
	assert_int_equal(decode(&info), BTT_INFO_VALID);
}

static void the_last_page_may_be_cut_off_and_no_more(void **state)
{
	struct btt_info info;

	(void)state;
	assert_int_equal(btt_info_decode(&block, &parent, 512, ROOM - 4096, &info),
			 BTT_INFO_VALID);
	assert_int_equal(btt_info_decode(&block, &parent, 512, ROOM - 8192, &info),
			 BTT_INFO_MISFIT);
	assert_int_equal(btt_info_decode(&block, &parent, 512, ROOM + (1u << 20), &info),
			 BTT_INFO_VALID);
}

static void only_a_full_arena_may_have_a_successor(void **state)
{
	const uint64_t full = UINT64_C(1) << 39;
	struct btt_info info = {.has_next = true};

	(void)state;
	assert_int_equal(btt_geometry_arena(full, 512, &info.geo), 0);
	btt_info_encode(&info, &parent, &block);
	assert_int_equal(btt_info_decode(&block, &parent, 512, 2 * full, &info),
			 BTT_INFO_VALID);
	assert_true(info.has_next);
	block.nextoff = cpu_to_le64(full / 2);
	reseal();
	assert_int_equal(btt_info_decode(&block, &parent, 512, 2 * full, &info),
			 BTT_INFO_MISFIT);
}

#define CASE(name) cmocka_unit_test_setup(name, load_vector)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(the_vector_decodes_and_encodes_to_itself),
	    CASE(any_flipped_bit_is_noticed),
	    CASE(wrong_numbers_are_refused_in_spite_of_a_sound_checksum),
	    CASE(another_pools_block_is_foreign),
	    CASE(without_a_signature_it_is_no_info_block),
	    CASE(version_zero_is_refused_and_later_ones_are_read),
	    CASE(the_last_page_may_be_cut_off_and_no_more),
	    CASE(only_a_full_arena_may_have_a_successor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
