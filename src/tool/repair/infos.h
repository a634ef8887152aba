/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef INFOS_H
#define INFOS_H 1

#include "repair/plan.h"

/* Plans the repair of the info blocks. Does nothing if something hopeless was found before. */
int infos_repair(struct image *image, struct plan *plan) MUST_CHECK;

#endif
