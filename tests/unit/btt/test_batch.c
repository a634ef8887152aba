/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Batches: compared with a plain array, over several arenas, with few lanes, with damage and
 * failures.
 */
#include "btt_fixture.h"

#include "btt/arena.h"
#include "btt/batch.h"
#include "btt/read_runs.h"
#include "btt/zero_range.h"

#define TERABYTE (UINT64_C(1) << 40)

enum { BSIZE = 512, MOST = 400 };

static void fill(unsigned char *block, uint64_t lba, unsigned round)
{
	for (unsigned i = 0; i < BSIZE; i += 8) {
		uint64_t word = (lba * 1000 + round) * 64 + i / 8 + 1;

		memcpy(block + i, &word, 8);
	}
}

static void expect(struct btt *btt, uint64_t lba, unsigned round)
{
	unsigned char buf[BSIZE];
	unsigned char want[BSIZE] = {0};

	if (round)
		fill(want, lba, round);
	assert_int_equal(btt_read(btt, buf, lba), 0);
	if (memcmp(buf, want, BSIZE) != 0)
		fail_msg("block %llu does not hold what round %u wrote",
			 (unsigned long long)lba, round);
}

static int write_all(struct btt *btt, struct btt_run *run, size_t n)
{
	long long failed = 77;
	int ret = btt_write_runs(btt, run, n, &failed);

	assert_int_equal(failed, BTT_NOBODY);
	return ret;
}

/* Room for n runs that end where the memory ends: what reads behind them ends the test. */
static struct btt_run *runs_at_the_end(size_t n)
{
	static struct btt_run *end;

	if (!end) {
		size_t page = (size_t)sysconf(_SC_PAGESIZE);
		char *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		assert_true(p != MAP_FAILED);
		assert_int_equal(mprotect(p + page, page, PROT_NONE), 0);
		end = (struct btt_run *)(void *)(p + page);
	}
	return end - n;
}

/* --- what a batch leaves ------------------------------------------------------------------- */

/* Runs at random places with random lengths, which may overlap; all blocks are read back. */
static void run_model(bool is_pmem)
{
	static unsigned char buf[MOST * BSIZE];
	static unsigned model[EXT_NLBA];
	const unsigned near = 6000; /* so that locks and lines come up again and again */
	uint64_t seed = 1;
	struct fixture f;
	struct btt *btt;

	fixture_init(&f, POOL_SIZE, BSIZE);
	f.ram.s.eager_flush = f.ram.s.line_order = is_pmem;
	f.params.nlane = BTT_MAX_LANES;
	btt = fixture_open(&f);
	memset(model, 0, sizeof(model));
	for (unsigned round = 1; round <= 300; round++) {
		size_t n = support_random(&seed) % 9;
		struct btt_run *run = runs_at_the_end(n);
		unsigned char *at = buf;
		long long failed;

		for (size_t i = 0; i < n; i++) {
			run[i].buf = at;
			run[i].lba = (long long)(support_random(&seed) % near);
			run[i].nblock = support_random(&seed) % (round % 3 ? 4 : 51);
			at += run[i].nblock * BSIZE;
		}
		for (size_t i = 0; i < n; i++)
			for (size_t k = 0; k < run[i].nblock; k++) {
				uint64_t lba = (uint64_t)run[i].lba + k;

				model[lba] = round * 8 + (unsigned)i;
				fill((unsigned char *)run[i].buf + k * BSIZE, lba,
				     model[lba]);
			}
		assert_int_equal(write_all(btt, run, n), 0);
		if (round % 4 == 0) {
			uint64_t lba = support_random(&seed) % near;
			uint64_t count = support_random(&seed) % 300;

			assert_int_equal(btt_zero_range(btt, lba, count, &failed), 0);
			for (uint64_t k = 0; k < count; k++)
				model[lba + k] = 0;
		}
		if (round % 50 == 0) {
			assert_int_equal(btt_sync(btt), 0);
			btt_close(btt);
			assert_int_equal(fixture_check(&f), 1);
			f.params.nlane = round % 100 ? 1 + round % 40 : BTT_MAX_LANES;
			btt = fixture_open(&f);
		}
	}
	for (uint64_t lba = 0; lba < near + 400; lba++)
		expect(btt, lba, model[lba]);
	for (uint64_t lba = 0; lba + 100 < near; lba += 100) {
		struct btt_run *run = runs_at_the_end(2);
		long long failed;

		run[0] = (struct btt_run){buf, (long long)lba + 50, 50};
		run[1] = (struct btt_run){buf + 50 * BSIZE, (long long)lba, 50};
		assert_int_equal(btt_read_runs(btt, run, 2, &failed), 0);
		for (uint64_t k = 0; k < 100; k++) {
			unsigned char want[BSIZE] = {0};
			uint64_t which = lba + (k + 50) % 100;

			if (model[which])
				fill(want, which, model[which]);
			assert_memory_equal(buf + k * BSIZE, want, BSIZE);
		}
	}
	btt_close(btt);
	assert_int_equal(fixture_check(&f), 1);
	fixture_fini(&f);
}

static void random_batches_agree_with_a_plain_array(void **state)
{
	(void)state;
	run_model(false);
	run_model(true);
}

static void the_last_of_the_same_block_stays(void **state)
{
	static unsigned char buf[MOST * BSIZE];
	struct btt_run run[MOST];

	(void)state;
	/* as many as fit into a chunk, more, and with one lane */
	for (unsigned nlane = 1; nlane <= BTT_MAX_LANES; nlane += BTT_MAX_LANES - 1)
		for (size_t n = 2; n <= MOST; n = n < 100 ? 7 * n : 2 * n) {
			struct fixture f;
			struct btt *btt;

			fixture_init(&f, POOL_SIZE, BSIZE);
			f.params.nlane = nlane;
			btt = fixture_open(&f);
			for (size_t i = 0; i < n; i++) {
				run[i] = (struct btt_run){buf + i * BSIZE,
							  (long long)i % 3, 1};
				fill(run[i].buf, i % 3, 1 + (unsigned)i);
			}
			assert_int_equal(write_all(btt, run, n), 0);
			for (size_t i = n < 3 ? 0 : n - 3; i < n; i++)
				expect(btt, i % 3, 1 + (unsigned)i);
			btt_close(btt);
			assert_int_equal(fixture_check(&f), 1);
			fixture_fini(&f);
		}
}

static void one_call_spans_arenas(void **state)
{
	const uint64_t size = TERABYTE / 2 + (64u << 20) + DATA_OFF;
	static unsigned char buf[64 * BSIZE];
	struct fixture f;
	struct btt *btt;
	uint64_t per_arena;
	long long failed;
	struct btt_run run;

	(void)state;
	if (support_is_emulated())
		skip();
#ifdef __SANITIZE_THREAD__
	skip(); /* its run time does not always leave a terabyte in one piece */
#endif
	fixture_init(&f, size, BSIZE);
	f.params.nlane = BTT_MAX_LANES;
	btt = fixture_open(&f);
	assert_int_equal(btt_count_blocks("pool", TERABYTE / 2, BSIZE, &per_arena), 0);
	run = (struct btt_run){buf, (long long)per_arena - 32, 64};
	for (uint64_t k = 0; k < 64; k++)
		fill(buf + k * BSIZE, (uint64_t)run.lba + k, 5);
	assert_int_equal(write_all(btt, &run, 1), 0);
	memset(buf, 0, sizeof(buf));
	assert_int_equal(btt_read_runs(btt, &run, 1, &failed), 0);
	for (uint64_t k = 0; k < 64; k++) {
		unsigned char want[BSIZE];

		fill(want, (uint64_t)run.lba + k, 5);
		assert_memory_equal(buf + k * BSIZE, want, BSIZE);
	}
	assert_int_equal(btt_zero_range(btt, per_arena - 16, 32, &failed), 0);
	for (uint64_t k = 0; k < 64; k++)
		expect(btt, (uint64_t)run.lba + k, k < 16 || k >= 48 ? 5 : 0);
	btt_close(btt);
	btt = fixture_open(&f);
	expect(btt, per_arena - 17, 5);
	expect(btt, per_arena, 0);
	expect(btt, per_arena + 16, 5);
	btt_close(btt);
	fixture_fini(&f);
}

static void a_range_of_zeros_leaves_its_neighbours(void **state)
{
	static const uint64_t first[] = {0, 1, 15, 4080, 4095, 4096, 5000};
	static const uint64_t count[] = {1, 2, 16, 17, 4096, 4097, 9000};
	static unsigned char buf[BSIZE];
	struct fixture f;
	struct btt *btt;
	long long failed;

	(void)state;
	fixture_init(&f, POOL_SIZE, BSIZE);
	btt = fixture_open(&f);
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		for (size_t k = 0; k < sizeof(count) / sizeof(count[0]); k++) {
			uint64_t end = first[i] + count[k];

			for (uint64_t lba = first[i] ? first[i] - 1 : 0; lba <= end;
			     lba +=
			     lba == first[i] ? count[k] - 1 + (count[k] == 1) : 1) {
				fill(buf, lba, 9);
				assert_int_equal(btt_write(btt, buf, lba), 0);
			}
			/* it ends the error state of a block, as set_zero does */
			assert_int_equal(btt_set_error(btt, first[i] + count[k] / 2), 0);
			assert_int_equal(btt_zero_range(btt, first[i], count[k], &failed),
					 0);
			if (first[i])
				expect(btt, first[i] - 1, 9);
			expect(btt, first[i], 0);
			expect(btt, first[i] + count[k] / 2, 0);
			expect(btt, end - 1, 0);
			expect(btt, end, 9);
		}
	btt_close(btt);
	assert_int_equal(fixture_check(&f), 1);
	fixture_fini(&f);
}

static void expect_old(struct btt *btt)
{
	unsigned char buf[BSIZE];

	expect(btt, 2, 0);
	expect(btt, 3, 1);
	assert_int_equal(btt_read(btt, buf, 4), -EIO);
	expect(btt, 5, 0);
	expect(btt, 6, 1);
	expect(btt, 4094, 1);
}

/* On a file; nothing is durable where a sync fails, but all of it can be read. */
static void a_range_of_zeros_whose_sync_failed_is_taken_back(void **state)
{
	static const uint64_t written[] = {3, 4, 5, 6, 4094, 4095, 4096, 4097};
	unsigned char buf[BSIZE];
	struct fixture f;
	struct btt *btt;
	long long failed;

	(void)state;
	fixture_init(&f, POOL_SIZE, BSIZE);
	f.ram.s.drops_pages = true;
	btt = fixture_open(&f);
	for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
		fill(buf, written[i], 1);
		assert_int_equal(btt_write(btt, buf, written[i]), 0);
	}
	assert_int_equal(btt_set_error(btt, 4), 0);
	assert_int_equal(btt_set_zero(btt, 5), 0);
	f.ram.fail_fence_at = f.ram.fences + 1;
	assert_int_equal(btt_zero_range(btt, 2, 4094, &failed), -EIO);
	expect_old(btt);
	btt_close(btt);
	f.ram.fail_fence_at = 0;
	btt = fixture_open(&f);
	expect_old(btt);
	/* the first chunk is durable, the second one fails */
	f.ram.fail_fence_at = f.ram.fences + 2;
	assert_int_equal(btt_zero_range(btt, 4095, 3, &failed), -EIO);
	expect(btt, 4094, 1);
	expect(btt, 4095, 0);
	expect(btt, 4096, 1);
	expect(btt, 4097, 1);
	btt_close(btt);
	f.ram.fail_fence_at = 0;
	assert_int_equal(fixture_check(&f), 1);
	fixture_fini(&f);
}

static void zeros_where_nothing_was_written_store_nothing(void **state)
{
	unsigned char buf[BSIZE] = {1};
	unsigned long stores;
	struct fixture f;
	struct btt *btt;
	long long failed;

	(void)state;
	fixture_init(&f, POOL_SIZE, BSIZE);
	btt = fixture_open(&f);
	assert_int_equal(btt_zero_range(btt, 0, EXT_NLBA, &failed), 0);
	assert_false(btt_is_laid_out(btt));
	assert_int_equal(btt_write(btt, buf, 0), 0);
	stores = f.ram.stores;
	assert_int_equal(btt_zero_range(btt, 1, EXT_NLBA - 1, &failed), 0);
	assert_int_equal(f.ram.stores, stores);
	expect(btt, 1, 0);
	btt_close(btt);
	fixture_fini(&f);
}

static void calls_without_blocks_succeed(void **state)
{
	struct btt_run run[2] = {{NULL, 5, 0}, {NULL, 6, 0}};
	struct fixture f;
	struct btt *btt;
	long long failed;

	(void)state;
	fixture_init(&f, POOL_SIZE, BSIZE);
	btt = fixture_open(&f);
	assert_int_equal(write_all(btt, NULL, 0), 0);
	assert_int_equal(write_all(btt, run, 2), 0);
	assert_int_equal(btt_read_runs(btt, run, 2, &failed), 0);
	assert_int_equal(btt_zero_range(btt, 3, 0, &failed), 0);
	assert_false(btt_is_laid_out(btt));
	btt_close(btt);
	fixture_fini(&f);
}

/* --- what it costs -------------------------------------------------------------------------- */

static unsigned long fences_of(struct fixture *f, struct btt *btt, size_t nblock)
{
	static unsigned char buf[MOST * BSIZE];
	struct btt_run run = {buf, 0, nblock};

	f->ram.fences = 0;
	assert_int_equal(write_all(btt, &run, 1), 0);
	return f->ram.fences;
}

static void a_batch_takes_two_syncs_for_each_chunk(void **state)
{
	unsigned char buf[BSIZE] = {1};
	struct fixture f;
	struct btt *btt;
	long long failed;

	(void)state;
	fixture_init(&f, POOL_SIZE, BSIZE);
	f.params.nlane = BTT_MAX_LANES;
	btt = fixture_open(&f);
	assert_int_equal(btt_write(btt, buf, 0), 0);
	assert_int_equal(fences_of(&f, btt, 1), 2);
	assert_int_equal(fences_of(&f, btt, 2), 2);
	assert_int_equal(fences_of(&f, btt, 16), 2);
	assert_int_equal(fences_of(&f, btt, 64), 2);
	assert_int_equal(fences_of(&f, btt, 128), 2);
	assert_int_equal(fences_of(&f, btt, 129), 4);
	assert_int_equal(fences_of(&f, btt, 256), 4);
	f.ram.fences = 0;
	assert_int_equal(btt_zero_range(btt, 0, 4096, &failed), 0);
	assert_int_equal(f.ram.fences, 1);
	btt_close(btt);
	fixture_fini(&f);
}

/* --- what goes wrong ------------------------------------------------------------------------ */

/*
 * On persistent memory (R17, B10). Blocks 0 and BTT_LOCK_ENTRIES have the same lock, 0 and 1 the same
 * line.
 */
static void a_map_lock_records_one_line_of_a_chunk(void **state)
{
	static unsigned char buf[2 * BSIZE];
	const long long far = BTT_LOCK_ENTRIES;
	struct fixture f;
	struct btt *btt;

	(void)state;
	fixture_init(&f, POOL_SIZE + BTT_LOCK_ENTRIES * BSIZE, BSIZE);
	f.ram.s.eager_flush = f.ram.s.line_order = true;
	f.params.nlane = BTT_MAX_LANES;
	btt = fixture_open(&f);
	for (long long second = far; second > 0; second -= far - 1) {
		struct btt_run run[2] = {{buf, 0, 1}, {buf + BSIZE, second, 1}};
		struct btt_version *v;

		assert_int_equal(write_all(btt, run, 2), 0); /* lays the table out */
		f.ram.fences = 0;
		assert_int_equal(write_all(btt, run, 2), 0);
		v = btt_arena_version(btt->arena, 0);
		assert_ptr_equal(v, btt_arena_version(btt->arena, (uint32_t)second));
		if (second == far) {
			assert_int_equal(f.ram.fences, 3);
			assert_int_equal(v->last_thread, 0);
		} else {
			assert_int_equal(f.ram.fences, 2);
			assert_int_equal(v->last_thread, lane_thread());
			assert_int_equal(v->last_premap, 0);
		}
	}
	btt_close(btt);
	fixture_fini(&f);
}

static void a_damaged_entry_is_named_and_its_chunk_is_not_written(void **state)
{
	static unsigned char buf[MOST * BSIZE];
	struct btt_run run[2] = {{buf, 100, 20}, {buf + 20 * BSIZE, 0, 4}};
	unsigned char block[BSIZE];
	struct fixture f;
	struct btt *btt;
	long long failed = 0;

	(void)state;
	fixture_init(&f, POOL_SIZE, BSIZE);
	f.params.nlane = BTT_MAX_LANES;
	btt = fixture_open(&f);
	for (uint64_t lba = 100; lba < 120; lba++) {
		fill(block, lba, 3);
		assert_int_equal(btt_write(btt, block, lba), 0);
	}
	fixture_put32(&f, MAP_OFF + 4 * 110, 0xffffffff);
	assert_int_equal(btt_write_runs(btt, run, 2, &failed), -EIO);
	assert_int_equal(failed, 110);
	expect(btt, 0, 0);
	expect(btt, 109, 3);
	expect(btt, 119, 3);
	assert_int_equal(btt_zero_range(btt, 100, 20, &failed), -EIO);
	assert_int_equal(failed, 110);
	expect(btt, 109, 3);
	/* what comes before it is read */
	assert_int_equal(btt_read_runs(btt, run, 2, &failed), -EIO);
	assert_int_equal(failed, 110);
	fill(block, 109, 3);
	assert_memory_equal(buf + 9 * BSIZE, block, BSIZE);
	/* all others can be written */
	run[0].nblock = 10;
	assert_int_equal(write_all(btt, run, 2), 0);
	btt_close(btt);
	fixture_fini(&f);
}

static void an_arena_that_is_read_only_is_found_before_anything_is_written(void **state)
{
	unsigned char buf[4 * BSIZE] = {1};
	struct btt_run run = {buf, 2, 4};
	struct fixture f;
	struct btt *btt;
	long long failed;

	(void)state;
	fixture_init(&f, POOL_SIZE, BSIZE);
	btt = fixture_open(&f);
	assert_int_equal(btt_write(btt, buf, 0), 0);
	btt_close(btt);
	fixture_put32(&f, FLOG_OFF + 4, 0xffffffff); /* the block that slot 0 frees */
	btt = fixture_open(&f);
	f.ram.stores = 0;
	assert_int_equal(btt_write_runs(btt, &run, 1, &failed), -EIO);
	assert_int_equal(failed, 2);
	assert_non_null(strstr(errormsg_get(), "read-only"));
	assert_int_equal(btt_zero_range(btt, 0, 4, &failed), -EIO);
	assert_int_equal(failed, 0);
	assert_int_equal(f.ram.stores, 0);
	btt_close(btt);
	fixture_fini(&f);
}

/* 300 blocks are three chunks of two syncs. */
static void a_failed_sync_ends_the_batch(void **state)
{
	static unsigned char buf[300 * BSIZE];
	struct btt_run run = {buf, 0, 300};

	(void)state;
	for (unsigned long at = 1; at <= 6; at++) {
		unsigned char block[BSIZE] = {1};
		struct fixture f;
		struct btt *btt;
		unsigned long stores;
		uint64_t lba = 0;
		long long failed = 0;

		fixture_init(&f, POOL_SIZE, BSIZE);
		f.params.nlane = BTT_MAX_LANES;
		btt = fixture_open(&f);
		assert_int_equal(btt_write(btt, block, 400), 0);
		for (uint64_t k = 0; k < 300; k++)
			fill(buf + k * BSIZE, k, 1);
		f.ram.fences = 0;
		f.ram.fail_fence_at = at;
		assert_int_equal(btt_write_runs(btt, &run, 1, &failed), -EIO);
		assert_int_equal(failed, BTT_NOBODY);
		assert_int_equal(f.ram.fences, at);
		/* a sync would succeed again: it must not be tried */
		f.ram.fail_fence_at = 0;
		stores = f.ram.stores;
		assert_int_equal(btt_write_runs(btt, &run, 1, &failed), -EIO);
		assert_int_equal(failed, BTT_NOBODY);
		assert_int_equal(btt_zero_range(btt, 0, 10, &failed), -EIO);
		assert_int_equal(failed, BTT_NOBODY);
		assert_int_equal(f.ram.stores, stores);
		for (; lba < (at - 1) / 2 * 128; lba++)
			expect(btt, lba, 1);
		btt_close(btt);
		btt = fixture_open(&f);
		/*
		 * if the last sync of a chunk fails, each of its blocks is old or new; here it is
		 * new
		 */
		for (; lba < at / 2 * 128 && lba < 300; lba++)
			expect(btt, lba, 1);
		for (; lba < 300; lba++)
			expect(btt, lba, 0);
		btt_close(btt);
		fixture_fini(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_batches_agree_with_a_plain_array),
	    cmocka_unit_test(the_last_of_the_same_block_stays),
	    cmocka_unit_test(one_call_spans_arenas),
	    cmocka_unit_test(a_range_of_zeros_leaves_its_neighbours),
	    cmocka_unit_test(a_range_of_zeros_whose_sync_failed_is_taken_back),
	    cmocka_unit_test(zeros_where_nothing_was_written_store_nothing),
	    cmocka_unit_test(calls_without_blocks_succeed),
	    cmocka_unit_test(a_batch_takes_two_syncs_for_each_chunk),
	    cmocka_unit_test(a_map_lock_records_one_line_of_a_chunk),
	    cmocka_unit_test(a_damaged_entry_is_named_and_its_chunk_is_not_written),
	    cmocka_unit_test(
		an_arena_that_is_read_only_is_found_before_anything_is_written),
	    cmocka_unit_test(a_failed_sync_ends_the_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
