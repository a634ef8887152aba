/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SUT_BTT_H
#define SUT_BTT_H 1

#include "explore.h"

/* The library's table. */
extern const struct sut sut_btt;

#endif
