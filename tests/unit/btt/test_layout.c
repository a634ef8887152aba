/* SPDX-License-Identifier: BSD-3-Clause */
/* How open and check judge pools without a layout, and what the first write stores. */
#include "btt/fast.h"
#include "btt/find.h"

#include "loaded_fixture.h"

#include <signal.h>
#include <sys/random.h>
#include <sys/syscall.h>

static bool no_random;

SUPPORT_INTERPOSE ssize_t getrandom(void *buf, size_t len, unsigned flags)
{
	if (!no_random)
		return syscall(SYS_getrandom, buf, len, flags);
	errno = EIO;
	return -1;
}

static void a_fresh_pool_has_no_layout(void **state)
{
	struct btt *btt;

	(void)state;
	assert_int_equal(fixture_check(&f), 1);
	btt = fixture_open(&f);
	assert_false(btt_is_laid_out(btt));
	assert_int_equal(btt_nblock(btt), EXT_NLBA);
	fixture_expect_byte(btt, EXT_NLBA - 1, 0);
	assert_int_equal(btt_set_zero(btt, 3), 0);
	assert_false(btt_is_laid_out(btt));
	btt_close(btt);
	assert_int_equal(f.ram.stores, 0);
}

/*
 * After a crash any words of the flog may be missing, or, as that is durable before it is stored, of the
 * info block. Without a valid info block the pool must open as an empty, usable one.
 */
static void an_interrupted_first_layout_is_no_layout(void **state)
{
	unsigned char *image = malloc(POOL_SIZE);
	unsigned char buf[512];
	uint64_t seed = 7;

	(void)state;
	memset(buf, 0x5a, sizeof(buf));
	struct btt *btt = fixture_open(&f);
	assert_int_equal(btt_set_error(btt, 5), 0);
	btt_close(btt);
	fixture_put32(&f, MAP_OFF + 20, 0);
	memcpy(image, f.ram.s.base, POOL_SIZE);
	for (int i = 0; i < 200; i++) {
		memcpy(f.ram.s.base, image, POOL_SIZE);
		for (uint64_t off = FLOG_OFF; off < FLOG_OFF + 16384; off += 8)
			if (i % 2 && support_random(&seed) % 3 == 0)
				memset(f.ram.s.base + off, 0, 8);
		for (uint64_t off = 0; off < 4096; off += 8) {
			if (i % 4 != 2 || support_random(&seed) % 2)
				memset(f.ram.s.base + DATA_OFF + off, 0, 8);
			memset(f.ram.s.base + COPY_OFF + off, 0, 8);
		}
		memset(f.ram.s.base + DATA_OFF + 16, 0, 8);
		assert_int_equal(fixture_check(&f), 1);
		btt = fixture_open(&f);
		assert_false(btt_is_laid_out(btt));
		assert_int_equal(btt_write(btt, buf, 9), 0);
		fixture_expect_byte(btt, 9, 0x5a);
		fixture_expect_byte(btt, 8, 0);
		btt_close(btt);
		assert_int_equal(fixture_check(&f), 1);
	}
	free(image);
}

static void a_users_file_may_hold_anything_before_the_first_write(void **state)
{
	unsigned char buf[512];
	uint64_t seed = 3;

	(void)state;
	memset(buf, 0x5a, sizeof(buf));
	f.params.user_file = true;
	f.params.zeroed = false;
	for (uint64_t off = DATA_OFF; off < POOL_SIZE; off += 8) {
		uint64_t r = support_random(&seed);

		memcpy(f.ram.s.base + off, &r, sizeof(r));
	}
	assert_int_equal(fixture_check(&f), 1);
	struct btt *btt = fixture_open(&f);
	assert_false(btt_is_laid_out(btt));
	fixture_expect_byte(btt, 0, 0);
	assert_int_equal(btt_write(btt, buf, 1), 0);
	btt_close(btt);
	assert_int_equal(fixture_check(&f), 1);
	btt = fixture_open(&f);
	fixture_expect_byte(btt, 0, 0);
	fixture_expect_byte(btt, 1, 0x5a);
	fixture_expect_byte(btt, EXT_NLBA - 1, 0);
	btt_close(btt);
}

static void another_pools_remains_are_no_layout_of_a_users_file(void **state)
{
	(void)state;
	f.params.user_file = true;
	f.params.zeroed = false;
	f.params.parent.bytes[0] ^= 1;
	assert_int_equal(fixture_check(&f), 1);
	struct btt *btt = fixture_open(&f);
	assert_false(btt_is_laid_out(btt));
	fixture_expect_byte(btt, 0, 0);
	btt_close(btt);
}

static void blocks_that_do_not_fit_are_refused(void **state)
{
	(void)state;
	f.params.bsize = 40000;
	fixture_open_fails(&f, -EINVAL, "40000");
	assert_int_equal(fixture_check(&f), -EINVAL);
}

/* No sync has failed, so a second attempt may write. */
static void a_layout_without_random_bytes_fails_and_may_be_tried_again(void **state)
{
	unsigned char buf[512] = {1};
	struct btt *btt;

	(void)state;
	btt = fixture_open(&f);
	no_random = true;
	assert_int_equal(btt_write(btt, buf, 3), -EIO);
	assert_null(strstr(errormsg_get(), "sync"));
	assert_int_equal(btt_set_error(btt, 3), -EIO);
	no_random = false;
	assert_false(btt_is_laid_out(btt));
	assert_int_equal(btt_sync(btt), 0);
	assert_int_equal(btt_write(btt, buf, 3), 0);
	assert_int_equal(btt_set_zero(btt, 3), 0);
	btt_close(btt);
	assert_int_equal(fixture_check(&f), 1);
}

static void a_sync_that_fails_in_a_layout_poisons_the_table(void **state)
{
	unsigned char buf[512] = {1};
	struct btt *btt;

	(void)state;
	btt = fixture_open(&f);
	f.ram.fail_fence_at = f.ram.fences + 2;
	assert_int_equal(btt_write(btt, buf, 3), -EIO);
	assert_non_null(strstr(errormsg_get(), "sync failed"));
	f.ram.fail_fence_at = 0;
	assert_int_equal(btt_write(btt, buf, 3), -EIO);
	assert_int_equal(btt_set_zero(btt, 3), -EIO);
	assert_int_equal(btt_sync(btt), -EIO);
	fixture_expect_byte(btt, 3, 0);
	btt_close(btt);
}

/*
 * The page of the fast path is protected, so its first store is noticed. If other threads could write
 * at that moment, a sync of theirs could fail and close the fast path, and the layout would open it
 * again after that.
 */
static struct {
	struct btt *btt;
	struct btt_fast *fast;
	bool is_noticed;
	bool may_others_write;
} opening;

static void notice_first_store(int sig)
{
	(void)sig;
	opening.is_noticed = true;
	opening.may_others_write = btt_is_laid_out(opening.btt);
	mprotect(opening.fast, sizeof(*opening.fast), PROT_READ | PROT_WRITE);
}

static void the_fast_path_opens_before_others_can_write(void **state)
{
	struct sigaction action = {.sa_handler = notice_first_store};
	struct sigaction before;
	unsigned char buf[512] = {1};

	(void)state;
	opening.fast = mmap(NULL, sizeof(*opening.fast), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(opening.fast != MAP_FAILED);
	f.params.fast = opening.fast;
	opening.btt = fixture_open(&f);
	assert_int_equal(sigaction(SIGSEGV, &action, &before), 0);
	assert_int_equal(mprotect(opening.fast, sizeof(*opening.fast), PROT_READ), 0);
	assert_int_equal(btt_write(opening.btt, buf, 3), 0);
	assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
	assert_true(opening.is_noticed);
	assert_false(opening.may_others_write);
	assert_int_not_equal(opening.fast->nblock, 0);
	btt_close(opening.btt);
	munmap(opening.fast, sizeof(*opening.fast));
}

/*
 * Zeros in a user's file may come from an earlier attempt, whose write the disk refused, so they
 * are stored again. A file that the library made never held anything else, and a hole has no
 * page.
 */
static void only_what_may_have_been_something_else_is_cleared_again(void **state)
{
	static const struct {
		bool user_file, holes;
		unsigned long renewed;
	} trial[] = {{false, false, 0},
		     {false, true, 0},
		     {true, true, 0},
		     {true, false, (FLOG_OFF - MAP_OFF) / 4}};
	unsigned char buf[512] = {1};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(trial); i++) {
		struct fixture pool;
		struct btt *btt;

		fixture_init(&pool, POOL_SIZE, 512);
		pool.params.user_file = trial[i].user_file;
		pool.params.zeroed = !trial[i].user_file;
		if (!trial[i].holes)
			pool.ram.s.next_data = NULL;
		btt = fixture_open(&pool);
		assert_int_equal(btt_write(btt, buf, 0), 0);
		/* the last is the entry that the write replaces */
		assert_int_equal(pool.ram.renewed, trial[i].renewed + 1);
		btt_close(btt);
		fixture_fini(&pool);
	}
}

/* Whether the remains of a pool in a user's file count as a pool whose info blocks are lost. */
static bool is_lost(void)
{
	struct btt_found found;
	bool lost;

	assert_int_equal(btt_find_layout(&f.ram.s, &f.params, &found), 0);
	lost = found.layout == BTT_LAYOUT_LOST;
	assert_true(lost || found.layout == BTT_LAYOUT_NONE);
	btt_find_free(&found);
	return lost;
}

static void lose_info_blocks(void)
{
	memset(f.ram.s.base + DATA_OFF, 0, 4096);
	memset(f.ram.s.base + COPY_OFF, 0, 4096);
}

/* Else the flog is something that the user's file held before. */
static void a_flog_counts_if_each_slot_makes_sense(void **state)
{
	static const struct {
		uint64_t off; /* in a slot */
		uint32_t limit;
	} fields[] = {{0, EXT_NLBA}, {4, EXT_NLBA + 256}, {8, EXT_NLBA + 256}};
	const uint64_t slot = FLOG_OFF + 7 * 64; /* its current record is the first one */
	uint32_t before;

	(void)state;
	lose_info_blocks();
	assert_true(is_lost());
	f.params.user_file = true;
	assert_true(is_lost());
	for (unsigned i = 0; i < 3; i++)
		for (uint32_t beyond = 0; beyond < 2; beyond++) {
			memcpy(&before, f.ram.s.base + slot + fields[i].off, 4);
			fixture_put32(&f, slot + fields[i].off,
				      fields[i].limit - 1 + beyond);
			assert_true(is_lost() == !beyond);
			fixture_put32(&f, slot + fields[i].off, before);
		}
	/* no current record */
	fixture_put32(&f, slot + 12, 0);
	assert_false(is_lost());
}

/* A write stores its record before the map entry, which then may be lost. */
static void a_record_alone_shows_that_the_pool_was_written(void **state)
{
	(void)state;
	fixture_put32(&f, MAP_OFF, 0);
	memset(f.ram.s.base + COPY_OFF, 0, 4096);
	assert_int_equal(fixture_check(&f), 0); /* a copy was there */
	lose_info_blocks();
	assert_true(is_lost());
}

/* The places where a layout stores only zeros are not left out. */
static void every_word_of_the_flog_may_show_that_the_pool_was_written(void **state)
{
	static const unsigned slots[] = {0, 7, BTT_NFREE - 1};
	struct btt *btt = fixture_open(&f);

	(void)state;
	assert_int_equal(btt_set_error(btt, 5), 0);
	btt_close(btt);
	fixture_put32(&f, MAP_OFF + 20, 0);
	lose_info_blocks();
	assert_false(is_lost());
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
		for (unsigned at = 0; at < BTT_FLOG_SLOT_SIZE; at += 4) {
			uint64_t off = FLOG_OFF + slots[i] * BTT_FLOG_SLOT_SIZE + at;
			uint32_t before = fixture_get32(&f, off);

			fixture_put32(&f, off, before ^ 0x100);
			if (!is_lost())
				fail_msg("byte %u of slot %u", at, slots[i]);
			fixture_put32(&f, off, before);
		}
}

/* A table in a file that the user supplied, with a first layout by one call. */
static void lay_out_users_file(void)
{
	struct btt *btt;

	f.params.user_file = true;
	f.params.zeroed = false;
	btt = fixture_open(&f);
	assert_int_equal(btt_set_error(btt, 5), 0);
	btt_close(btt);
}

/* The original writes the records only, and leaves what the user's file had behind them. */
static void behind_the_records_a_users_file_may_hold_anything(void **state)
{
	(void)state;
	lay_out_users_file();
	fixture_put32(&f, MAP_OFF + 20, 0);
	for (unsigned n = 0; n < BTT_NFREE; n++)
		for (unsigned at = 32; at < BTT_FLOG_SLOT_SIZE; at += 4)
			fixture_put32(&f, FLOG_OFF + n * BTT_FLOG_SLOT_SIZE + at,
				      n * 64 + at);
	/* the copy is still missing */
	memset(f.ram.s.base + POOL_SIZE - 4096, 0, 4096);
	assert_int_equal(fixture_check(&f), 1);
	/* the info block is torn */
	memset(f.ram.s.base + DATA_OFF + 512, 0xa5, 4096 - 512);
	assert_false(is_lost());
	assert_int_equal(fixture_check(&f), 1);
}

/* Somebody has cut the file off in the middle of the first info block, and made it as long again. */
static void the_remains_of_an_info_block_show_that_there_was_a_layout(void **state)
{
	static const unsigned left[] = {40, 48, 64, 1000, 4088};
	struct btt *btt = fixture_open(&f);

	(void)state;
	assert_int_equal(btt_set_error(btt, 5), 0);
	btt_close(btt);
	for (size_t i = ARRAY_SIZE(left); i-- > 0;) {
		memset(f.ram.s.base + DATA_OFF + left[i], 0,
		       POOL_SIZE - DATA_OFF - left[i]);
		assert_true(is_lost());
		assert_int_equal(fixture_check(&f), 0);
	}
}

/*
 * In the place of the map there is something that the user's file held before: the layout lost power
 * before it had cleared that.
 */
static void a_flog_that_no_write_has_used_does_not_count(void **state)
{
	const uint64_t slot = FLOG_OFF + 7 * BTT_FLOG_SLOT_SIZE;
	(void)state;
	lay_out_users_file();
	lose_info_blocks();
	assert_false(is_lost());
	/* a write of block 3 */
	fixture_put32(&f, slot + 16, 3);
	fixture_put32(&f, slot + 20, BTT_MAP_NORMAL | 3);
	fixture_put32(&f, slot + 24, BTT_MAP_NORMAL | (EXT_NLBA + 7));
	fixture_put32(&f, slot + 28, 2);
	assert_true(is_lost());
}

/* Else a layout would be stored over what was written. */
static void a_map_entry_alone_shows_that_the_pool_was_used(void **state)
{
	static const uint32_t premap[] = {0, 1, 1023, 1024, 5000, EXT_NLBA - 1};
	struct btt *btt = fixture_open(&f);

	(void)state;
	assert_int_equal(btt_set_error(btt, 5), 0);
	btt_close(btt);
	fixture_put32(&f, MAP_OFF + 20, 0);
	lose_info_blocks();
	assert_false(is_lost());
	for (size_t i = 0; i < ARRAY_SIZE(premap); i++) {
		fixture_put32(&f, MAP_OFF + 4 * premap[i], BTT_MAP_ERROR | premap[i]);
		assert_true(is_lost());
		/* an initial entry, whatever its number */
		fixture_put32(&f, MAP_OFF + 4 * premap[i], 7);
		assert_false(is_lost());
		fixture_put32(&f, MAP_OFF + 4 * premap[i], 0);
	}
}

/* In a user's file, a flog that makes no sense may be anything, but not beside an info block. */
static void a_damaged_info_block_shows_that_there_was_a_layout(void **state)
{
	static const uint64_t place[] = {DATA_OFF, COPY_OFF};
	unsigned char block[4096];

	(void)state;
	memcpy(block, f.ram.s.base + DATA_OFF, sizeof(block));
	block[37] ^= 0x80;
	lose_info_blocks();
	fixture_put32(&f, FLOG_OFF + 7 * 64 + 12, 0);
	assert_true(is_lost()); /* the library has made the file */
	f.params.user_file = true;
	f.params.zeroed = false;
	assert_false(is_lost());
	for (size_t i = 0; i < ARRAY_SIZE(place); i++) {
		memcpy(f.ram.s.base + place[i], block, sizeof(block));
		assert_true(is_lost());
		memset(f.ram.s.base + place[i], 0, sizeof(block));
	}
}

/* It is damaged, too, but not as much as to hide that. */
static void a_damaged_info_block_of_another_pool_shows_nothing(void **state)
{
	static const uint64_t place[] = {DATA_OFF, COPY_OFF};

	(void)state;
	fixture_put32(&f, FLOG_OFF + 7 * 64 + 12, 0);
	f.params.user_file = true;
	f.params.zeroed = false;
	lose_info_blocks();
	for (size_t i = 0; i < ARRAY_SIZE(place); i++) {
		unsigned char *block = f.ram.s.base + place[i];
		unsigned char *parent = block + 32;

		memset(block, 0x77, 4096);
		memcpy(block, "BTT_ARENA_INFO\0", 16);
		assert_false(is_lost());
		memcpy(parent, f.params.parent.bytes, 8);
		assert_true(is_lost());
		memset(parent, 0, 16);
		assert_false(is_lost());
		memcpy(parent + 8, f.params.parent.bytes + 8, 8);
		assert_true(is_lost());
		memset(block, 0, 4096);
	}
}

/* One of them says whose flog it is. */
static void one_info_block_of_another_pool_is_enough(void **state)
{
	static const uint64_t place[] = {DATA_OFF, COPY_OFF};
	unsigned char block[4096];

	(void)state;
	memcpy(block, f.ram.s.base + DATA_OFF, sizeof(block));
	lose_info_blocks();
	f.params.user_file = true;
	f.params.zeroed = false;
	f.params.parent.bytes[0] ^= 1;
	assert_true(is_lost());
	for (size_t i = 0; i < ARRAY_SIZE(place); i++) {
		memcpy(f.ram.s.base + place[i], block, sizeof(block));
		assert_false(is_lost());
		memset(f.ram.s.base + place[i], 0, sizeof(block));
	}
}

/* A layout stores the copies last, so it leaves nothing else. */
static void only_copies_may_be_missing_from_an_unfinished_layout(void **state)
{
	struct btt *btt = fixture_open(&f);
	unsigned char block[4096];

	(void)state;
	assert_int_equal(btt_set_error(btt, 5), 0);
	btt_close(btt);
	fixture_put32(&f, MAP_OFF + 20, 0);
	assert_int_equal(fixture_check(&f), 1);
	memcpy(block, f.ram.s.base + DATA_OFF, sizeof(block));
	memset(f.ram.s.base + DATA_OFF, 0, sizeof(block));
	assert_int_equal(fixture_check(&f), 0);
	memcpy(f.ram.s.base + DATA_OFF, block, sizeof(block));
	f.params.data_size -= 4096;
	assert_int_equal(fixture_check(&f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    ON_FRESH(a_fresh_pool_has_no_layout),
	    ON_FRESH(an_interrupted_first_layout_is_no_layout),
	    ON_FRESH(a_users_file_may_hold_anything_before_the_first_write),
	    ON_WRITTEN(another_pools_remains_are_no_layout_of_a_users_file),
	    ON_FRESH(blocks_that_do_not_fit_are_refused),
	    ON_FRESH(a_layout_without_random_bytes_fails_and_may_be_tried_again),
	    ON_FRESH(a_sync_that_fails_in_a_layout_poisons_the_table),
	    ON_FRESH(the_fast_path_opens_before_others_can_write),
	    ON_WRITTEN(a_flog_counts_if_each_slot_makes_sense),
	    ON_WRITTEN(a_record_alone_shows_that_the_pool_was_written),
	    ON_FRESH(every_word_of_the_flog_may_show_that_the_pool_was_written),
	    ON_FRESH(behind_the_records_a_users_file_may_hold_anything),
	    ON_FRESH(the_remains_of_an_info_block_show_that_there_was_a_layout),
	    ON_FRESH(a_flog_that_no_write_has_used_does_not_count),
	    cmocka_unit_test(only_what_may_have_been_something_else_is_cleared_again),
	    ON_FRESH(a_map_entry_alone_shows_that_the_pool_was_used),
	    ON_WRITTEN(a_damaged_info_block_shows_that_there_was_a_layout),
	    ON_WRITTEN(a_damaged_info_block_of_another_pool_shows_nothing),
	    ON_WRITTEN(one_info_block_of_another_pool_is_enough),
	    ON_FRESH(only_copies_may_be_missing_from_an_unfinished_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
