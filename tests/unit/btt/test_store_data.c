/* SPDX-License-Identifier: BSD-3-Clause */
/* Which bytes a write of a block stores in the data area, for block sizes of all kinds, and when. */
#include "btt/batch.h"

#include "btt_fixture.h"

#define OLD 0xee
#define STRIDE_MAX 4352u

static unsigned char data[STRIDE_MAX]; /* of each block that is written */
static struct fixture f;
static uint32_t bsize;
static uint32_t stride;
static uint64_t data_end;
static unsigned nfence; /* of the write under test */

static uint64_t block_off(uint32_t i)
{
	return DATA_OFF + 4096 + (uint64_t)i * stride;
}

static uint32_t nblock(void)
{
	return (uint32_t)((data_end - block_off(0)) / stride);
}

/* Fails unless the n blocks that changed have the new data, zeros to the end of the line, and no more. */
static void expect_stored(uint32_t n)
{
	uint32_t line_end = (bsize + 63) / 64 * 64;
	static unsigned char want[STRIDE_MAX], old[STRIDE_MAX];
	uint32_t found = 0;

	memset(want, OLD, stride);
	memset(want, 0, line_end);
	memcpy(want, data, bsize);
	memset(old, OLD, stride);
	for (uint32_t i = 0; i < nblock(); i++) {
		const void *at = storage_at(&f.ram.s, block_off(i));

		if (memcmp(at, old, stride) == 0)
			continue;
		found++;
		if (memcmp(at, want, stride) != 0)
			fail_msg("block size %u: wrong bytes in data block %u", bsize, i);
	}
	assert_int_equal(found, n);
}

static uint32_t expected_blocks;

static void look_at_first_fence(void)
{
	if (nfence++ == 0)
		expect_stored(expected_blocks);
}

static void forget_the_data(void)
{
	memset(f.ram.s.base + block_off(0), OLD, data_end - block_off(0));
	nfence = 0;
}

static void whole_lines_are_stored_ahead_of_the_first_fence(void **state)
{
	static const uint32_t sizes[] = {1,   63,  64,	65,  127,  128,	 511,
					 512, 513, 520, 576, 4095, 4096, 4104};
	const struct btt_run runs[] = {{data, 7, 1}, {data, 300, 1}};

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(1 + i % 199);
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		struct btt_geometry geo;
		struct btt *btt;
		long long failed;

		bsize = sizes[s];
		assert_int_equal(btt_geometry_arena(POOL_SIZE - DATA_OFF, bsize, &geo),
				 0);
		stride = geo.internal_lbasize;
		data_end = DATA_OFF + 4096 + (uint64_t)geo.internal_nlba * stride;
		fixture_init(&f, POOL_SIZE, bsize);
		f.params.nlane = 64; /* enough for one chunk */
		btt = fixture_open(&f);
		assert_int_equal(btt_write(btt, data, 0), 0);

		forget_the_data();
		f.ram.at_fence = look_at_first_fence;
		expected_blocks = 1;
		assert_int_equal(btt_write(btt, data, 3), 0);
		assert_true(nfence > 0);
		expect_stored(1);

		forget_the_data();
		expected_blocks = 2;
		assert_int_equal(btt_write_runs(btt, runs, 2, &failed), 0);
		assert_true(nfence > 0);
		expect_stored(2);
		f.ram.at_fence = NULL;
		btt_close(btt);
		fixture_fini(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whole_lines_are_stored_ahead_of_the_first_fence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
