/* SPDX-License-Identifier: BSD-3-Clause */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "btt/geometry.h"
#include "vectors.h"

#define HEADERS 8192u

static uint64_t data_size(uint64_t poolsize)
{
	return poolsize - poolsize % 4096 - HEADERS;
}

static void block_counts_equal_the_vectors(void **state)
{
	struct vectors v;

	(void)state;
	vectors_open(&v, "nblocks.csv", ',', 3);
	while (vectors_next(&v)) {
		uint64_t size = data_size(strtoull(v.field[0], NULL, 10));
		uint64_t bsize = strtoull(v.field[1], NULL, 10);
		uint64_t n = 0;
		int ret;

		assert_true(bsize <= UINT32_MAX);
		ret = btt_geometry_count(size, (uint32_t)bsize, &n);
		if (strcmp(v.field[2], "EINVAL") == 0) {
			assert_int_equal(ret, -EINVAL);
		} else {
			assert_int_equal(ret, 0);
			assert_int_equal(n, strtoull(v.field[2], NULL, 10));
		}
	}
	vectors_close(&v, 140);
}

static void areas_equal_the_vectors(void **state)
{
	struct vectors rows;

	(void)state;
	vectors_open(&rows, "geometry.csv", ',', 15);
	while (vectors_next(&rows)) {
		struct btt_geometry geo;
		uint64_t v[15];
		uint64_t size;
		bool last;

		for (int i = 0; i < 15; i++)
			v[i] = strtoull(rows.field[i], NULL, 10);
		size = btt_geometry_arena_size(data_size(v[0]), v[3]);
		assert_int_equal(btt_geometry_arena(size, (uint32_t)v[1], &geo), 0);
		assert_int_equal(geo.external_lbasize, v[4]);
		assert_int_equal(geo.internal_lbasize, v[5]);
		assert_int_equal(geo.external_nlba, v[6]);
		assert_int_equal(geo.internal_nlba, v[7]);
		assert_int_equal(geo.data_arena_off, v[11]);
		assert_int_equal(geo.map_arena_off, v[12]);
		assert_int_equal(geo.flog_arena_off, v[13]);
		assert_int_equal(geo.info_arena_off, v[14]);
		last = btt_geometry_arena_size(data_size(v[0]), v[3] + size) == 0;
		assert_int_equal(last ? 0 : size, v[10]);
	}
	vectors_close(&rows, 18);
}

static void areas_never_overlap(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint64_t size =
		    (support_random(&seed) % (1u << 27) + (16u << 20)) / 4096 * 4096;
		uint32_t bsize = (uint32_t)(support_random(&seed) % 100000);
		struct btt_geometry g;

		if (btt_geometry_arena(size, bsize, &g))
			continue;
		assert_true(g.data_arena_off +
				(uint64_t)g.internal_nlba * g.internal_lbasize <=
			    g.map_arena_off);
		assert_true(g.map_arena_off + g.external_nlba * 4ull <= g.flog_arena_off);
		assert_true(g.flog_arena_off + 256 * 64 <= g.info_arena_off);
		assert_int_equal(g.info_arena_off + 4096, size);
		assert_true(g.external_nlba >= 256);
		assert_true(g.internal_lbasize >= bsize);
	}
}

static void absurd_block_sizes_are_refused(void **state)
{
	const uint64_t full = UINT64_C(1) << 39;
	struct btt_geometry g;
	uint64_t n;

	(void)state;
	assert_int_equal(btt_geometry_arena(16u << 20, 0, &g), -EINVAL);
	assert_int_equal(btt_geometry_arena(full, UINT32_MAX, &g), -EINVAL);
	assert_int_equal(btt_geometry_arena(full, 0xffffff01, &g), -EINVAL);
	assert_int_equal(btt_geometry_arena(4096, 512, &g), -EINVAL);
	assert_int_equal(btt_geometry_count((16u << 20) - 4096, 512, &n), -EINVAL);
	assert_int_equal(btt_geometry_count(0, 512, &n), -EINVAL);
	/* the first arena could hold them, the last one cannot */
	assert_int_equal(btt_geometry_count(full + (16u << 20), 1u << 20, &n), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(block_counts_equal_the_vectors),
	    cmocka_unit_test(areas_equal_the_vectors),
	    cmocka_unit_test(areas_never_overlap),
	    cmocka_unit_test(absurd_block_sizes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
