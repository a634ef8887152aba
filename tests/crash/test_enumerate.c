/* SPDX-License-Identifier: BSD-3-Clause */
/* Every image that a crash can leave is recovered and right: see explore.h. */
#include "enumerate.h"

/* --- hand-picked programs --------------------------------------------------------------- */

static const char *const one_thread[] = {
    "w00",
    "z0 e0 z0",
    "w00 w00 w00",
    "w00 w01 w00 w01",
    "w00 w10 w00 w10",
    "w00 z0 w01 s",
    "w00 w20 w30 s",
    "w00 w11 z1 e0",
    "w30 w00 w31 w01",
    "e0 w00 z0 s",
    "w00 w20 w00 w21",
    "w01 w10 w01 z1",
};

static const char *const two_threads[] = {
    "w00 | w00",    "w00 | w11",     "w00 | w30",	 "z0 | z0",	"w00 z0 | w01",
    "w00 | z0 w01", "w00 w10 | w01", "w00 w20 | w21 z0", "e1 | w10 z1", "w00 | w00 w20",
};

static void hand_picked(enum medium_kind kind)
{
	struct explorer ex;
	char what[64];

	init(&ex, kind);
	ex.fine = false;
	ex.run_limit = check_long ? 20000 : 3000;
	explore_all(&ex, one_thread, ARRAY_SIZE(one_thread), NULL);
	explore_all(&ex, two_threads, ARRAY_SIZE(two_threads), NULL);
	explore_all(&ex, one_thread, ARRAY_SIZE(one_thread), "w01 w10");
	ex.kill_share = 4;
	explore_all(&ex, two_threads, 4, "z0 w01");
	/* the first programs again, with points at every access to shared memory */
	ex.fine = true;
	ex.run_limit = check_long ? 20000 : 1000;
	explore_all(&ex, two_threads, 4, NULL);
	snprintf(what, sizeof(what), "hand-picked programs, %s", kind_name[kind]);
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

/*
 * Thread 1 looks at the turns of number 0, then thread 0 writes through a shared lane. That lane has
 * no turns, and those of number 0 say nothing about it.
 */
static void a_shared_lane_is_not_number_0(void **state)
{
	const struct scenario s = {.program = "w00 w00 w01 | w00 w00",
				   .base = BASE_FRESH};
	struct explorer ex;

	(void)state;
	for (int kind = MEDIUM_PMEM; kind <= MEDIUM_WEAK; kind++) {
		init(&ex, (enum medium_kind)kind);
		ex.fine = false;
		ex.run_limit = 20000;
		explore_or_fail(&ex, &s);
		print_stats("shared lanes", &ex.stats);
		explore_free(&ex);
	}
}

/* --- random programs ---------------------------------------------------------------------- */

static void random_programs(enum medium_kind kind, unsigned nthread, unsigned most,
			    unsigned n, double seconds)
{
	struct explorer ex;
	uint64_t rng = seed * 1000 + kind * 10 + nthread;
	double end = elapsed() + seconds;
	char what[128];

	init(&ex, kind);
	ex.seed = rng;
	ex.run_limit = check_long ? 4000 : 1000;
	ex.kill_share = check_long ? 4 : 16;
	for (unsigned i = 0; check_long ? elapsed() < end : i < n; i++) {
		ex.fine = i % 4 == 3;
		char program[64], then[64];
		unsigned nop =
		    nthread + (unsigned)(support_random(&rng) % (most - nthread + 1));
		unsigned nblock = 1 + (unsigned)(support_random(&rng) % NTRACKED);
		struct scenario s = {.program = program,
				     .then = i % 2 ? then : NULL,
				     .base = (unsigned)(support_random(&rng) % 2)};

		program_random(program, &rng, "wwwze", nthread, nop, nblock);
		program_random(then, &rng, "wwze", 1, 2, nblock);
		if (nthread == 1 && nop < NOP)
			strcat(program, "s");
		explore_or_fail(&ex, &s);
	}
	snprintf(what, sizeof(what), "random programs of %u thread%s, %s, seed %" PRIu64,
		 nthread, nthread > 1 ? "s" : "", kind_name[kind], seed);
	print_stats(what, &ex.stats);
	explore_free(&ex);
}

static void random_one_thread(void **state)
{
	(void)state;
	for (int kind = MEDIUM_PMEM; kind <= MEDIUM_FILE; kind++)
		random_programs((enum medium_kind)kind, 1, 4, 40, 25);
}

static void random_two_threads(void **state)
{
	(void)state;
	for (int kind = MEDIUM_PMEM; kind <= MEDIUM_FILE; kind++)
		random_programs((enum medium_kind)kind, 2, 4, 8, 40);
}

static void random_three_threads(void **state)
{
	(void)state;
	random_programs(MEDIUM_PMEM, 3, 3, 1, 10);
	random_programs(MEDIUM_FILE, 3, 3, 1, 10);
}

/* --- first layout ----------------------------------------------------------------------- */

static void first_layout(void **state)
{
	(void)state;
	for (int kind = MEDIUM_PMEM; kind <= MEDIUM_FILE; kind += 2) {
		static const char *const programs[] = {"w00", "e0", "w00 | e1"};
		struct explorer ex;
		char what[64];

		init(&ex, (enum medium_kind)kind);
		ex.fine = false;
		ex.image_limit = check_long ? 12 : 6;
		ex.fence_limit = check_long ? 128 : 24;
		ex.bulk_share = check_long ? 16 : 64;
		ex.run_limit = 20;
		ex.kill_share = check_long ? 32 : 100;
		ex.then_share = check_long ? 256 : 1024;
		for (int base = BASE_EMPTY; base <= BASE_STALE; base++)
			for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
				struct scenario s = {.program = programs[i],
						     .then = "w10",
						     .base = (unsigned)base};

				explore_or_fail(&ex, &s);
			}
		snprintf(what, sizeof(what), "first layout, %s, seed 1", kind_name[kind]);
		print_stats(what, &ex.stats);
		explore_free(&ex);
	}
}

/* --- two arenas ------------------------------------------------------------------------------ */

#ifdef HOOKED
/* Blocks 0 and 1 are in the first arena, 2 and 3 in the second. */
static void two_arenas_layout(void **state)
{
	static const char *const programs[] = {"w20", "w00"};

	(void)state;
	for (int kind = MEDIUM_PMEM; kind <= MEDIUM_FILE; kind += 2) {
		struct explorer ex;
		char what[64];

		init(&ex, (enum medium_kind)kind);
		ex.narena = 2;
		ex.check_share = 4;
		ex.fine = false;
		ex.image_limit = check_long ? 3 : 2;
		ex.fence_limit = check_long ? 20 : 12;
		ex.bulk_share = check_long ? 512 : 1024;
		ex.run_limit = 4;
		ex.kill_share = 400;
		ex.then_share = check_long ? 256 : 1024;
		for (int base = BASE_EMPTY; base <= BASE_STALE; base++)
			for (size_t i = 0; i < (check_long ? 2 : 1); i++) {
				struct scenario s = {.program = programs[i],
						     .then = i % 2 ? "w30" : "w10",
						     .base = (unsigned)base};

				/* in short: the zeroed pool on one medium, the old file on
				 * the other */
				if (check_long ||
				    (kind == MEDIUM_FILE) == (base == BASE_STALE))
					explore_or_fail(&ex, &s);
			}
		snprintf(what, sizeof(what), "first layout of two arenas, %s, seed 1",
			 kind_name[kind]);
		print_stats(what, &ex.stats);
		assert_true(ex.stats.distinct > 100);
		explore_free(&ex);
	}
}

/* The third and the fourth program use one lane in both arenas; the lane has a slot in each. */
static void two_arenas_written(void **state)
{
	static const char *const programs[] = {"w00 w20 s",	  "z2 e0 w20 w00",
					       "w00 w20 w10 w30", "w21 w01 w21 w01",
					       "w00 | w20",	  "w01 w21 | w20"};

	(void)state;
	for (int kind = MEDIUM_PMEM; kind <= MEDIUM_FILE; kind += check_long ? 1 : 2) {
		struct explorer ex;
		char what[64];

		init(&ex, (enum medium_kind)kind);
		ex.narena = 2;
		ex.check_share = 4;
		ex.fine = false;
		ex.run_limit = check_long ? 1000 : 100;
		ex.kill_share = check_long ? 16 : 64;
		if (!check_long)
			ex.image_limit = ex.fence_limit = 48;
		for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
			for (int base = BASE_FRESH; base <= BASE_USED; base++) {
				struct scenario s = {.program = programs[i],
						     .then = i % 2 ? "w20 w00" : NULL,
						     .base = (unsigned)base};

				if (check_long || i % 2 == (base == BASE_FRESH))
					explore_or_fail(&ex, &s);
			}
		for (unsigned arena = 0; arena < 2; arena++)
			for (int primary = 0; primary < 2; primary++) {
				const char *why = explore_repair(&ex, arena, primary);

				if (why)
					fail_msg("arena %u: %s", arena, why);
			}
		snprintf(what, sizeof(what), "programs over two arenas, %s",
			 kind_name[kind]);
		print_stats(what, &ex.stats);
		explore_free(&ex);
	}
}
#else
static void two_arenas_layout(void **state)
{
	(void)state;
	skip_two_arenas();
}

static void two_arenas_written(void **state)
{
	(void)state;
	skip_two_arenas();
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pmem_hand_picked),
	    cmocka_unit_test(weak_hand_picked),
	    cmocka_unit_test(file_hand_picked),
	    cmocka_unit_test(a_shared_lane_is_not_number_0),
	    cmocka_unit_test(random_one_thread),
	    cmocka_unit_test(random_two_threads),
	    cmocka_unit_test(random_three_threads),
	    cmocka_unit_test(first_layout),
	    cmocka_unit_test(two_arenas_layout),
	    cmocka_unit_test(two_arenas_written),
	};

	read_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
