/* SPDX-License-Identifier: BSD-3-Clause */
/* The first two pages of a pool: header, shutdown state, descriptor. */
#ifndef REPAIR_HEADER_H
#define REPAIR_HEADER_H 1

#include "repair/plan.h"

/*
 * Plans a new header if the old one is damaged. -EINVAL, message set: the header is not damaged,
 * but this is not a pool of blocks, or not one that this library opens.
 */
int header_repair(struct image *image, struct plan *plan) MUST_CHECK;

/*
 * Plan the repair of the descriptor and of the shutdown state. Do nothing if something hopeless
 * was found before.
 */
int header_repair_descriptor(struct image *image, struct plan *plan) MUST_CHECK;
int header_repair_shutdown_state(struct image *image, struct plan *plan) MUST_CHECK;

#endif
