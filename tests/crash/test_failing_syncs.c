/* SPDX-License-Identifier: BSD-3-Clause */
/* As test_enumerate.c, but syncs fail. After that the medium may lack what memory holds. */
#include "enumerate.h"
#include "sut_group.h"

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
    {"z0+1", "z0+1"},
    {"w00 z0+1 r0", "w20 w00"},
    {"w21 z0+1+2", "z0+1+2"},
    {"z0+1 | w01", "w20 w21"},
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

/*
 * Pages are evicted before a sync reports that they could not be written: at each event, or
 * later.
 */
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

/* --- shared syncs ------------------------------------------------------------------------- */

static const struct {
	const char *program, *then;
} sharing[] = {
    {"w00 | w11", "w20 w20"},	  {"w00 | z0", "z0 w01"},	  {"z0 | e1", "z0"},
    {"w00 w20 | w01", "w31 w31"}, {"w01 | w21", "w31 w11"},	  {"w00 e1 | w10", "w00"},
    {"w00 r0 | w10", "w00 w00"},  {"w00 | w10 | w20", "w00 w10"},
};

static void init_sharing(struct explorer *ex)
{
	init_failing(ex);
	ex->sut = &sut_group;
	ex->nlane = 5;
}

/* A sync fails, or none does (0); its error goes to all whom it serves. */
static void failing_shared_sync(void **state)
{
	struct explorer ex;

	(void)state;
	init_sharing(&ex);
	for (unsigned fence = 0; fence <= 5; fence++)
		for (size_t i = 0; i < ARRAY_SIZE(sharing); i++) {
			struct scenario s = {
			    .program = sharing[i].program,
			    .then = sharing[i].then,
			    .base = (i + fence) % 2 ? BASE_FRESH : BASE_USED,
			    .fail_fence = fence,
			    .drop = fence ? (i + fence) % 3 : 0,
			    .drop_in = fence % 2,
			};

			ex.page = page_sizes[(fence + i) % ARRAY_SIZE(page_sizes)];
			explore_or_fail(&ex, &s);
		}
	print_stats("a shared sync fails", &ex.stats);
	assert_true(ex.stats.drops > 10);
	explore_free(&ex);
}

/* The judge notices when a sync serves a caller that came too late for it. */
static void a_caller_that_joins_a_running_sync_is_noticed(void **state)
{
	struct explorer ex;
	bool is_noticed = false;

	(void)state;
	init_sharing(&ex);
	sut_group_joins_late = true;
	for (size_t i = 0; i < ARRAY_SIZE(sharing) && !is_noticed; i++) {
		struct scenario s = {.program = sharing[i].program, .base = BASE_USED};

		is_noticed = !explore(&ex, &s);
	}
	sut_group_joins_late = false;
	print_message("%s\n", ex.why);
	assert_true(is_noticed);
	assert_non_null(strstr(ex.why, "holds"));
	explore_free(&ex);
}

/* Syncs of the second process fail, too: those of its open and those of its operations. */
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
/* With two arenas: the next process also relies on values in the second one. */
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
	/* first the sync of the layout's maps fails, then that of its info blocks */
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
	(void)state;
	skip_two_arenas();
}
#endif

/* Syncs of the layout fail: what the second process sees may be in memory only. */
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
	    cmocka_unit_test(failing_sync),
	    cmocka_unit_test(failing_write_back),
	    cmocka_unit_test(failing_shared_sync),
	    cmocka_unit_test(a_caller_that_joins_a_running_sync_is_noticed),
	    cmocka_unit_test(failing_sync_twice),
	    cmocka_unit_test(failing_sync_of_two_arenas),
	    cmocka_unit_test(failing_sync_of_a_layout),
	};

	read_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
