/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the programs that enumerate images have in common.
 *
 * CHECK_LONG=1 in the environment makes them go on for minutes. SEED sets the seed of random
 * programs, which is printed; ONLY, a pattern, which cases run.
 */
#ifndef ENUMERATE_H
#define ENUMERATE_H 1

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

static inline void init(struct explorer *ex, enum medium_kind kind)
{
	explore_init(ex, &sut_btt, kind);
	ex->check_share = check_long ? 1 : 4;
}

static inline void explore_or_fail(struct explorer *ex, const struct scenario *scenario)
{
	if (!explore(ex, scenario))
		fail_msg("seed %" PRIu64 ": %s", ex->seed, ex->why);
}

/* Each program on the fresh base and on the used one. */
static inline void explore_all(struct explorer *ex, const char *const *programs, size_t n,
			       const char *then)
{
	for (size_t i = 0; i < n; i++)
		for (int base = BASE_FRESH; base <= BASE_USED; base++) {
			struct scenario s = {
			    .program = programs[i], .then = then, .base = (unsigned)base};

			explore_or_fail(ex, &s);
		}
}

#ifndef HOOKED
static inline void skip_two_arenas(void)
{
	print_message("skipped: an arena is as large as on real media here\n");
	skip();
}
#endif

static inline void read_environment(void)
{
#ifdef HOOKED /* with a sanitizer more programs of the same kind find nothing more */
	check_long = getenv("CHECK_LONG") != NULL;
#endif
	if (getenv("SEED"))
		seed = strtoull(getenv("SEED"), NULL, 0);
	if (getenv("ONLY"))
		cmocka_set_test_filter(getenv("ONLY"));
	setvbuf(stdout, NULL, _IOLBF, 0);
	elapsed();
}

#endif
