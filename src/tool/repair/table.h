/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TABLE_H
#define TABLE_H 1

#include "btt/find.h"
#include "repair/plan.h"

/*
 * Plans the repair of the maps and flogs of all arenas of a valid layout. 0 or -errno, message
 * set; damage goes to the plan.
 */
int table_repair(struct image *image, struct plan *plan,
		 const struct btt_found *found) MUST_CHECK;

#endif
