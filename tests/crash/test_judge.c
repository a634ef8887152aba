/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests the explorer itself: it finds nothing wrong with the right protocol, and a violation in
 * each protocol that lacks a rule. Only then does it mean something that it finds nothing.
 */
#include "support.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "programs.h"
#include "proto.h"

struct trial {
	const char *name;
	struct rules rules;
	enum medium_kind kind;
	bool sound;
	const char *kinds; /* of the random programs, or one program if it has a digit */
	unsigned nthread, nop, nblock;
	bool kill;
};

#define PROGRAMS_SOUND 12
#define PROGRAMS_BROKEN 400

#define SOUND(what, kind_, ops, threads, nop_, nblock_, kill_, ...)                      \
	{                                                                                \
		what, {__VA_ARGS__}, kind_, true, ops, threads, nop_, nblock_, kill_     \
	}

static const struct trial sound[] = {
    SOUND("two fences", MEDIUM_PMEM, "wwze", 2, 4, 2, false, .four_step = false),
    SOUND("two fences", MEDIUM_PMEM, "wwze", 1, 4, 3, true, .four_step = false),
    SOUND("two fences", MEDIUM_WEAK, "wwze", 2, 3, 2, true, .four_step = false),
    SOUND("two fences", MEDIUM_FILE, "wwze", 2, 4, 2, false, .four_step = false),
    SOUND("two fences", MEDIUM_FILE, "wwze", 1, 4, 3, true, .four_step = false),
    SOUND("deferred flush", MEDIUM_PMEM, "wwze", 2, 4, 2, true, .no_end_flush = true),
    SOUND("deferred flush, a mark per line", MEDIUM_PMEM, "wwwze", 1, 4, 4, true,
	  .no_end_flush = true, .mark = MARK_PER_LINE),
    SOUND("four fences", MEDIUM_FILE, "wwze", 2, 4, 2, false, .four_step = true),
    SOUND("readers", MEDIUM_PMEM, "r00 | w00 w20 w01", 2, 4, 1, false,
	  .four_step = false),
    /* comparing one of the two is enough: the entry cannot change again before the version is raised,
       and the version is raised before the block that the entry named can be overwritten */
    SOUND("R11: version without entry", MEDIUM_PMEM, "r00 | w00 w20 w01", 2, 4, 1, false,
	  .reader = READ_VERSION_ONLY),
    SOUND("R11: version raised late", MEDIUM_PMEM, "r00 | w00 | w20", 2, 4, 1, false,
	  .late_version = true),
};

#define BROKEN(what, kind_, ops, threads, nop_, nblock_, kill_, ...)                     \
	{                                                                                \
		what, {__VA_ARGS__}, kind_, false, ops, threads, nop_, nblock_, kill_    \
	}

static const struct trial broken[] = {
    BROKEN("no first fence", MEDIUM_PMEM, "w", 1, 2, 2, false, .no_fence1 = true),
    BROKEN("no second fence", MEDIUM_PMEM, "w", 1, 2, 2, false, .no_fence2 = true),
    BROKEN("no first fence", MEDIUM_FILE, "w", 1, 2, 2, false, .no_fence1 = true),
    BROKEN("no second fence", MEDIUM_FILE, "w", 1, 2, 2, false, .no_fence2 = true),
    BROKEN("second half first", MEDIUM_PMEM, "w", 1, 3, 2, false, .swapped = true),
    BROKEN("R1: both halves between the fences of a file", MEDIUM_FILE, "w", 1, 2, 2,
	   false, .late_first = true),
    BROKEN("R1: the same, weak persistent memory", MEDIUM_WEAK, "w", 1, 2, 2, false,
	   .late_first = true),
    BROKEN("R2 left out", MEDIUM_PMEM, "w", 1, 4, 1, false, .no_flush_entry = true,
	   .no_end_flush = true),
    BROKEN("R2 left out", MEDIUM_FILE, "wz", 2, 4, 1, false, .no_flush_entry = true),
    BROKEN("R3 left out", MEDIUM_PMEM, "w", 1, 4, 3, false, .no_flush_prev = true,
	   .no_end_flush = true),
    BROKEN("R3 left out, two threads, flush at the end", MEDIUM_PMEM, "w", 2, 3, 3, false,
	   .no_flush_prev = true),
    BROKEN("R3 left out", MEDIUM_FILE, "w", 1, 4, 3, false, .no_flush_prev = true),
    BROKEN("R5 left out", MEDIUM_FILE, "w", 1, 1, 1, false, .no_sync = true),
    BROKEN("R6: ZERO found there is taken for durable", MEDIUM_PMEM, "z", 1, 1, 1, true,
	   .zero_shortcut = true),
    BROKEN("R8 left out", MEDIUM_PMEM, "w", 1, 3, 2, true, .trusting_open = true),
    BROKEN("R8 left out", MEDIUM_FILE, "w", 1, 3, 2, true, .trusting_open = true),
    BROKEN("R10: a mark per lock", MEDIUM_PMEM, "wz", 1, 4, 4, false,
	   .no_end_flush = true, .mark = MARK_PER_LOCK),
    BROKEN("four fences, killed", MEDIUM_PMEM, "wz", 1, 2, 1, true, .four_step = true),
    BROKEN("R11: entry without version", MEDIUM_PMEM, "r00 | w00 w00 w00", 2, 1, 1, false,
	   .reader = READ_ENTRY_ONLY),
    BROKEN("R11: version without entry, raised late", MEDIUM_PMEM, "r00 | w00 | w20", 2,
	   1, 1, false, .late_version = true, .reader = READ_VERSION_ONLY),
};

static bool run_trial(const struct trial *t, char *why, size_t size,
		      struct explore_stats *stats)
{
	struct explorer ex;
	struct sut sut;
	uint64_t rng = 1;
	bool fixed = strchr(t->kinds, '0') != NULL;
	unsigned n = fixed ? 2 : t->sound ? PROGRAMS_SOUND : PROGRAMS_BROKEN;
	bool ok = true;

	proto_init(&sut, t->name, &t->rules);
	explore_init(&ex, &sut, t->kind);
	ex.run_limit = fixed ? 20000 : t->sound ? 3000 : 1500;
	ex.kill_share = t->sound ? 8 : 1;
	ex.split_writes = fixed;
	for (unsigned i = 0; ok && i < n; i++) {
		char program[64], then[64];
		struct scenario s = {.program = program,
				     .then = t->kill ? then : NULL,
				     .base = i % 2 ? BASE_FRESH : BASE_USED};

		if (fixed)
			strcpy(program, t->kinds);
		else
			program_random(program, &rng, t->kinds, t->nthread, t->nop,
				       t->nblock);
		if (t->nthread == 1 && t->nop < NOP)
			strcat(program, " s");
		program_random(then, &rng, fixed ? "w" : t->kinds, 1, 2, t->nblock);
		ok = explore(&ex, &s);
	}
	snprintf(why, size, "%s", ex.why);
	*stats = ex.stats;
	explore_free(&ex);
	return ok;
}

static void sound_protocols_pass(void **state)
{
	char why[1024];
	struct explore_stats stats;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sound); i++) {
		if (!run_trial(&sound[i], why, sizeof(why), &stats))
			fail_msg("%s", why);
		print_stats(sound[i].name, &stats);
	}
}

static void each_broken_protocol_is_caught(void **state)
{
	unsigned missed = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		char why[1024];
		struct explore_stats stats;
		bool ok = run_trial(&broken[i], why, sizeof(why), &stats);

		if (ok) {
			printf("%s: NOT CAUGHT\n", broken[i].name);
			missed++;
		} else {
			printf("%s: caught by program %" PRIu64 ": %.300s\n",
			       broken[i].name, stats.scenarios, why);
		}
	}
	assert_int_equal(missed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sound_protocols_pass),
	    cmocka_unit_test(each_broken_protocol_is_caught),
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
