/* SPDX-License-Identifier: BSD-3-Clause */
/* The operations, compared with a plain array; failing syncs. */
#include "btt_fixture.h"

#include <pthread.h>

#include "btt/batch.h"
#include "btt/zero_range.h"

#define NLBA_TESTED 40

/* --- random operations on a table and on a plain array must agree ------------------------- */

struct model {
	unsigned char value[NLBA_TESTED]; /* 0: zeros, 255: error, else filled with it */
	uint64_t lba[NLBA_TESTED];
};

static void expect_model(struct btt *btt, const struct model *m, int i, size_t bsize)
{
	unsigned char *buf = malloc(bsize);
	int ret = btt_read(btt, buf, m->lba[i]);

	if (m->value[i] == 255) {
		assert_int_equal(ret, -EIO);
	} else {
		assert_int_equal(ret, 0);
		for (size_t b = 0; b < bsize; b++)
			if (buf[b] != m->value[i])
				fail_msg("block %d byte %zu: %d, not %d", i, b, buf[b],
					 m->value[i]);
	}
	free(buf);
}

static void run_model(uint32_t bsize, uint64_t size, uint64_t seed)
{
	unsigned char *buf = malloc(bsize);
	struct model m;
	struct fixture f;
	struct btt *btt;

	fixture_init(&f, size, bsize);
	btt = fixture_open(&f);
	memset(&m, 0, sizeof(m));
	for (int i = 0; i < NLBA_TESTED; i++)
		m.lba[i] =
		    i < NLBA_TESTED / 2 ? (uint64_t)i : btt_nblock(btt) - 1 - (uint64_t)i;
	for (int op = 0; op < 3000; op++) {
		int i = (int)(support_random(&seed) % NLBA_TESTED);
		unsigned kind = (unsigned)(support_random(&seed) % 16);

		if (kind < 8) {
			m.value[i] = (unsigned char)(support_random(&seed) % 254 + 1);
			memset(buf, m.value[i], bsize);
			assert_int_equal(btt_write(btt, buf, m.lba[i]), 0);
		} else if (kind < 10) {
			m.value[i] = 0;
			assert_int_equal(btt_set_zero(btt, m.lba[i]), 0);
		} else if (kind < 12) {
			m.value[i] = 255;
			assert_int_equal(btt_set_error(btt, m.lba[i]), 0);
		} else if (op % 50 == 0) {
			assert_int_equal(btt_sync(btt), 0);
			btt_close(btt);
			assert_int_equal(fixture_check(&f), 1);
			f.params.nlane = (unsigned)(support_random(&seed) % 300 + 1);
			btt = fixture_open(&f);
		} else {
			expect_model(btt, &m, i, bsize);
		}
	}
	for (int i = 0; i < NLBA_TESTED; i++)
		expect_model(btt, &m, i, bsize);
	btt_close(btt);
	assert_int_equal(fixture_check(&f), 1);
	fixture_fini(&f);
	free(buf);
}

static void random_operations_agree_with_a_plain_array(void **state)
{
	static const uint32_t bsize[] = {1, 512, 513, 520, 4096, 4104, 30000};

	(void)state;
	for (size_t i = 0; i < sizeof(bsize) / sizeof(bsize[0]); i++)
		run_model(bsize[i], POOL_SIZE + 4096 * i, i + 1);
}

static void only_bsize_bytes_are_moved(void **state)
{
	unsigned char buf[32];
	struct fixture f;
	struct btt *btt;

	(void)state;
	fixture_init(&f, POOL_SIZE, 13);
	btt = fixture_open(&f);
	memset(buf, 0x11, sizeof(buf));
	assert_int_equal(btt_write(btt, buf, 0), 0);
	memset(buf, 0x77, sizeof(buf));
	assert_int_equal(btt_read(btt, buf, 0), 0);
	assert_int_equal(buf[12], 0x11);
	assert_int_equal(buf[13], 0x77);
	assert_int_equal(btt_read(btt, buf, 1), 0);
	assert_int_equal(buf[12], 0);
	assert_int_equal(buf[13], 0x77);
	btt_close(btt);
	fixture_fini(&f);
}

static void blocks_out_of_range_are_refused(void **state)
{
	unsigned char buf[512] = {0};
	struct fixture f;
	struct btt *btt;
	uint64_t n;

	(void)state;
	fixture_init(&f, POOL_SIZE, 512);
	btt = fixture_open(&f);
	n = btt_nblock(btt);
	for (int laid_out = 0; laid_out < 2; laid_out++) {
		static const uint64_t beyond[] = {0, 1, UINT32_MAX, UINT64_MAX / 2};

		for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
			assert_int_equal(btt_read(btt, buf, n + beyond[i]), -EINVAL);
			assert_int_equal(btt_write(btt, buf, n + beyond[i]), -EINVAL);
			assert_int_equal(btt_set_zero(btt, n + beyond[i]), -EINVAL);
			assert_int_equal(btt_set_error(btt, n + beyond[i]), -EINVAL);
		}
		assert_int_equal(btt_write(btt, buf, n - 1), 0);
	}
	btt_close(btt);
	fixture_fini(&f);
}

static void set_zero_of_an_unwritten_block_marks_its_own_block(void **state)
{
	unsigned char buf[512] = {0};
	struct fixture f;
	struct btt *btt;

	(void)state;
	fixture_init(&f, POOL_SIZE, 512);
	btt = fixture_open(&f);
	assert_int_equal(btt_write(btt, buf, 0), 0);
	assert_int_equal(btt_set_zero(btt, 7), 0);
	assert_int_equal(fixture_get32(&f, MAP_OFF + 28), 0x80000007);
	assert_int_equal(btt_set_error(btt, 7), 0);
	assert_int_equal(fixture_get32(&f, MAP_OFF + 28), 0x40000007);
	assert_int_equal(btt_write(btt, buf, 7), 0);
	assert_int_equal(fixture_get32(&f, MAP_OFF + 28) & 0xc0000000, 0xc0000000);
	btt_close(btt);
	assert_int_equal(fixture_check(&f), 1);
	fixture_fini(&f);
}

/* --- failing syncs -------------------------------------------------------------------------- */

static void a_failed_sync_poisons_the_table(void **state)
{
	unsigned char buf[512];

	(void)state;
	for (unsigned long at = 1; at < 20; at++) {
		struct fixture f;
		struct btt *btt;
		bool failed = false;

		fixture_init(&f, POOL_SIZE, 512);
		btt = fixture_open(&f);
		f.ram.fences = 0;
		f.ram.fail_fence_at = at;
		for (uint64_t lba = 0; lba < 4; lba++) {
			int ret;

			memset(buf, 0x30 + (int)lba, sizeof(buf));
			ret = lba == 2 ? btt_set_zero(btt, 0) : btt_write(btt, buf, lba);
			assert_int_equal(ret, failed || f.ram.fences >= at ? -EIO : 0);
			if (ret && !failed) {
				unsigned long stores = f.ram.stores;

				/* a sync would succeed again: it must not be tried */
				f.ram.fail_fence_at = 0;
				assert_int_equal(btt_write(btt, buf, 3), -EIO);
				assert_int_equal(btt_set_error(btt, 3), -EIO);
				assert_int_equal(btt_sync(btt), -EIO);
				assert_int_equal(f.ram.stores, stores);
				failed = true;
			}
			assert_int_equal(btt_read(btt, buf, 5), 0);
		}
		if (failed)
			assert_int_equal(btt_sync(btt), -EIO);
		btt_close(btt);
		fixture_fini(&f);
	}
}

static void a_failed_last_sync_is_reported(void **state)
{
	unsigned char buf[512] = {1};
	struct fixture f;
	struct btt *btt;

	(void)state;
	fixture_init(&f, POOL_SIZE, 512);
	btt = fixture_open(&f);
	assert_int_equal(btt_write(btt, buf, 0), 0);
	f.ram.fail_fence_at = f.ram.fences + 1;
	assert_int_equal(btt_sync(btt), -EIO);
	f.ram.fail_fence_at = 0;
	assert_int_equal(btt_sync(btt), -EIO);
	btt_close(btt);
	fixture_fini(&f);
}

/* On a file; nothing is durable where a sync fails, but all of it can be read. */
static void a_flag_whose_sync_failed_is_taken_back(void **state)
{
	static int (*const set[])(struct btt *, uint64_t) = {btt_set_zero, btt_set_error};
	unsigned char buf[512];

	(void)state;
	for (int i = 0; i < 4; i++) {
		const uint64_t lba = i % 2 ? 7 : 0; /* written, or never */
		struct fixture f;
		struct btt *btt;

		fixture_init(&f, POOL_SIZE, 512);
		f.ram.s.drops_pages = true;
		btt = fixture_open(&f);
		memset(buf, 0x44, sizeof(buf));
		assert_int_equal(btt_write(btt, buf, 7), 0);
		/* what the file held before it became a pool */
		memset(f.ram.s.base + DATA_OFF + BTT_INFO_SIZE, 0x99, 512);
		f.ram.fail_fence_at = f.ram.fences + 1;
		assert_int_equal(set[i / 2](btt, lba), -EIO);
		fixture_expect_byte(btt, lba, lba ? 0x44 : 0);
		btt_close(btt);
		f.ram.fail_fence_at = 0;
		btt = fixture_open(&f);
		fixture_expect_byte(btt, lba, lba ? 0x44 : 0);
		/* one that was there before stays */
		assert_int_equal(btt_set_error(btt, lba), 0);
		f.ram.fail_fence_at = f.ram.fences + 1;
		assert_int_equal(btt_set_error(btt, lba), -EIO);
		assert_int_equal(btt_read(btt, buf, lba), -EIO);
		btt_close(btt);
		fixture_fini(&f);
	}
}

/*
 * Two writes are between their two syncs when the first of them fails; the other one fails next.
 * Another process, which has no map lock to wait for, must not see its record meanwhile.
 */
static struct {
	struct fixture f;
	struct btt *btt;
	_Atomic(uint32_t) progress;
	unsigned long second_sync;
} meanwhile;

/* Reads as processes do that were forked from the owner. */
static int read_elsewhere(uint64_t lba, unsigned char buf[512])
{
	uint32_t progress = atomic_load(&meanwhile.progress);

	return btt_read_view(meanwhile.btt, buf, lba,
			     progress == BTT_FAILED    ? BTT_FOREIGN_REDO
			     : progress == BTT_FAILING ? BTT_FOREIGN_FAILING
						       : BTT_FOREIGN_SOUND);
}

static void expect_byte_elsewhere(uint64_t lba, unsigned char byte)
{
	unsigned char buf[512];

	assert_int_equal(read_elsewhere(lba, buf), 0);
	assert_int_equal(buf[0], byte);
}

static void begin_meanwhile(void)
{
	struct fixture *f = &meanwhile.f;

	fixture_init(f, POOL_SIZE, 512);
	f->ram.s.drops_pages = true;
	f->params.progress = &meanwhile.progress;
	atomic_store(&meanwhile.progress, BTT_UNTOUCHED);
	meanwhile.btt = fixture_open(f);
}

/* Before the n-th sync from now on, at_fence lets the sync of another write fail. */
static void arm_meanwhile(void (*at_fence)(void), unsigned n)
{
	atomic_store(&meanwhile.progress, BTT_LAID_OUT);
	meanwhile.f.ram.at_fence = at_fence;
	meanwhile.second_sync = meanwhile.f.ram.fences + n;
}

static void end_meanwhile(void)
{
	btt_close(meanwhile.btt);
	fixture_fini(&meanwhile.f);
}

/* Returns whether this is the sync. */
static bool has_failed_another_write(void)
{
	const unsigned char buf[512] = {3};

	if (meanwhile.f.ram.fences + 1 != meanwhile.second_sync)
		return false;
	meanwhile.second_sync = 0;
	meanwhile.f.ram.fail_fence_at = meanwhile.f.ram.fences + 1;
	assert_int_equal(btt_write(meanwhile.btt, buf, 5000), -EIO);
	assert_int_equal(atomic_load(&meanwhile.progress), BTT_FAILING);
	return true;
}

static void fail_another_write(void)
{
	if (has_failed_another_write())
		expect_byte_elsewhere(7, 1);
}

static int write_one(struct btt *btt, const void *buf, uint64_t lba)
{
	struct btt_run run = {
	    .lba = (long long)lba, .nblock = 1, .buf = (void *)(uintptr_t)buf};
	long long failed;

	return btt_write_runs(btt, &run, 1, &failed);
}

static void no_process_sees_a_record_that_another_failure_lets_be_taken_back(void **state)
{
	static int (*const write[])(struct btt *, const void *, uint64_t) = {btt_write,
									     write_one};
	unsigned char old[512];
	unsigned char fresh[512];

	(void)state;
	memset(old, 1, sizeof(old));
	memset(fresh, 2, sizeof(fresh));
	for (int i = 0; i < 2; i++) {
		begin_meanwhile();
		assert_int_equal(btt_write(meanwhile.btt, old, 7), 0);
		arm_meanwhile(fail_another_write, 2);
		assert_int_equal(write[i](meanwhile.btt, fresh, 7), -EIO);
		assert_int_equal(meanwhile.second_sync, 0);
		assert_int_equal(atomic_load(&meanwhile.progress), BTT_FAILED);
		expect_byte_elsewhere(7, 1);
		fixture_expect_byte(meanwhile.btt, 7, 1);
		/* a call that comes later finds the poison, and changes nothing */
		assert_int_equal(write[i](meanwhile.btt, fresh, 7), -EIO);
		assert_int_equal(btt_set_zero(meanwhile.btt, 7), -EIO);
		expect_byte_elsewhere(7, 1);
		end_meanwhile();
	}
}

/* The same while a flag is stored. */
static void fail_a_write_meanwhile(void)
{
	unsigned char buf[512];

	if (!has_failed_another_write())
		return;
	assert_int_equal(read_elsewhere(7, buf), -EAGAIN);
	/* no call is in the middle of a change of this one, but nobody knows */
	assert_int_equal(read_elsewhere(8, buf), -EAGAIN);
	expect_byte_elsewhere(9, 1);
	expect_byte_elsewhere(10, 0); /* initial */
}

static int zero_one(struct btt *btt, uint64_t lba)
{
	long long failed;

	return btt_zero_range(btt, lba, 1, &failed);
}

static void no_process_sees_a_flag_that_another_failure_lets_be_taken_back(void **state)
{
	static int (*const set[])(struct btt *, uint64_t) = {btt_set_zero, btt_set_error,
							     zero_one};
	unsigned char old[512];

	(void)state;
	memset(old, 1, sizeof(old));
	for (size_t i = 0; i < ARRAY_SIZE(set); i++) {
		begin_meanwhile();
		for (uint64_t lba = 7; lba < 10; lba++)
			assert_int_equal(btt_write(meanwhile.btt, old, lba), 0);
		assert_int_equal(btt_set_zero(meanwhile.btt, 8), 0);
		arm_meanwhile(fail_a_write_meanwhile, 1);
		assert_int_equal(set[i](meanwhile.btt, 7), -EIO);
		assert_int_equal(meanwhile.second_sync, 0);
		assert_int_equal(atomic_load(&meanwhile.progress), BTT_FAILED);
		expect_byte_elsewhere(7, 1);
		expect_byte_elsewhere(8, 0);
		fixture_expect_byte(meanwhile.btt, 7, 1);
		assert_int_equal(set[i](meanwhile.btt, 7), -EIO);
		assert_int_equal(atomic_load(&meanwhile.progress), BTT_FAILED);
		end_meanwhile();
	}
}

/* --- cost ----------------------------------------------------------------------------------- */

static void layout_takes_three_syncs_and_a_write_two(void **state)
{
	unsigned char buf[512] = {1};
	struct fixture f;
	struct btt *btt;
	(void)state;
	fixture_init(&f, POOL_SIZE, 512);
	btt = fixture_open(&f);
	assert_int_equal(f.ram.fences, 0);
	assert_int_equal(btt_write(btt, buf, 0), 0);
	assert_int_equal(f.ram.fences, 3 + 2);
	f.ram.fences = 0;
	assert_int_equal(btt_write(btt, buf, 0), 0);
	assert_int_equal(f.ram.fences, 2);
	f.ram.fences = 0;
	assert_int_equal(btt_set_zero(btt, 0), 0);
	assert_int_equal(f.ram.fences, 1);
	btt_close(btt);
	fixture_fini(&f);
}

/* --- threads --------------------------------------------------------------------------------- */

struct worker {
	struct btt *btt;
	unsigned number;
	const char *failure;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	unsigned char buf[512];
	uint64_t seed = w->number;

	for (int i = 0; i < 4000; i++) {
		uint64_t lba = support_random(&seed) % 8;

		if (w->number % 2) {
			memset(buf, (int)(support_random(&seed) % 200 + 1), sizeof(buf));
			if (btt_write(w->btt, buf, lba))
				return w->failure = "write failed", NULL;
		} else {
			if (btt_read(w->btt, buf, lba))
				return w->failure = "read failed", NULL;
			if (memcmp(buf, buf + 1, sizeof(buf) - 1) != 0)
				return w->failure = "torn block", NULL;
		}
	}
	return NULL;
}

static void readers_and_writers_share_blocks(void **state)
{
	enum { THREADS = 6 };
	struct worker w[THREADS];
	pthread_t t[THREADS];
	struct fixture f;
	struct btt *btt;

	(void)state;
	fixture_init(&f, POOL_SIZE, 512);
	f.params.nlane = 2; /* fewer than writers */
	btt = fixture_open(&f);
	for (unsigned i = 0; i < THREADS; i++) {
		w[i] = (struct worker){btt, i, NULL};
		assert_int_equal(pthread_create(&t[i], NULL, work, &w[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(t[i], NULL);
		if (w[i].failure)
			fail_msg("thread %u: %s", i, w[i].failure);
	}
	btt_close(btt);
	assert_int_equal(fixture_check(&f), 1);
	fixture_fini(&f);
}

/*
 * Readers rely on a fence in each turn of a thread's two lanes (btt/btt.c, Locks). A write that
 * fails uses a turn, too.
 */
static void a_write_to_a_damaged_entry_fences_all_the_same(void **state)
{
	unsigned char buf[512] = {1};
	unsigned long fences;
	struct fixture f;
	struct btt *btt;

	(void)state;
	fixture_init(&f, POOL_SIZE, 512);
	btt = fixture_open(&f);
	assert_int_equal(btt_write(btt, buf, 0), 0);
	fixture_put32(&f, MAP_OFF + 5 * 4, UINT32_MAX);
	fences = f.ram.fences;
	assert_int_equal(btt_write(btt, buf, 5), -EIO);
	assert_int_equal(f.ram.fences, fences + 1);
	assert_int_equal(btt_write(btt, buf, 6), 0);
	f.ram.fail_fence_at = f.ram.fences + 1;
	assert_int_equal(btt_write(btt, buf, 5), -EIO);
	f.ram.fail_fence_at = 0;
	assert_int_equal(btt_write(btt, buf, 6), -EIO);
	btt_close(btt);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_operations_agree_with_a_plain_array),
	    cmocka_unit_test(only_bsize_bytes_are_moved),
	    cmocka_unit_test(blocks_out_of_range_are_refused),
	    cmocka_unit_test(set_zero_of_an_unwritten_block_marks_its_own_block),
	    cmocka_unit_test(a_failed_sync_poisons_the_table),
	    cmocka_unit_test(a_failed_last_sync_is_reported),
	    cmocka_unit_test(a_flag_whose_sync_failed_is_taken_back),
	    cmocka_unit_test(
		no_process_sees_a_record_that_another_failure_lets_be_taken_back),
	    cmocka_unit_test(
		no_process_sees_a_flag_that_another_failure_lets_be_taken_back),
	    cmocka_unit_test(a_write_to_a_damaged_entry_fences_all_the_same),
	    cmocka_unit_test(layout_takes_three_syncs_and_a_write_two),
	    cmocka_unit_test(readers_and_writers_share_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
