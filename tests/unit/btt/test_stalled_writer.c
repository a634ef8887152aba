/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A thread that stops in the storage's fence, in the middle of a modifying call, delays only
 * those threads that need the map lock that it holds. Other threads write, with lanes of their
 * own or with any free shared lane, and readers read even the same block.
 *
 * The calls that must not wait run in threads of their own, so that a case fails instead of
 * hanging.
 */
#include "stalled_fixture.h"

#include <sys/syscall.h>

/* --- threads that must not be held up ----------------------------------------------------- */

struct other {
	struct btt *btt;
	uint64_t first; /* the first of LOCK_BLOCKS blocks that only this thread uses */
	unsigned hint;
	const char *failure;
	bool has_hint;
	bool go;
	bool done;
	pthread_t thread;
};

static bool holds(struct btt *btt, uint64_t lba, int byte)
{
	unsigned char buf[512];

	return btt_read(btt, buf, lba) == 0 && buf[0] == byte &&
	       memcmp(buf, buf + 1, sizeof(buf) - 1) == 0;
}

static void *run_other(void *arg)
{
	struct other *o = arg;
	unsigned char buf[512];

	o->hint = lane_hint(lane_thread());
	raise_flag(&o->has_hint);
	wait_for(&o->go);
	for (int i = 1; i <= 100 && !o->failure; i++) {
		uint64_t lba = o->first + (uint64_t)i % LOCK_BLOCKS;

		memset(buf, i, sizeof(buf));
		if (btt_write(o->btt, buf, lba) || !holds(o->btt, lba, i))
			o->failure = "a write failed";
		if (i % 4 == 0 && (btt_set_zero(o->btt, lba) || !holds(o->btt, lba, 0)))
			o->failure = "set_zero failed";
	}
	raise_flag(&o->done);
	return NULL;
}

/*
 * Gives the thread its number. It begins in others_went_on(), so that no two get the same number.
 */
static void start_other(struct other *o, struct btt *btt, unsigned number)
{
	*o = (struct other){.btt = btt, .first = (uint64_t)number * LOCK_BLOCKS};
	assert_int_equal(pthread_create(&o->thread, NULL, run_other, o), 0);
	wait_for(&o->has_hint);
}

/*
 * Lets the others run and joins them. If one is delayed, releases the stopped ones; false then.
 */
static bool others_went_on(struct other *o, unsigned n, struct stopped *s, unsigned ns)
{
	bool in_time = true;

	for (unsigned i = 0; i < n; i++)
		raise_flag(&o[i].go);
	for (unsigned i = 0; i < n; i++)
		in_time &= is_raised_in_time(&o[i].done);
	for (unsigned i = 0; i < ns && !in_time; i++)
		raise_flag(&s[i].go);
	for (unsigned i = 0; i < n; i++) {
		pthread_join(o[i].thread, NULL);
		if (o[i].failure)
			fail_msg("thread %u: %s", i, o[i].failure);
	}
	return in_time;
}

/* --- lanes of one's own ------------------------------------------------------------------- */

static void others_write_while_writers_stand_in_the_fence(void **state)
{
	(void)state;
	for (int eager = 0; eager < 2; eager++) {
		struct stopped s[] = {
		    {.lba = 3, .call = WRITE, .fence = 1},
		    {.lba = LOCK_BLOCKS + 3, .call = WRITE, .fence = 2},
		    {.lba = 2 * LOCK_BLOCKS + 3, .call = SET_ZERO, .fence = 1},
		    {.lba = 3 * LOCK_BLOCKS + 3, .call = SET_ERROR, .fence = 1},
		};
		enum { NSTOPPED = sizeof(s) / sizeof(s[0]) };
		struct other o[2];
		struct fixture f;
		struct btt *btt = open_table(&f, 64, eager);

		/* With biased locks, the first thread owns them when the others come. */
		for (unsigned i = 0; i < NSTOPPED; i++) {
			stop(&s[i], btt);
			start_other(&o[0], btt, 4);
			start_other(&o[1], btt, 5);
			if (!others_went_on(o, 2, s, i + 1))
				fail_msg("held up by stopped thread %u", i);
			for (unsigned k = 0; k < 2; k++)
				assert_true(o[k].hint < btt->lanes.nprivate);
		}
		for (unsigned i = 0; i < NSTOPPED; i++) {
			let_go(&s[i]);
			assert_int_equal(s[i].ret, 0);
		}
		fixture_expect_byte(btt, s[0].lba, 0xee);
		fixture_expect_byte(btt, s[1].lba, 0xee);
		fixture_expect_byte(btt, s[2].lba, 0);
		close_table(&f, btt);
	}
}

/* --- readers of the same block ------------------------------------------------------------ */

struct reader {
	struct btt *btt;
	uint64_t lba;
	int expected; /* the byte that fills the block, or an error */
	bool done;
	bool good;
};

static void *run_reader(void *arg)
{
	struct reader *r = arg;
	unsigned char buf[512];

	r->good = true;
	for (int i = 0; i < 100; i++)
		r->good &= r->expected < 0 ? btt_read(r->btt, buf, r->lba) == r->expected
					   : holds(r->btt, r->lba, r->expected);
	raise_flag(&r->done);
	return NULL;
}

static void readers_of_the_very_block_get_through(void **state)
{
	/*
	 * A write stores the map entry after its second fence; a flag is stored before its fence.
	 */
	static const struct {
		enum call call;
		unsigned fence;
		bool written; /* before */
		int expected;
	} row[] = {
	    {WRITE, 1, true, 0x55},	 {WRITE, 2, true, 0x55},
	    {WRITE, 1, false, 0},	 {WRITE, 2, false, 0},
	    {SET_ZERO, 1, true, 0},	 {SET_ERROR, 1, true, -EIO},
	    {SET_ERROR, 1, false, -EIO},
	};

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(row) / sizeof(row[0]); i++) {
		struct stopped s = {.lba = row[i / 2].written ? 7 : 300,
				    .call = row[i / 2].call,
				    .fence = row[i / 2].fence};
		struct reader r = {.lba = s.lba, .expected = row[i / 2].expected};
		pthread_t thread;
		struct fixture f;
		bool in_time;

		s.btt = r.btt = open_table(&f, 64, i % 2);
		stop(&s, s.btt);
		assert_int_equal(pthread_create(&thread, NULL, run_reader, &r), 0);
		in_time = is_raised_in_time(&r.done);
		let_go(&s);
		pthread_join(thread, NULL);
		if (!in_time || !r.good)
			fail_msg("row %u: the reader %s", i / 2,
				 in_time ? "found something else" : "was held up");
		close_table(&f, s.btt);
	}
}

static uint64_t gate(struct btt *btt)
{
	return atomic_load(&btt->fast->nblock);
}

/* --- calls on many blocks ----------------------------------------------------------------- */

struct later {
	struct btt *btt;
	enum call call;
	uint64_t lba;
	uint64_t nblock;
	bool done;
	int ret;
};

static void *run_later(void *arg)
{
	struct later *l = arg;

	l->ret = make_call(l->btt, l->call, l->lba, l->nblock, 0xdd);
	raise_flag(&l->done);
	return NULL;
}

/* Whether the call waits for a lock: it asks the readers to give way. Otherwise it is done. */
static bool has_to_wait(struct later *l)
{
	while (gate(l->btt)) {
		bool done;

		pthread_mutex_lock(&mutex);
		done = l->done;
		pthread_mutex_unlock(&mutex);
		if (done)
			return false;
		syscall(SYS_sched_yield);
	}
	return true;
}

/* They need the locks of all their blocks, and no others. */
static void calls_on_many_blocks_wait_for_those_on_the_same(void **state)
{
	static const struct {
		enum call first;
		uint64_t first_lba;
		uint64_t first_nblock;
		enum call call;
		uint64_t lba;
		uint64_t nblock;
		bool waits;
	} row[] = {
	    {WRITE, 36, 1, ZERO_RANGE, 0, 32, false},
	    {WRITE, 36, 1, ZERO_RANGE, 48, 40, false},
	    {WRITE, 36, 1, ZERO_RANGE, 47, 1, true},
	    {WRITE, 36, 1, ZERO_RANGE, 0, 33, true},
	    {WRITE, 36, 1, ZERO_RANGE, 20, 40, true},
	    {WRITE, 36, 1, WRITE_RUN, 0, 32, false},
	    {WRITE, 36, 1, WRITE_RUN, 48, 40, false},
	    {WRITE, 36, 1, WRITE_RUN, 47, 1, true},
	    {WRITE, 36, 1, WRITE_RUN, 0, 33, true},
	    {WRITE, 36, 1, WRITE_RUN, 20, 40, true},
	    {SET_ZERO, 36, 1, ZERO_RANGE, 32, 16, true},
	    {SET_ZERO, 36, 1, WRITE_RUN, 32, 16, true},
	    {ZERO_RANGE, 36, 40, WRITE, 64, 1, true},
	    {ZERO_RANGE, 36, 40, ZERO_RANGE, 75, 5, true},
	    {ZERO_RANGE, 36, 40, WRITE_RUN, 32, 5, true},
	    {WRITE_RUN, 36, 40, SET_ZERO, 64, 1, true},
	    {WRITE_RUN, 36, 40, ZERO_RANGE, 75, 5, true},
	    {WRITE_RUN, 36, 40, WRITE_RUN, 32, 5, true},
	};

	(void)state;
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(row); i++) {
		unsigned k = i % ARRAY_SIZE(row);
		struct stopped s = {.lba = row[k].first_lba,
				    .nblock = row[k].first_nblock,
				    .call = row[k].first,
				    .fence = 1};
		struct later l = {
		    .call = row[k].call, .lba = row[k].lba, .nblock = row[k].nblock};
		pthread_t thread;
		struct fixture f;
		bool waits;

		l.btt = open_table(&f, 64, i == k);
		stop(&s, l.btt);
		assert_int_equal(pthread_create(&thread, NULL, run_later, &l), 0);
		waits = has_to_wait(&l);
		let_go(&s);
		pthread_join(thread, NULL);
		if (waits != row[k].waits)
			fail_msg("row %u: the call %s", k,
				 waits ? "was held up" : "did not wait");
		assert_int_equal(s.ret, 0);
		assert_int_equal(l.ret, 0);
		for (uint64_t lba = 0; lba < 96; lba++) {
			bool by_later = lba >= l.lba && lba < l.lba + l.nblock;
			bool by_first = lba >= s.lba && lba < s.lba + s.nblock;
			enum call last = by_later ? l.call : s.call;

			fixture_expect_byte(l.btt, lba,
					    !by_later && !by_first ? 0x55
					    : last == SET_ZERO || last == ZERO_RANGE ? 0
					    : by_later ? 0xdd
						       : 0xee);
		}
		close_table(&f, l.btt);
	}
}

/* --- shared lanes ------------------------------------------------------------------------- */

#define NLANE 32 /* 15 threads with lanes of their own, and two shared lanes */
#define NPRIVATE 15
#define NSHARED 2

struct owner {
	bool has_number;
	bool go;
	pthread_t thread;
};

static void *own_a_number(void *arg)
{
	struct owner *o = arg;

	lane_thread();
	raise_flag(&o->has_number);
	wait_for(&o->go);
	return NULL;
}

/* Starts threads that take the numbers of all private lanes except the caller's. */
static void take_private_lanes(struct owner *o)
{
	for (unsigned i = 0; i < NPRIVATE; i++) {
		o[i] = (struct owner){0};
		assert_int_equal(pthread_create(&o[i].thread, NULL, own_a_number, &o[i]),
				 0);
		wait_for(&o[i].has_number);
	}
}

static void give_private_lanes_back(struct owner *o)
{
	for (unsigned i = 0; i < NPRIVATE; i++) {
		raise_flag(&o[i].go);
		pthread_join(o[i].thread, NULL);
	}
}

static void a_stopped_writer_keeps_its_shared_lane_only(void **state)
{
	struct owner owner[NPRIVATE];

	(void)state;
	lane_thread();
	take_private_lanes(owner);
	for (unsigned i = 0; i < 4; i++) {
		struct stopped s = {.lba = 3, .call = WRITE, .fence = 1 + i % 2};
		struct other o[NSHARED + 1];
		unsigned preferred = 0;
		struct fixture f;
		struct btt *btt = open_table(&f, NLANE, i / 2);

		assert_int_equal(btt->lanes.nprivate, NPRIVATE);
		assert_int_equal(btt->lanes.nshared, NSHARED);
		stop(&s, btt);
		assert_true(s.hint >= NPRIVATE);
		for (unsigned k = 0; k < NSHARED + 1; k++)
			start_other(&o[k], btt, 1 + k);
		if (!others_went_on(o, NSHARED + 1, &s, 1))
			fail_msg("nobody takes the free lane");
		for (unsigned k = 0; k < NSHARED + 1; k++) {
			assert_true(o[k].hint >= NPRIVATE);
			preferred |= 1u << o[k].hint % NSHARED;
		}
		let_go(&s);
		/*
		 * Some must have tried the stopped writer's lane first, otherwise the case shows
		 * nothing.
		 */
		assert_true(preferred & 1u << s.hint % NSHARED);
		close_table(&f, btt);
	}
	give_private_lanes_back(owner);
}

static void whichever_shared_lane_is_free_first_serves(void **state)
{
	struct owner owner[NPRIVATE];

	(void)state;
	lane_thread();
	take_private_lanes(owner);
	for (unsigned i = 0; i < NSHARED; i++) {
		struct stopped s[NSHARED] = {
		    {.lba = 3, .call = WRITE, .fence = 1},
		    {.lba = LOCK_BLOCKS + 3, .call = WRITE, .fence = 2},
		};
		struct other o[NSHARED];
		struct fixture f;
		struct btt *btt = open_table(&f, NLANE, false);

		for (unsigned k = 0; k < NSHARED; k++)
			stop(&s[k], btt);
		/* They try different lanes first. */
		for (unsigned k = 0; k < NSHARED; k++)
			start_other(&o[k], btt, 2 + k);
		let_go(&s[i]);
		if (!others_went_on(o, NSHARED, s, NSHARED))
			fail_msg("the lane of writer %u is free, but not taken", i);
		assert_int_not_equal(o[0].hint % NSHARED, o[1].hint % NSHARED);
		let_go(&s[1 - i]);
		close_table(&f, btt);
	}
	give_private_lanes_back(owner);
}

/* --- readers give way --------------------------------------------------------------------- */

static _Atomic(unsigned) yields;

SUPPORT_INTERPOSE int sched_yield(void)
{
	yields++;
	return 0;
}

static void *write_block_3(void *arg)
{
	unsigned char buf[512];

	memset(buf, 0xdd, sizeof(buf));
	return btt_write(arg, buf, 3) ? arg : NULL;
}

/* A writer stands in its fence, and another one waits for the same lock. */
static void readers_give_way_a_few_times_to_a_writer_that_waits(void **state)
{
	struct stopped s = {.lba = 3, .call = WRITE, .fence = 1};
	struct fixture f;
	struct btt *btt = open_table(&f, 64, true);
	uint64_t open = gate(btt);
	pthread_t waits;
	void *failed;

	(void)state;
	assert_true(open > 0);
	stop(&s, btt);
	yields = 0;
	assert_int_equal(pthread_create(&waits, NULL, write_block_3, btt), 0);
	for (int i = 0; i < 3; i++) { /* it sleeps, each time longer */
		unsigned before;

		while (gate(btt))
			syscall(SYS_sched_yield);
		before = yields;
		while (!gate(btt))
			fixture_expect_byte(btt, 7, 0x55);
		/* more, if it has slept again meanwhile */
		assert_in_range(yields - before, GIVE_WAY_READS, 10 * GIVE_WAY_READS);
	}
	let_go(&s);
	pthread_join(waits, &failed);
	assert_null(failed);
	yields = 0;
	for (int i = 0; i < 100; i++)
		fixture_expect_byte(btt, 3, 0xdd);
	assert_int_equal(gate(btt), open);
	assert_int_equal(yields, 0);
	close_table(&f, btt);
}

/* There, the gate is for something else, and a writer that waits does not wait for a CPU. */
static void readers_of_files_do_not_give_way(void **state)
{
	struct fixture f;
	struct btt *btt;

	(void)state;
	fixture_init(&f, POOL_SIZE, 512);
	f.ram.s.drops_pages = true;
	btt = fixture_open(&f);
	assert_null(write_block_3(btt));
	assert_null(btt->guard.give_way.gate);
	fixture_expect_byte(btt, 3, 0xdd);
	close_table(&f, btt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(others_write_while_writers_stand_in_the_fence),
	    cmocka_unit_test(readers_of_the_very_block_get_through),
	    cmocka_unit_test(calls_on_many_blocks_wait_for_those_on_the_same),
	    cmocka_unit_test(a_stopped_writer_keeps_its_shared_lane_only),
	    cmocka_unit_test(whichever_shared_lane_is_free_first_serves),
	    cmocka_unit_test(readers_give_way_a_few_times_to_a_writer_that_waits),
	    cmocka_unit_test(readers_of_files_do_not_give_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
