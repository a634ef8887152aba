/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mutations of calls: each flush and each fence of the table is left out in turn, or comes in
 * another order, and the explorer must notice it. The medium suppresses the call, so that the code
 * under test is not changed. test_rules.c has the mutations of what is not such a call.
 *
 * The output is a table of the mutants and of the program that caught each of them. A mutant that
 * nothing catches fails the test, unless it is listed below with the reason why it changes
 * nothing. ONLY in the environment, a pattern, selects the cases.
 */
#include "mutants.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "explore_state.h"
#include "programs.h"

/* Part of the name of a site (see site_name), and why its call can be left out. */
static const struct {
	const char *name;
	const char *reason;
} equivalent[] = {
    {"fence in btt_recover, recover.c:",
     "a slot's record stays the redo until step 1 of its "
     "next write flushes the entry"},
    {"flush in recover_slot",
     "a slot's record stays the redo until step 1 of its next write "
     "flushes the entry"},
};

struct attack {
	const char *program, *then;
	enum explore_base base;
	int fail; /* this fence; negative: the write-back before this event */
	enum medium_kind kind;
};

static struct scenario scenario_of(const struct attack *a)
{
	return (struct scenario){.program = a->program,
				 .then = a->then,
				 .base = a->base,
				 .fail_fence = a->fail > 0 ? (unsigned)a->fail : 0,
				 .lose_in = a->fail < 0 ? (unsigned)-a->fail : 0};
}

/* Short programs. Those that are most likely to find something come first. */
static const struct attack attacks[] = {
    {"w00 s", NULL, BASE_FRESH, 0, MEDIUM_PMEM},
    {"w00 s", NULL, BASE_FRESH, 0, MEDIUM_FILE},
    {"w00 w00 w00 s", NULL, BASE_USED, 0, MEDIUM_PMEM},
    {"w01 w01 w01 s", NULL, BASE_USED, 0, MEDIUM_FILE},
    {"w00", "w10", BASE_EMPTY, 3, MEDIUM_FILE},
    {"z0 e0 s", NULL, BASE_USED, 0, MEDIUM_PMEM},
    {"w00+1 s", NULL, BASE_FRESH, 0, MEDIUM_PMEM},
    {"w00+1 s", NULL, BASE_USED, 0, MEDIUM_FILE},
    {"w00+2 w00+2", NULL, BASE_USED, 0, MEDIUM_PMEM},
    {"w00+2 w00+2", NULL, BASE_USED, 0, MEDIUM_FILE},
    {"w00+1 z0+1", NULL, BASE_USED, 0, MEDIUM_PMEM},
    {"w00+1 z0+1", NULL, BASE_USED, 0, MEDIUM_FILE},
    {"w01 w21 w01 w31", NULL, BASE_FRESH, 0, MEDIUM_PMEM},
    {"w01 w21 w01 w31", NULL, BASE_FRESH, 0, MEDIUM_FILE},
    {"w00 w01 w00 w01", NULL, BASE_USED, 0, MEDIUM_FILE},
    {"w01 w00 w01 w00", NULL, BASE_USED, 0, MEDIUM_FILE},
    {"z0", "z0", BASE_FRESH, 0, MEDIUM_PMEM},
    {"e0", "e0", BASE_FRESH, 0, MEDIUM_PMEM},
    {"e1", "w10", BASE_FRESH, 0, MEDIUM_PMEM},
    {"e1", "w10+1", BASE_FRESH, 0, MEDIUM_PMEM},
    {"w00 w01", "w00 w01", BASE_USED, 0, MEDIUM_PMEM},
    {"w01 w21", "w01 w31", BASE_USED, 0, MEDIUM_PMEM},
    {"w01 w21", "w01 w31", BASE_USED, 0, MEDIUM_FILE},
    {"w01 w01", "z0 w20", BASE_FRESH, 0, MEDIUM_FILE},
    {"w00 z0 w00", NULL, BASE_FRESH, 0, MEDIUM_FILE},
    {"w01 | w21", NULL, BASE_FRESH, 0, MEDIUM_PMEM},
    {"w01 w31 | w21 w01", NULL, BASE_FRESH, 0, MEDIUM_PMEM},
    {"w00 | w00 w10", NULL, BASE_FRESH, 0, MEDIUM_PMEM},
    {"w00 | z0", NULL, BASE_USED, 0, MEDIUM_FILE},
    {"z0 | z0", NULL, BASE_USED, 0, MEDIUM_PMEM},
    {"w00+1 w00+2", "w01+1 w20", BASE_USED, 0, MEDIUM_PMEM},
    {"w00+1 | w20+3", NULL, BASE_USED, 0, MEDIUM_PMEM},
    {"w00+1 | w10+0", NULL, BASE_USED, 0, MEDIUM_FILE},
    {"z0+1 | w00", NULL, BASE_USED, 0, MEDIUM_PMEM},
    {"w00", NULL, BASE_EMPTY, 0, MEDIUM_PMEM},
    {"w00", NULL, BASE_STALE, 0, MEDIUM_PMEM},
    {"w00", NULL, BASE_STALE, 0, MEDIUM_FILE},
    {"e0", "w00", BASE_EMPTY, 0, MEDIUM_FILE},
    {"w00", "w10", BASE_STALE, 0, MEDIUM_FILE},
    /* a sync fails, and another process goes on */
    {"w01 w11", "w20 w20", BASE_FRESH, 3, MEDIUM_FILE},
    {"e0", "e0", BASE_FRESH, 1, MEDIUM_FILE},
    {"e0", "w00", BASE_FRESH, 1, MEDIUM_FILE},
    {"w00", "w10", BASE_USED, 2, MEDIUM_FILE},
    {"w00+1", "w10+2", BASE_USED, 2, MEDIUM_FILE},
    {"e0", "w00+1", BASE_FRESH, 1, MEDIUM_FILE},
    {"e0", "z0+1", BASE_FRESH, 1, MEDIUM_FILE},
    {"w21 w31 z2", "z0+1+2", BASE_FRESH, 5, MEDIUM_FILE},
    {"w01+1 w01+1", "w20+3", BASE_FRESH, 3, MEDIUM_FILE},
    {"w00", "w10", BASE_STALE, 1, MEDIUM_FILE},
    {"w00", "w10", BASE_EMPTY, 2, MEDIUM_FILE},
    /* a flag can be read and is lost: a kill after the sync or the write-back has failed */
    {"z3", "z3", BASE_USED, 1, MEDIUM_FILE},
    {"z3", "z3", BASE_USED, -2, MEDIUM_FILE},
};

static const char *const kind_name[] = {"pmem", "weak pmem", "file"};

/* A value is stored again for the case of a failed sync or write-back only. */
static bool is_pointless(const struct attack *a)
{
	return explorers[a->kind].mutant.kind == SITE_RENEW && !a->fail;
}

static_assert(ARRAY_SIZE(attacks) <= 64, "each has a bit");

static bool run_attack(const struct attack *a)
{
	struct explorer *ex = &explorers[a->kind];
	struct scenario s = scenario_of(a);
	bool layout = a->base >= BASE_EMPTY;

	ex->image_limit = layout ? 4 : 256;
	ex->fence_limit = layout ? 32 : 256;
	ex->bulk_share = 64;
	ex->check_share = layout ? 2 : 8;
	ex->kill_share = layout ? 100 : 1;
	ex->then_share = layout ? 100000 : 16;
	ex->drop_share = 2;
	return explore(ex, &s);
}

/*
 * Runs the attacks whose bit is in `which` on the present mutant and prints the first one that
 * finds something. Returns false if none does.
 */
static bool is_caught(const char *what, uint64_t which)
{
	bool met = false;

	for (int kind = 0; kind < 3; kind++)
		explore_forget(&explorers[kind]);
	for (size_t i = 0; i < ARRAY_SIZE(attacks); i++) {
		if (!(which >> i & 1) || is_pointless(&attacks[i]))
			continue;
		if (run_attack(&attacks[i])) {
			met = met || explore_mutant_hit(&explorers[attacks[i].kind]);
			continue;
		}
		printf("%-72s caught: %.90s (%s, \"%s\")\n", what,
		       explorers[attacks[i].kind].why, kind_name[attacks[i].kind],
		       attacks[i].program);
		return true;
	}
	for (int primary = 0; primary < 2; primary++) {
		const char *why;

		explore_select_base(&explorers[MEDIUM_FILE], BASE_USED);
		why = explore_repair(&explorers[MEDIUM_FILE], 0, primary);
		if (why) {
			printf("%-72s caught: %s\n", what, why);
			return true;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(equivalent); i++)
		if (strstr(what, equivalent[i].name)) {
			printf("%-72s equivalent: %s\n", what, equivalent[i].reason);
			return true;
		}
	printf("%-72s %s\n", what, met ? "NOT CAUGHT" : "NOT CAUGHT, was never met");
	return false;
}

static void each_flush_and_fence_is_needed(void **state)
{
	const struct site *sites;
	const uint64_t *met;
	struct site list[256];
	uint64_t which[256];
	size_t n;
	unsigned missed = 0;

	(void)state;
	/* a mutant needs only the attacks that meet its call */
	for (size_t i = 0; i < ARRAY_SIZE(attacks); i++) {
		explore_forget(&explorers[attacks[i].kind]);
		medium_mark = UINT64_C(1) << i;
		if (!run_attack(&attacks[i]))
			fail_msg("without a mutation: %s",
				 explorers[attacks[i].kind].why);
	}
	medium_mark = 0;
	n = medium_sites(&sites, &met);
	memcpy(list, sites, n * sizeof(*sites));
	memcpy(which, met, n * sizeof(*met));
	for (size_t i = 0; i < n; i++) {
		char name[512];

		site_name(&list[i], name, sizeof(name));
		/* the images that a test program itself makes */
		if (strstr(name, "explore_base.c"))
			continue;
		for (int kind = 0; kind < 3; kind++)
			explorers[kind].mutant = list[i];
		missed += !is_caught(name, which[i]);
	}
	for (int kind = 0; kind < 3; kind++)
		explorers[kind].mutant = (struct site){SITE_NONE, NULL};
	assert_true(n > 15);
	assert_int_equal(missed, 0);
}

static void set_twist(enum medium_twist twist)
{
	for (int kind = 0; kind < 3; kind++)
		explorers[kind].twist = twist;
}

static void the_order_of_the_halves_is_needed(void **state)
{
	unsigned missed = 0;

	(void)state;
	set_twist(TWIST_SWAP);
	missed +=
	    !is_caught("second half of the flog record before the first", UINT64_MAX);
	set_twist(TWIST_LATE);
	missed += !is_caught("both halves between the fences (R1; file, weak pmem)",
			     UINT64_MAX);
	set_twist(TWIST_NONE);
	assert_int_equal(missed, 0);
}

/* Without the mutation the same programs pass in test_enumerate. */
static void an_info_block_needs_the_flogs_of_all_arenas(void **state)
{
	static const struct attack layouts[] = {
	    {"w20", NULL, BASE_EMPTY, 0, MEDIUM_PMEM},
	    {"w20", NULL, BASE_STALE, 0, MEDIUM_FILE},
	};
	unsigned missed = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		struct scenario s = scenario_of(&layouts[i]);
		struct explorer ex;
		char what[128];
		bool ok;

		explore_init(&ex, &sut_btt, layouts[i].kind);
		ex.narena = 2;
		ex.fine = false;
		ex.image_limit = 2;
		ex.fence_limit = 12;
		ex.bulk_share = 1024;
		ex.twist = TWIST_LATE_FLOG;
		ok = explore(&ex, &s);
		snprintf(what, sizeof(what),
			 "second arena's flog durable with the info blocks only, %s",
			 kind_name[layouts[i].kind]);
		printf("%-72s %s%.90s\n", what,
		       ok			 ? "NOT CAUGHT"
		       : explore_mutant_hit(&ex) ? "caught: "
						 : "NOT MET: ",
		       ex.why);
		missed += ok || !explore_mutant_hit(&ex);
		explore_free(&ex);
	}
	assert_int_equal(missed, 0);
}

/* Without the mutation more programs of this kind pass in test_failing_syncs. */
static void recovery_stores_the_flogs_of_all_arenas_again(void **state)
{
	struct scenario s = {
	    .program = "w21 w31", .then = "w20 w20", .base = BASE_FRESH, .fail_fence = 2};
	unsigned missed = 0;

	(void)state;
	for (int mutant = 0; mutant < 2; mutant++) {
		struct explorer ex;
		bool ok;

		explore_init(&ex, &sut_btt, MEDIUM_FILE);
		ex.narena = 2;
		ex.fine = false;
		ex.image_limit = ex.fence_limit = 24;
		ex.drop_share = 2;
		ex.twist = mutant ? TWIST_OLD_FLOG : TWIST_NONE;
		ok = explore(&ex, &s);
		printf("%-72s %s%.90s\n",
		       mutant ? "R14: the second arena's flog is not stored again"
			      : "the same without the mutation",
		       !mutant			 ? "passes"
		       : ok			 ? "NOT CAUGHT"
		       : explore_mutant_hit(&ex) ? "caught: "
						 : "NOT MET: ",
		       ex.why);
		missed += ok == mutant || (mutant && !explore_mutant_hit(&ex));
		explore_free(&ex);
	}
	assert_int_equal(missed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_flush_and_fence_is_needed),
	    cmocka_unit_test(the_order_of_the_halves_is_needed),
	    cmocka_unit_test(an_info_block_needs_the_flogs_of_all_arenas),
	    cmocka_unit_test(recovery_stores_the_flogs_of_all_arenas_again),
	};

#ifndef HOOKED
	printf("skip: the places of calls are known in the instrumented build only\n");
	return 77;
#endif
	set_up();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
