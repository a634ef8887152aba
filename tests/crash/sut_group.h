/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SUT_GROUP_H
#define SUT_GROUP_H 1

#include "explore.h"

/*
 * The library's table on a file, whose threads share their syncs by the library's group commit
 * (storage/sync_group.h). A leader does not wait for followers: time stands still.
 */
extern const struct sut sut_group;

/* A broken group: a caller that finds a sync running takes that one for its own. */
extern bool sut_group_joins_late;

#endif
