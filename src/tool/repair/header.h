/* SPDX-License-Identifier: BSD-3-Clause */
/* The first two pages of a pool: header, shutdown state, descriptor. */
#ifndef REPAIR_HEADER_H
#define REPAIR_HEADER_H 1

#include "repair/plan.h"

/*
 * Plans a new header where the old one is damaged. -EINVAL, message set: nothing is damaged, but
 * this is no pool of blocks, or one that this library does not open.
 */
int header_repair(struct image *image, struct plan *plan) MUST_CHECK;

/* These do nothing when something hopeless was found before. */
int header_repair_descriptor(struct image *image, struct plan *plan) MUST_CHECK;
int header_repair_shutdown_state(struct image *image, struct plan *plan) MUST_CHECK;

#endif
