/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mutations of rules: what a thread looks at, waits for or completes is left out in turn, and the
 * explorer must notice it. The hooks change what the code under test sees, so that the code is not
 * changed. Each program passes with the table as it is.
 *
 * The output is a table as that of test_mutants.c. ONLY in the environment, a pattern, selects the
 * cases.
 */
#include "mutants.h"

#include "hooks.h"

/* Reports a trial, with the mutation or without it. True if it went as it should. */
static bool tell_trial(const char *what, bool mutant, bool ok, const char *why)
{
	if (mutant)
		printf("%-72s %s%.90s\n", what,
		       ok ? "NOT CAUGHT" : "caught: ", ok ? "" : why);
	else if (!ok)
		printf("without the mutation: %s\n", why);
	return ok != mutant;
}

static void a_failing_sync_must_be_heeded(void **state)
{
	static const char *const programs[] = {"w00", "z0", "w00 w10", "w00 w10 s"};
	unsigned missed = 0;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(programs); i++) {
		struct explorer *ex = &explorers[MEDIUM_FILE];
		struct scenario s = {
		    .program = programs[i], .base = BASE_USED, .fail_fence = 1 + i};
		char what[64];

		snprintf(what, sizeof(what),
			 "R9: the failure of fence %u of \"%s\" is ignored",
			 s.fail_fence == 2 ? 1 : s.fail_fence, s.program);
		s.fail_fence = s.fail_fence == 2 ? 1 : s.fail_fence;
		explore_forget(ex);
		ex->lie = true;
		missed += !tell_trial(what, true, explore(ex, &s), ex->why);
		ex->lie = false;
	}
	assert_int_equal(missed, 0);
}

/* The kernel fails to write at each of so many events in turn. */
static bool explore_losses(struct explorer *ex, struct scenario s, unsigned most)
{
	bool ok = true;

	for (s.lose_in = most ? 1 : 0; ok && s.lose_in <= most; s.lose_in++)
		ok = explore(ex, &s);
	return ok;
}

/* A map store is durable in the turn after the next one of its thread, and not in the next one. */
static void the_last_map_store_is_flushed_by_others(void **state)
{
	struct explorer *ex = &explorers[MEDIUM_PMEM];
	const struct scenario s = {.program = "w00 | w00 w10", .base = BASE_FRESH};
	unsigned missed = 0;

	(void)state;
	for (uint64_t turns = 0; turns < 2; turns++) {
		bool ok;

		explore_forget(ex);
		hooks_turns = turns;
		ok = explore(ex, &s);
		hooks_turns = 0;
		missed +=
		    !tell_trial("R17: a map store counts as durable one turn too early",
				turns == 1, ok, ex->why);
	}
	assert_int_equal(missed, 0);
}

/* The thread that gets the number next has other flushes, but goes on with the turns. */
static void a_thread_completes_its_flushes_at_its_end(void **state)
{
	static const char *const programs[] = {"w00; w20 w20 | w00",
					       "w00 | w00; w20 w20"};
	struct explorer *ex = &explorers[MEDIUM_PMEM];
	unsigned missed = 0;

	(void)state;
	for (int mutant = 0; mutant < 2; mutant++) {
		bool ok = true;

		explore_forget(ex);
		hooks_ends_early = mutant;
		for (unsigned i = 0; ok && i < ARRAY_SIZE(programs); i++) {
			struct scenario s = {.program = programs[i], .base = BASE_FRESH};

			ok = explore(ex, &s);
		}
		hooks_ends_early = false;
		missed +=
		    !tell_trial("R17: a thread ends before its flushes are complete",
				mutant, ok, ex->why);
	}
	assert_int_equal(missed, 0);
}

/* The checks whether the table is poisoned. The programs pass with the table as it is. */
static void who_comes_after_a_failed_sync_must_ask(void **state)
{
	static const struct {
		const char *what;
		enum hooks_deaf deaf;
		bool no_redo;
		struct scenario scenario;
	} trial[] = {
	    {"R15: the poison is not looked at when a lane was waited for",
	     HOOKS_DEAF_WRITER,
	     false,
	     {.program = "w01 | w21", .base = BASE_USED, .fail_fence = 2}},
	    {"R9: readers do not look into the flog after a failed sync",
	     HOOKS_DEAF_READER,
	     false,
	     {.program = "w00 w10 r0",
	      .base = BASE_USED,
	      .fail_fence = 3,
	      .drop = MEDIUM_DROP_ALL}},
	    {"R15: the poison is not looked at when a batch has its lanes",
	     HOOKS_DEAF_WRITER,
	     false,
	     {.program = "w01 | w21+3", .base = BASE_USED, .fail_fence = 2}},
	    {"R16: a range of zeros takes an entry as it stands",
	     HOOKS_DEAF_NOBODY,
	     true,
	     {.program = "w00 z0+1",
	      .base = BASE_USED,
	      .lose_in = 20,
	      .drop = MEDIUM_DROP_ALL}},
	    {"R16: set_zero takes an entry as it stands",
	     HOOKS_DEAF_NOBODY,
	     true,
	     {.program = "w00 z0",
	      .base = BASE_USED,
	      .lose_in = 16,
	      .drop = MEDIUM_DROP_ALL}},
	};
	struct explorer *ex = &explorers[MEDIUM_FILE];
	unsigned missed = 0;

	(void)state;
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(trial); i++) {
		bool mutant = i % 2;
		bool ok;

		explore_forget(ex);
		hooks_deaf = mutant ? trial[i / 2].deaf : HOOKS_DEAF_NOBODY;
		hooks_no_redo = mutant && trial[i / 2].no_redo;
		ok = explore_losses(ex, trial[i / 2].scenario,
				    trial[i / 2].scenario.lose_in);
		hooks_deaf = HOOKS_DEAF_NOBODY;
		hooks_no_redo = false;
		missed += !tell_trial(trial[i / 2].what, mutant, ok, ex->why);
	}
	assert_int_equal(missed, 0);
}

/* On a file everybody takes the locks. */
static void a_batch_needs_its_locks_in_order(void **state)
{
	static const struct {
		const char *what;
		enum hooks_locks locks;
		const char *program;
	} trial[] = {
	    {"B5: a batch does not take the map locks", HOOKS_LOCKS_NOT_TAKEN,
	     "w00+2 | w20"},
	    {"B5: a range of zeros does not take the map locks", HOOKS_LOCKS_NOT_TAKEN,
	     "z0+1 | w00"},
	    {"B5: one of two batches takes them in another order", HOOKS_LOCKS_SWAPPED,
	     "w00+2 | w20+0"},
	};
	struct explorer *ex = &explorers[MEDIUM_FILE];
	unsigned missed = 0;

	(void)state;
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(trial); i++) {
		struct scenario s = {.program = trial[i / 2].program, .base = BASE_USED};
		bool mutant = i % 2;
		bool ok;

		explore_forget(ex);
		ex->fine = true;
		ex->image_limit = ex->fence_limit = 64;
		ex->run_limit = 4000;
		hooks_locks = mutant ? trial[i / 2].locks : HOOKS_LOCKS_TAKEN;
		ok = explore(ex, &s);
		hooks_locks = HOOKS_LOCKS_TAKEN;
		ex->fine = false;
		ex->run_limit = 1000;
		missed += !tell_trial(trial[i / 2].what, mutant, ok, ex->why);
	}
	assert_int_equal(missed, 0);
}

static void readers_need_what_they_check(void **state)
{
	unsigned missed = 0;

	(void)state;
	for (int blind = 0; blind < 2; blind++) {
		struct explorer *ex = &explorers[MEDIUM_PMEM];
		struct scenario s = {.program = "r0 | w00 w00 w00", .base = BASE_USED};
		bool ok;

		explore_forget(ex);
		hooks_blind = blind;
		ex->fine = ex->split_writes = true;
		ex->run_limit = 20000;
		ok = explore(ex, &s);
		ex->fine = ex->split_writes = false;
		ex->run_limit = 1000;
		hooks_blind = false;
		missed += !tell_trial("R11: the version is not looked at again", blind,
				      ok, ex->why);
	}
	assert_int_equal(missed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_failing_sync_must_be_heeded),
	    cmocka_unit_test(the_last_map_store_is_flushed_by_others),
	    cmocka_unit_test(a_thread_completes_its_flushes_at_its_end),
	    cmocka_unit_test(who_comes_after_a_failed_sync_must_ask),
	    cmocka_unit_test(a_batch_needs_its_locks_in_order),
	    cmocka_unit_test(readers_need_what_they_check),
	};

#ifndef HOOKED
	printf("skip: the hooks are in the instrumented build only\n");
	return 77;
#endif
	set_up();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
