/* SPDX-License-Identifier: BSD-3-Clause */
/* Pools of several arenas, in sparse files. */
#include "btt_fixture.h"

#include "btt/batch.h"
#include "btt/find.h"
#include "btt/flog.h"
#include "btt/geometry.h"
#include "btt/open.h"
#include "btt/zero_range.h"

#define TERABYTE (UINT64_C(1) << 40)

static void three_arenas_of_a_sparse_terabyte(void **state)
{
	enum { BSIZE = 4096 };
	const uint64_t size = TERABYTE + (64u << 20) + DATA_OFF;
	static unsigned char buf[BSIZE];
	uint64_t first_of_arena[3];
	struct fixture f;
	struct btt *btt;
	uint64_t per_arena;

	(void)state;
#ifdef __SANITIZE_THREAD__
	skip(); /* its run time may leave no free terabyte in one piece */
#endif
	fixture_init(&f, size, BSIZE);
	btt = fixture_open(&f);
	assert_int_equal(btt_count_blocks("pool", TERABYTE / 2, BSIZE, &per_arena), 0);
	for (unsigned i = 0; i < 3; i++)
		first_of_arena[i] = i * per_arena;
	for (unsigned i = 0; i < 3; i++) {
		memset(buf, (int)i + 1, BSIZE);
		assert_int_equal(btt_write(btt, buf, first_of_arena[i]), 0);
		memset(buf, (int)i + 0x81, BSIZE);
		assert_int_equal(
		    btt_write(btt, buf,
			      i < 2 ? first_of_arena[i + 1] - 1 : btt_nblock(btt) - 1),
		    0);
	}
	btt_close(btt);

	/* each arena's primary can be lost, all at once */
	for (unsigned i = 0; i < 3; i++)
		memset(f.ram.s.base + DATA_OFF + i * (TERABYTE / 2), 0, 4096);
	btt = fixture_open(&f);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(btt_read(btt, buf, first_of_arena[i]), 0);
		assert_int_equal(buf[BSIZE - 1], i + 1);
		assert_int_equal(
		    btt_read(btt, buf,
			     i < 2 ? first_of_arena[i + 1] - 1 : btt_nblock(btt) - 1),
		    0);
		assert_int_equal(buf[0], i + 0x81);
	}
	assert_int_equal(btt_read(btt, buf, first_of_arena[1] + 1), 0);
	assert_int_equal(buf[0], 0);
	btt_close(btt);
	fixture_fini(&f);
}

/* A table that is laid out: an arena of the largest size, and one of 64 MiB behind it. */
static void fixture_init_two_arenas(struct fixture *f)
{
	unsigned char buf[512] = {1};
	struct btt *btt;

	fixture_init(f, TERABYTE / 2 + (64u << 20) + DATA_OFF, sizeof(buf));
	btt = fixture_open(f);
	assert_int_equal(btt_write(btt, buf, 0), 0);
	btt_close(btt);
}

static void an_arena_lost_among_others_is_reported_and_kept(void **state)
{
	unsigned char *first;
	struct fixture f;
	struct btt *btt;

	(void)state;
	fixture_init_two_arenas(&f);
	first = f.ram.s.base + DATA_OFF + TERABYTE / 2;
	memset(first, 0, 4096);
	memset(first + (64u << 20) - 4096, 0, 4096);
	assert_int_equal(btt_open(&f.ram.s, &f.params, &btt), -EINVAL);
	assert_non_null(strstr(errormsg_get(), "arena 1 at offset 0x8000002000"));
	fixture_fini(&f);
}

static void a_last_arena_that_is_too_small_for_its_blocks_is_not_looked_at(void **state)
{
	enum { BSIZE = 40000 }; /* fewer than twice 256 of them fit into it */
	struct fixture f;
	struct btt *btt;

	(void)state;
#ifdef __SANITIZE_THREAD__
	skip(); /* its run time may leave no half of a terabyte in one piece */
#endif
	fixture_init(&f, TERABYTE / 2 + (17u << 20) + DATA_OFF, BSIZE);
	assert_int_equal(btt_open(&f.ram.s, &f.params, &btt), -EINVAL);
	assert_non_null(strstr(errormsg_get(), "cannot hold blocks of 40000 bytes"));
	assert_int_equal(btt_check(&f.ram.s, &f.params), -EINVAL);
	fixture_fini(&f);
}

static void the_last_arena_fits_into_what_the_others_leave(void **state)
{
	struct fixture f;
	struct btt *btt;

	(void)state;
	fixture_init_two_arenas(&f);
	f.params.data_size -= 4096; /* its copy of the info block is cut off */
	btt = fixture_open(&f);
	btt_close(btt);
	f.params.data_size -= 4096;
	assert_int_equal(btt_open(&f.ram.s, &f.params, &btt), -EINVAL);
	assert_non_null(strstr(errormsg_get(), "cut off"));
	fixture_fini(&f);
}

/* Puts the first arena's map and flog back to what the layout has stored. */
static void forget_the_write(struct fixture *f)
{
	struct btt_geometry geo;

	assert_int_equal(btt_geometry_arena(TERABYTE / 2, 512, &geo), 0);
	fixture_put32(f, DATA_OFF + geo.map_arena_off, 0);
	for (unsigned n = 0; n < BTT_NFREE; n++) {
		struct btt_flog_slot_media pristine;

		btt_flog_encode_pristine(n, geo.external_nlba, &pristine);
		memcpy(f->ram.s.base + DATA_OFF + geo.flog_arena_off +
			   (size_t)n * sizeof(pristine),
		       &pristine, sizeof(pristine));
	}
}

/*
 * The first arena's info block says that there is another one, which is gone, or most of it. Its blocks
 * are missed even if the pool was never written to.
 */
static void a_pool_that_has_lost_its_last_arena_is_no_smaller_pool(void **state)
{
	static const uint64_t left[] = {0, 4096, 8 << 20, (16 << 20) - 8192};

	(void)state;
	for (unsigned i = 0; i < 4 * ARRAY_SIZE(left); i++) {
		bool is_written = i % 2;
		bool is_damaged = i / 2 % 2; /* the first page of the last arena */
		unsigned long stores;
		struct fixture f;
		struct btt *btt;

		fixture_init_two_arenas(&f);
		if (!is_written)
			forget_the_write(&f);
		if (is_damaged)
			memset(f.ram.s.base + DATA_OFF + TERABYTE / 2, 0, 4096);
		f.params.data_size = TERABYTE / 2 + left[i / 4];
		stores = f.ram.stores;
		assert_int_equal(btt_open(&f.ram.s, &f.params, &btt), -EINVAL);
		if (!strstr(errormsg_get(), "cut off"))
			fail_msg("%s", errormsg_get());
		assert_int_equal(btt_check(&f.ram.s, &f.params), 0);
		assert_int_equal(f.ram.stores, stores);
		fixture_fini(&f);
	}
}

static unsigned char *last_arena(struct fixture *f)
{
	return f->ram.s.base + DATA_OFF + TERABYTE / 2;
}

/* The copy in the last page of the first arena, and of the last one. */
static unsigned char *copy_of(struct fixture *f, unsigned arena)
{
	return last_arena(f) + (arena ? 64u << 20 : 0) - 4096;
}

static void writes_to_any_arena_show_that_the_pool_was_used(void **state)
{
	struct fixture f;
	struct btt *btt;

	(void)state;
	for (unsigned arena = 0; arena < 3; arena++) {
		unsigned char buf[512] = {1};

		fixture_init_two_arenas(&f);
		forget_the_write(&f);
		btt = fixture_open(&f);
		if (arena < 2)
			assert_int_equal(
			    btt_write(btt, buf, arena ? btt_nblock(btt) - 1 : 0), 0);
		btt_close(btt);
		memset(f.ram.s.base + DATA_OFF, 0, 4096);
		memset(last_arena(&f), 0, 4096);
		memset(copy_of(&f, 0), 0, 4096);
		memset(copy_of(&f, 1), 0, 4096);
		assert_int_equal(btt_check(&f.ram.s, &f.params), arena == 2);
		if (arena < 2) {
			assert_int_equal(btt_open(&f.ram.s, &f.params, &btt), -EINVAL);
			assert_non_null(strstr(errormsg_get(), "both info blocks"));
		}
		fixture_fini(&f);
	}
}

/*
 * Somebody has cut off the file, and made it as long again as before. What is left of the first arena
 * is its info block, and perhaps a part of its map and flog. As an empty pool, it would be written over.
 */
static void a_tail_that_is_lost_leaves_no_empty_pool(void **state)
{
	struct btt_geometry geo;

	(void)state;
	assert_int_equal(btt_geometry_arena(TERABYTE / 2, 512, &geo), 0);
	for (unsigned i = 0; i < 8; i++) {
		const uint64_t left[] = {4096, geo.map_arena_off + 4096,
					 geo.flog_arena_off, geo.flog_arena_off + 8192};
		bool is_written = i % 2;
		unsigned long stores;
		struct fixture f;
		struct btt *btt;

		fixture_init_two_arenas(&f);
		if (!is_written)
			forget_the_write(&f);
		assert_int_equal(ftruncate(f.ram.fd, (off_t)(DATA_OFF + left[i / 2])), 0);
		assert_int_equal(ftruncate(f.ram.fd, (off_t)f.ram.s.size), 0);
		stores = f.ram.stores;
		assert_int_equal(btt_open(&f.ram.s, &f.params, &btt), -EINVAL);
		if (!strstr(errormsg_get(), "arena 1 at offset 0x8000002000") &&
		    !strstr(errormsg_get(), "map and the flog hold only zeros"))
			fail_msg("%s", errormsg_get());
		assert_int_equal(btt_check(&f.ram.s, &f.params), 0);
		assert_int_equal(f.ram.stores, stores);
		fixture_fini(&f);
	}
}

/* No layout has stored an info block when the flog of an arena before it was not complete. */
static void an_arena_that_was_cleared_before_another_leaves_no_empty_pool(void **state)
{
	struct btt_geometry geo;

	(void)state;
	assert_int_equal(btt_geometry_arena(TERABYTE / 2, 512, &geo), 0);
	for (unsigned i = 0; i < 4; i++) {
		unsigned long stores;
		struct fixture f;
		struct btt *btt;

		fixture_init_two_arenas(&f);
		memset(f.ram.s.base + DATA_OFF, 0, 4096);
		memset(f.ram.s.base + DATA_OFF + geo.map_arena_off, 0, 4096);
		memset(f.ram.s.base + DATA_OFF + geo.flog_arena_off, 0, geo.flog_size);
		memset(copy_of(&f, 0), 0, 4096);
		if (i % 2)
			memset(last_arena(&f), 0, 4096);
		if (i / 2) /* only its remains are left */
			(i % 2 ? copy_of(&f, 1) : last_arena(&f))[200] ^= 1;
		stores = f.ram.stores;
		assert_int_equal(btt_open(&f.ram.s, &f.params, &btt), -EINVAL);
		assert_non_null(strstr(errormsg_get(), "arena 0 at offset 0x2000"));
		assert_int_equal(btt_check(&f.ram.s, &f.params), 0);
		assert_int_equal(f.ram.stores, stores);
		fixture_fini(&f);
	}
}

/* The original completes an arena, with its copy, before it begins the next one. */
static void the_layout_of_the_original_may_end_behind_an_arena(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct btt_found found;
		struct btt_geometry geo;
		struct fixture f;
		struct btt *btt;
		uint64_t flog;

		assert_int_equal(btt_geometry_arena(64u << 20, 512, &geo), 0);
		fixture_init_two_arenas(&f);
		forget_the_write(&f);
		if (i % 2) /* its copy, which is stored last, is missing */
			memset(copy_of(&f, 0), 0, 4096);
		memset(last_arena(&f), 0, 4096);
		memset(copy_of(&f, 1), 0, 4096);
		flog = geo.flog_arena_off;
		if (i / 2) /* it had stored some slots, and half of another one */
			flog += 5 * BTT_FLOG_SLOT_SIZE + 8;
		memset(last_arena(&f) + flog, 0, geo.info_arena_off - flog);
		assert_int_equal(btt_check(&f.ram.s, &f.params), 1);
		btt = fixture_open(&f);
		assert_false(btt_is_laid_out(btt));
		btt_close(btt);
		assert_int_equal(btt_find_layout(&f.ram.s, &f.params, &found), 0);
		assert_int_equal(found.layout, BTT_LAYOUT_NONE);
		assert_int_equal(found.narena, 0);
		assert_null(found.arena);
		fixture_fini(&f);
	}
}

/* A layout stores the copies of all arenas in one step. After a write a missing copy is damage. */
static void the_copy_of_any_arena_may_be_missing_from_a_layout(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		enum btt_condition condition;
		struct fixture f;
		struct btt *btt;

		fixture_init_two_arenas(&f);
		if (i / 2 == 0)
			forget_the_write(&f);
		memset(copy_of(&f, i % 2), 0, 4096);
		assert_int_equal(btt_open_any(&f.ram.s, &f.params, &btt, &condition), 0);
		assert_int_equal(condition, i / 2 ? BTT_MENDED : BTT_SOUND);
		btt_close(btt);
		fixture_fini(&f);
	}
}

/* The disk fails while the pool is opened, at the first fence. */
static unsigned char *lost_at_fence;

static void lose_at_fence(void)
{
	memset(lost_at_fence, 0xff, 4096);
}

/* It is sound, but if the primary were restored from it, the pool would become smaller. */
static void a_copy_that_knows_no_second_arena_is_restored_from_the_primary(void **state)
{
	unsigned char good[4096];
	struct btt_info info;
	uint64_t nblock;
	struct fixture f;
	struct btt *btt;

	(void)state;
	fixture_init_two_arenas(&f);
	memcpy(good, copy_of(&f, 0), sizeof(good));
	assert_int_equal(
	    btt_info_decode(good, &f.params.parent, 512, TERABYTE / 2, &info),
	    BTT_INFO_VALID);
	assert_true(info.has_next);
	info.has_next = false;
	btt_info_encode(&info, &f.params.parent, (void *)copy_of(&f, 0));
	assert_int_equal(btt_check(&f.ram.s, &f.params), 0);
	if (!strstr(errormsg_get(), "arena 0 at offset 0x2000: the info block's copy"))
		fail_msg("%s", errormsg_get());

	btt_info_encode(&info, &f.params.parent, (void *)copy_of(&f, 0));
	lost_at_fence = f.ram.s.base + DATA_OFF;
	f.ram.at_fence = lose_at_fence;
	assert_int_equal(btt_open(&f.ram.s, &f.params, &btt), -EIO);
	assert_non_null(strstr(errormsg_get(), "is no longer what it was"));
	f.ram.at_fence = NULL;
	memcpy(lost_at_fence, good, sizeof(good));

	btt = fixture_open(&f);
	nblock = btt_nblock(btt);
	assert_memory_equal(copy_of(&f, 0), good, sizeof(good));
	btt_close(btt);
	memset(f.ram.s.base + DATA_OFF, 0, 4096);
	btt = fixture_open(&f);
	assert_int_equal(btt_nblock(btt), nblock);
	btt_close(btt);
	fixture_fini(&f);
}

/* The disk fails while the pool is opened. */
static void lose_last_arena_when_renewed(struct storage *s, struct storage_step *step,
					 uint64_t off, const void *seen, size_t len)
{
	unsigned char *last = s->base + DATA_OFF + TERABYTE / 2;

	ram_ops.renew(s, step, off, seen, len);
	memset(last, 0xff, 4096);
	memset(last + (64u << 20) - 4096, 0xff, 4096);
}

static void an_open_fails_if_an_arena_is_lost_meanwhile(void **state)
{
	struct storage_ops ops = ram_ops;
	unsigned long stores;
	struct fixture f;
	struct btt *btt;

	(void)state;
	fixture_init_two_arenas(&f);
	stores = f.ram.stores;
	ops.renew = lose_last_arena_when_renewed;
	f.ram.s.ops = &ops;
	assert_int_equal(btt_open(&f.ram.s, &f.params, &btt), -EIO);
	assert_non_null(
	    strstr(errormsg_get(), "at offset 0x8000002000 is no longer what"));
	assert_int_equal(f.ram.stores, stores);
	fixture_fini(&f);
}

/* By their numbers in the pool, where two arenas meet. */
static void calls_on_many_blocks_name_those_of_the_last_arena(void **state)
{
	static unsigned char buf[8 * 512];
	struct btt_geometry first;
	struct btt_geometry last;
	long long failed = 77;
	struct btt_run run;
	struct fixture f;
	struct btt *btt;
	long long begin;

	(void)state;
	fixture_init_two_arenas(&f);
	assert_int_equal(btt_geometry_arena(TERABYTE / 2, 512, &first), 0);
	assert_int_equal(btt_geometry_arena(64u << 20, 512, &last), 0);
	begin = first.external_nlba;
	run = (struct btt_run){buf, begin - 4, 8};
	fixture_put32(&f, DATA_OFF + TERABYTE / 2 + last.map_arena_off + 8, 0xffffffff);
	btt = fixture_open(&f);
	assert_int_equal(btt_write_runs(btt, &run, 1, &failed), -EIO);
	assert_int_equal(failed, begin + 2);
	assert_int_equal(btt_zero_range(btt, (uint64_t)begin - 4, 8, &failed), -EIO);
	assert_int_equal(failed, begin + 2);
	btt_close(btt);

	/* two records with the same sequence number */
	fixture_put32(&f, DATA_OFF + TERABYTE / 2 + last.flog_arena_off + 28, 1);
	btt = fixture_open(&f);
	f.ram.stores = 0;
	assert_int_equal(btt_write_runs(btt, &run, 1, &failed), -EIO);
	assert_int_equal(failed, begin);
	assert_non_null(strstr(errormsg_get(), "0x8000002000 is read-only"));
	assert_int_equal(btt_zero_range(btt, (uint64_t)begin - 1, 2, &failed), -EIO);
	assert_int_equal(failed, begin);
	assert_int_equal(btt_zero_range(btt, (uint64_t)begin + 3, 2, &failed), -EIO);
	assert_int_equal(failed, begin + 3);
	assert_int_equal(f.ram.stores, 0);
	run.nblock = 4;
	assert_int_equal(btt_write_runs(btt, &run, 1, &failed), 0);
	assert_int_equal(btt_zero_range(btt, (uint64_t)begin - 4, 4, &failed), 0);
	btt_close(btt);

	/* in the first arena instead */
	fixture_put32(&f, DATA_OFF + TERABYTE / 2 + last.flog_arena_off + 28, 0);
	fixture_put32(&f, DATA_OFF + first.flog_arena_off + 5 * BTT_FLOG_SLOT_SIZE + 28,
		      1);
	btt = fixture_open(&f);
	assert_int_equal(btt_zero_range(btt, (uint64_t)begin - 1, 2, &failed), -EIO);
	assert_int_equal(failed, begin - 1);
	assert_int_equal(btt_zero_range(btt, (uint64_t)begin, 2, &failed), 0);
	btt_close(btt);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(three_arenas_of_a_sparse_terabyte),
	    cmocka_unit_test(
		a_last_arena_that_is_too_small_for_its_blocks_is_not_looked_at),
	    cmocka_unit_test(the_last_arena_fits_into_what_the_others_leave),
	    cmocka_unit_test(an_arena_lost_among_others_is_reported_and_kept),
	    cmocka_unit_test(a_pool_that_has_lost_its_last_arena_is_no_smaller_pool),
	    cmocka_unit_test(writes_to_any_arena_show_that_the_pool_was_used),
	    cmocka_unit_test(a_tail_that_is_lost_leaves_no_empty_pool),
	    cmocka_unit_test(
		an_arena_that_was_cleared_before_another_leaves_no_empty_pool),
	    cmocka_unit_test(the_layout_of_the_original_may_end_behind_an_arena),
	    cmocka_unit_test(the_copy_of_any_arena_may_be_missing_from_a_layout),
	    cmocka_unit_test(
		a_copy_that_knows_no_second_arena_is_restored_from_the_primary),
	    cmocka_unit_test(an_open_fails_if_an_arena_is_lost_meanwhile),
	    cmocka_unit_test(calls_on_many_blocks_name_those_of_the_last_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
