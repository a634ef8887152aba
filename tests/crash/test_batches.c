/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * As test_enumerate.c and test_failing_syncs.c, for calls that write or zero several blocks.
 *
 * Blocks 0 and 1 share a line of the map, 0 and 3 a lock; block 2 shares neither with them.
 */
#include "enumerate.h"

/*
 * A batch alone, after another batch in the same lanes, and between single operations of its
 * thread on the same blocks.
 */
static const char *const alone[] = {
    "w00+1",	   "w00+1+2",	  "w00+3",	 "w10+0+1",    "w20+2",	    "w20+3+0 w30",
    "w00+1 w10+0", "w00+2 w00+2", "w00 w00+1 s", "w00+1+2 s",  "w01+2 w21", "z0+1",
    "z0+1+2 s",	   "w00+1 z0+1",  "z0+1 w00+1",	 "e0 w00+1 z0"};

static const char *const beside[] = {"w00+1 | w00", "w00+1 | w10+0",  "w00+2 | w20+0",
				     "w00+1 | z0",  "w00+1+2 | w01",  "w01+1+2 | w31+2",
				     "z0+1 | w00",  "z0+1 | w10+0",   "w00+3 | w30+0",
				     "w00+1 | e1",  "w00+1 w00 | w10"};

static void hand_picked(enum medium_kind kind)
{
	/* enough lanes for two batches, for one batch, only a thread's own ones */
	static const unsigned nlane[] = {11, 9, 5};
	size_t nround = check_long || kind == MEDIUM_PMEM ? ARRAY_SIZE(nlane) : 1;
	struct explorer ex;
	char what[64];

	init(&ex, kind);
	ex.fine = false;
	ex.run_limit = check_long ? 20000 : 40;
	ex.image_limit = ex.fence_limit = check_long ? 4096 : 48;
	ex.check_share = check_long ? 1 : 16;
	for (size_t i = 0; i < nround; i++) {
		ex.nlane = nlane[i];
		explore_all(&ex, alone, ARRAY_SIZE(alone), i == 0 ? "w01+1" : NULL);
		ex.kill_share = 16;
		explore_all(&ex, beside, ARRAY_SIZE(beside), i == 0 ? "w21+0 z0" : NULL);
		ex.kill_share = 1;
	}
	/* some programs again, with points at every access to shared memory */
	ex.nlane = 9;
	ex.fine = true;
	ex.run_limit = check_long ? 20000 : 20;
	explore_all(&ex, beside, 4, NULL);
	snprintf(what, sizeof(what), "batches, %s", kind_name[kind]);
	print_stats(what, &ex.stats);
	assert_true(ex.stats.distinct > 500);
	explore_free(&ex);
}

static void pmem_hand_picked(void **state)
{
	(void)state;
	hand_picked(MEDIUM_PMEM);
}

static void weak_hand_picked(void **state)
{
	(void)state;
	hand_picked(MEDIUM_WEAK);
}

static void file_hand_picked(void **state)
{
	(void)state;
	hand_picked(MEDIUM_FILE);
}

/* Without lanes for both, a batch stores the first and then the second. */
static void a_block_twice_in_one_batch(void **state)
{
	static const char *const programs[] = {"w01+0 w00+0", "w00 w01 | w01+00"};
	static const unsigned nlane[] = {5, 9};
	struct explorer ex;

	(void)state;
	for (int kind = MEDIUM_PMEM; kind <= MEDIUM_FILE; kind++) {
		init(&ex, (enum medium_kind)kind);
		ex.fine = false;
		ex.run_limit = check_long ? 20000 : 400;
		ex.check_share = 16;
		for (size_t i = 0; i < ARRAY_SIZE(nlane); i++) {
			ex.nlane = nlane[i];
			explore_all(&ex, programs, ARRAY_SIZE(programs), "w00");
		}
		print_stats("a block twice", &ex.stats);
		explore_free(&ex);
	}
}

static void random_programs(enum medium_kind kind, unsigned nthread, unsigned n)
{
	struct explorer ex;
	uint64_t rng = seed * 1000 + kind * 10 + nthread;
	char what[128];

	init(&ex, kind);
	ex.seed = rng;
	ex.nlane = 9;
	ex.run_limit = check_long ? 4000 : 200;
	ex.kill_share = check_long ? 4 : 16;
	for (unsigned i = 0; i < (check_long ? 20 * n : n); i++) {
		char program[64], then[64];
		unsigned nop = 2 + (unsigned)(support_random(&rng) % 3);
		struct scenario s = {.program = program,
				     .then = i % 2 ? then : NULL,
				     .base = (unsigned)(support_random(&rng) % 2)};

		ex.fine = i % 4 == 3;
		program_random(program, &rng, "w+z+w+e", nthread, nop, NTRACKED);
		program_random(then, &rng, "w+z", 1, 2, NTRACKED);
		explore_or_fail(&ex, &s);
	}
	snprintf(what, sizeof(what), "random programs of %u thread%s, %s, seed %" PRIu64,
		 nthread, nthread > 1 ? "s" : "", kind_name[kind], seed);
	print_stats(what, &ex.stats);
	explore_free(&ex);
}

static void random_batches(void **state)
{
	(void)state;
	for (int kind = MEDIUM_PMEM; kind <= MEDIUM_FILE; kind++) {
		random_programs((enum medium_kind)kind, 1, 12);
		random_programs((enum medium_kind)kind, 2, 3);
	}
}

/* --- two arenas -------------------------------------------------------------------------- */

#ifdef HOOKED
/* Blocks 0 and 1 are in the first arena, 2 and 3 in the second. A lane has a slot in each. */
static void batches_over_two_arenas(void **state)
{
	static const char *const programs[] = {"w00+2 w20+0", "w10+2+3 w30",
					       "w00+2 | w20+0", "z1+2 w10+2"};

	(void)state;
	for (int kind = MEDIUM_PMEM; kind <= MEDIUM_FILE; kind += check_long ? 1 : 2) {
		struct explorer ex;
		char what[64];

		init(&ex, (enum medium_kind)kind);
		ex.narena = 2;
		ex.nlane = 9;
		ex.fine = false;
		ex.run_limit = check_long ? 1000 : 60;
		ex.kill_share = check_long ? 16 : 64;
		ex.check_share = check_long ? 4 : 16;
		if (!check_long)
			ex.image_limit = ex.fence_limit = 24;
		for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
			for (int base = BASE_FRESH; base <= BASE_USED; base++) {
				struct scenario s = {.program = programs[i],
						     .then = i % 2 ? "w20+0 w00" : NULL,
						     .base = (unsigned)base};

				if (check_long || i % 2 == (base == BASE_FRESH))
					explore_or_fail(&ex, &s);
			}
		snprintf(what, sizeof(what), "batches over two arenas, %s",
			 kind_name[kind]);
		print_stats(what, &ex.stats);
		explore_free(&ex);
	}
}
#else
static void batches_over_two_arenas(void **state)
{
	(void)state;
	skip_two_arenas();
}
#endif

/* --- failing syncs ------------------------------------------------------------------------ */

/* The second process goes on with the blocks, slots and lines that the first one used. */
static const struct {
	const char *program, *then;
} failing[] = {
    {"w00+1 s", "w20+3 w00"}, {"w00+1 w00+2", "w20+3 w00+1"}, {"w20+3 w30", "w00+1"},
    {"z0+1 w00+1", "z0+1"},   {"w00+1 z0+1", "w00+2"},	      {"w01+1+2 r0", "w30+0"},
    {"w00+1 | w10", "w20+1"}, {"w01+1 | w21+0", "w01+2"},     {"w01+1 | z0+1", "z0"},
    {"w01 | w21+3", "w31+1"}, {"w00 z0+1", "w00+2"},	      {"e0 w00+1 r0", "z0+1"},
    {"w21 w31 z2", "z0+1+2"},
};

static void explore_failure(struct explorer *ex, unsigned event, size_t i)
{
	struct scenario s = {
	    .program = failing[i].program,
	    .then = failing[i].then,
	    .base = (i + event) % 2 ? BASE_FRESH : BASE_USED,
	    .fail_fence = event,
	    .fail_then = event % 4 == 3 ? event / 4 + 1 : 0,
	    .drop = (i + event) % 3,
	    .drop_in = event % 2,
	};

	if (event <= 7)
		explore_or_fail(ex, &s);
	/* the kernel fails to write, and no sync has reported it yet */
	s.fail_fence = s.fail_then = 0;
	s.lose_in = event;
	s.drop = 1 + (i + event) % 3;
	s.drop_in = event % 3;
	if (check_long || (event + i) % 3 == 0)
		explore_or_fail(ex, &s);
}

static void failing_sync_of_a_batch(void **state)
{
	static const uint64_t page_sizes[] = {8, 64, 4096};
	struct explorer ex;

	(void)state;
	init(&ex, MEDIUM_FILE);
	ex.fine = false;
	ex.run_limit = check_long ? 10000 : 30;
	ex.image_limit = ex.fence_limit = check_long ? 256 : 16;
	ex.drop_share = check_long ? 8 : 2;
	ex.then_share = 0;
	ex.check_share = check_long ? 1 : 16;
	for (unsigned event = 1; event <= 24; event++)
		for (size_t i = 0; i < ARRAY_SIZE(failing); i++) {
			ex.page = page_sizes[(event + i) % ARRAY_SIZE(page_sizes)];
			ex.nlane = event % 3 ? 11 : 9;
			explore_failure(&ex, event, i);
		}
	print_stats("a sync of a batch fails", &ex.stats);
	assert_true(ex.stats.drops > 100);
	explore_free(&ex);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pmem_hand_picked),
	    cmocka_unit_test(weak_hand_picked),
	    cmocka_unit_test(file_hand_picked),
	    cmocka_unit_test(a_block_twice_in_one_batch),
	    cmocka_unit_test(random_batches),
	    cmocka_unit_test(batches_over_two_arenas),
	    cmocka_unit_test(failing_sync_of_a_batch),
	};

	read_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
