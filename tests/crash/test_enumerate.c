/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every image that a crash can leave is recovered and right: see explore.h.
 *
 * CHECK_LONG=1 in the environment goes on with random programs for minutes. SEED sets the
 * seed of the random programs, which is printed; ONLY, a pattern, which cases run.
 */
#include "support.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "programs.h"
#include "sut_btt.h"

static bool check_long;
static uint64_t seed = 1;

static const char *const kind_name[] = {"persistent memory", "weak persistent memory",
					"file"};

static void init(struct explorer *ex, enum medium_kind kind)
{
	explore_init(ex, &sut_btt, kind);
	ex->check_share = check_long ? 1 : 4;
}

static void explore_or_fail(struct explorer *ex, const struct scenario *scenario)
{
	if (!explore(ex, scenario))
		fail_msg("seed %" PRIu64 ": %s", ex->seed, ex->why);
}

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

static void explore_all(struct explorer *ex, const char *const *programs, size_t n,
			const char *then)
{
	for (size_t i = 0; i < n; i++)
		for (int base = BASE_FRESH; base <= BASE_USED; base++) {
			struct scenario s = {
			    .program = programs[i], .then = then, .base = (unsigned)base};

			explore_or_fail(ex, &s);
		}
}

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
	/* the first ones once more, with points at every access to shared memory */
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

/* The third and the fourth program use one lane in both arenas: it has a slot in each. */
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
	print_message("skipped: an arena is as large as on real media here\n");
	skip();
}

static void two_arenas_written(void **state)
{
	two_arenas_layout(state);
}
#endif

/* --- failing syncs ----------------------------------------------------------------------------- */

/*
 * Lane 1 is shared by all threads. The second process goes on with the blocks that the first one
 * left in doubt, and with slots and lines that it used.
 */
static const struct {
	const char *program, *then;
} failing[] = {
    {"w00 w00 s", "w20 w20"},
    {"w00 w00 w10", "w20 w20 w20 w20"},
    {"z0", "z0"},
    {"z0 w01 s", "w00 w00"},
    {"w00 z0", "w00 w20"},
    {"w01 e0 z0", "w00 w00"},
    {"e1 w10", "e1 w10"},
    {"w01 | z0", "w00 w21"},
    {"w00 w11 w10", "w21 w21 w30"},
    {"w01 w11 w01", "w21 w31"},
    {"w00 r0 w10 r0", "w10 z0"},
    {"w00 | w11", "w20 w20"},
    {"w00 | z0", "z0 w01"},
    {"w00 w20 | w01", "w31 w31"},
    {"w01 | w21", "w31 w11"},
    {"w01 w21 | w31", "z0"},
    {"w00 w10 r0 | w10", "w00 w00"},
    {"w00 w20 w10 r0", "w30"},
    {"w01 w21 r0", "w30"},
};

static const uint64_t page_sizes[] = {8, 64, 4096};

static void init_failing(struct explorer *ex)
{
	init(ex, MEDIUM_FILE);
	ex->fine = false;
	ex->run_limit = check_long ? 10000 : 100;
	ex->image_limit = ex->fence_limit = check_long ? 256 : 24;
	ex->drop_share = check_long ? 8 : 2;
	ex->then_share = 0;
	ex->check_share = check_long ? 1 : 16;
}

static void failing_sync(void **state)
{
	(void)state;
	for (size_t p = 0; p < ARRAY_SIZE(page_sizes); p++) {
		struct explorer ex;
		char what[64];

		init_failing(&ex);
		ex.page = page_sizes[p];
		ex.nlane = p == 1 ? 1 : 5;
		for (unsigned fence = 1; fence <= 8; fence++)
			for (size_t i = 0; i < ARRAY_SIZE(failing); i++) {
				struct scenario s = {
				    .program = failing[i].program,
				    .then = failing[i].then,
				    .base = (i + fence + p) % 2 ? BASE_FRESH : BASE_USED,
				    .fail_fence = fence,
				    .drop = (i + fence) % 3,
				    .drop_in = fence % 2,
				};

				explore_or_fail(&ex, &s);
				if (!strchr(s.program, 'r'))
					continue;
				s.then = NULL;
				s.drop = MEDIUM_DROP_ALL;
				s.drop_in = 0;
				explore_or_fail(&ex, &s);
			}
		snprintf(what, sizeof(what), "a sync fails, pages of %u bytes, %u lane%s",
			 (unsigned)page_sizes[p], ex.nlane, ex.nlane > 1 ? "s" : "");
		print_stats(what, &ex.stats);
		assert_true(ex.stats.drops > 100);
		explore_free(&ex);
	}
}

/* Pages go before any sync tells that they could not be written: at each event, at once or later. */
static void failing_write_back(void **state)
{
	struct explorer ex;

	(void)state;
	init_failing(&ex);
	for (unsigned event = 1; event <= 20; event++)
		for (size_t i = event % (check_long ? 1 : 2); i < ARRAY_SIZE(failing);
		     i += check_long ? 1 : 2) {
			struct scenario s = {
			    .program = failing[i].program,
			    .then = failing[i].then,
			    .base = (i + event) / 2 % 2 ? BASE_FRESH : BASE_USED,
			    .lose_in = event,
			    .drop = 1 + (i + event) % 3,
			    .drop_in = event % 3,
			};

			ex.page = page_sizes[(event + i) % ARRAY_SIZE(page_sizes)];
			ex.nlane = event % 3 ? 5 : 1;
			explore_or_fail(&ex, &s);
		}
	print_stats("pages go before a sync tells", &ex.stats);
	assert_true(ex.stats.drops > 100);
	explore_free(&ex);
}

/* The syncs of the second process fail, too: those of its open and those of its operations. */
static void failing_sync_twice(void **state)
{
	struct explorer ex;

	(void)state;
	init_failing(&ex);
	for (unsigned fence = 1; fence <= 6; fence++)
		for (unsigned then = 1; then <= 5; then++)
			for (size_t i = (fence + then) % (check_long ? 1 : 3);
			     i < ARRAY_SIZE(failing); i += check_long ? 1 : 3) {
				struct scenario s = {
				    .program = failing[i].program,
				    .then = failing[i].then,
				    .base = (i + then) % 2 ? BASE_FRESH : BASE_USED,
				    .fail_fence = fence,
				    .fail_then = then,
				};

				explore_or_fail(&ex, &s);
			}
	print_stats("a sync fails, and another one in the next process", &ex.stats);
	explore_free(&ex);
}

#ifdef HOOKED
/* Of two arenas: what the next process relies on is in the second, too. */
static void failing_sync_of_two_arenas(void **state)
{
	static const struct {
		const char *program, *then;
	} pair[] = {
	    {"w21 w31", "w20 w20"},    {"w01 w21 w01", "w31 w11"}, {"z2 e0", "z2 e0"},
	    {"w00 w20 z2", "w30 w10"}, {"w20 w00 r2", "z2 w00"},
	};
	struct explorer ex;

	(void)state;
	init_failing(&ex);
	ex.narena = 2;
	for (unsigned fence = 1; fence <= 6; fence++)
		for (size_t i = fence % (check_long ? 1 : 2); i < ARRAY_SIZE(pair);
		     i += check_long ? 1 : 2) {
			struct scenario s = {
			    .program = pair[i].program,
			    .then = pair[i].then,
			    .base = (i + fence) / 2 % 2 ? BASE_FRESH : BASE_USED,
			    .fail_fence = fence,
			    .drop = 1 + fence % 2,
			};

			explore_or_fail(&ex, &s);
			s.lose_in = 3 * s.fail_fence;
			s.fail_fence = 0;
			explore_or_fail(&ex, &s);
		}
	ex.image_limit = 2;
	ex.fence_limit = 12;
	ex.bulk_share = 1024;
	ex.check_share = 4;
	/* the sync of the layout's maps, and that of its info blocks */
	for (unsigned fence = 1; fence <= 2; fence++) {
		struct scenario s = {.program = "w20",
				     .then = "w30 w10",
				     .base = fence == 1 ? BASE_STALE : BASE_EMPTY,
				     .fail_fence = fence};

		explore_or_fail(&ex, &s);
	}
	print_stats("a sync fails, two arenas", &ex.stats);
	assert_true(ex.stats.drops > 100);
	explore_free(&ex);
}
#else
static void failing_sync_of_two_arenas(void **state)
{
	two_arenas_layout(state);
}
#endif

/* The layout's syncs: what the second process sees of it may be nowhere else. */
static void failing_sync_of_a_layout(void **state)
{
	static const char *const programs[] = {"w00", "e0", "w00 | w11"};
	struct explorer ex;

	(void)state;
	init_failing(&ex);
	ex.image_limit = check_long ? 12 : 4;
	ex.fence_limit = check_long ? 64 : 12;
	ex.bulk_share = 256;
	ex.run_limit = 4;
	ex.drop_share = 2;
	for (unsigned fence = 1; fence <= 4; fence++)
		for (int base = BASE_EMPTY; base <= BASE_STALE; base++)
			for (size_t i = 0; i < (check_long ? 3 : 1); i++) {
				struct scenario s = {.program = programs[i],
						     .then = "w10 w10",
						     .base = (unsigned)base,
						     .fail_fence = fence};

				explore_or_fail(&ex, &s);
			}
	print_stats("a sync of the first layout fails", &ex.stats);
	explore_free(&ex);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pmem_hand_picked),
	    cmocka_unit_test(weak_hand_picked),
	    cmocka_unit_test(file_hand_picked),
	    cmocka_unit_test(random_one_thread),
	    cmocka_unit_test(random_two_threads),
	    cmocka_unit_test(random_three_threads),
	    cmocka_unit_test(first_layout),
	    cmocka_unit_test(two_arenas_layout),
	    cmocka_unit_test(two_arenas_written),
	    cmocka_unit_test(failing_sync),
	    cmocka_unit_test(failing_write_back),
	    cmocka_unit_test(failing_sync_twice),
	    cmocka_unit_test(failing_sync_of_two_arenas),
	    cmocka_unit_test(failing_sync_of_a_layout),
	};

#ifdef HOOKED /* a sanitizer finds nothing more in more of the same */
	check_long = getenv("CHECK_LONG") != NULL;
#endif
	if (getenv("SEED"))
		seed = strtoull(getenv("SEED"), NULL, 0);
	if (getenv("ONLY"))
		cmocka_set_test_filter(getenv("ONLY"));
	setvbuf(stdout, NULL, _IOLBF, 0);
	elapsed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
