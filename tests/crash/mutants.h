/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the programs with mutations have in common. ONLY in the environment, a pattern, selects the
 * cases.
 */
#ifndef MUTANTS_H
#define MUTANTS_H 1

#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#include "explore.h"
#include "sut_btt.h"

static struct explorer explorers[3]; /* one for each kind of medium */

static inline void set_up(void)
{
	for (int kind = 0; kind < 3; kind++) {
		struct explorer *ex = &explorers[kind];

		explore_init(ex, &sut_btt, (enum medium_kind)kind);
		ex->fine = false;
		ex->nlane = 11;
		ex->run_limit = 1000;
	}
	if (getenv("ONLY"))
		cmocka_set_test_filter(getenv("ONLY"));
	setvbuf(stdout, NULL, _IOLBF, 0);
}

#endif
