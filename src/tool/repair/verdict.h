/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a pool is sound. This is the only place in the tool that decides it: for check, for
 * repair before it does anything, for what a plan would leave, and for what a repair has left.
 * It comes to the same answer as pmemblk_check(3), from the bytes of an image.
 */
#ifndef VERDICT_H
#define VERDICT_H 1

#include <stdbool.h>

#include "compiler.h"
#include "image/image.h"

/*
 * *consistent is false, and the message says why, where pmemblk_check() would not return 1 for
 * files like the image. Recovery is tried on the image: it has to be refreshed afterwards.
 * -ENOMEM, -EIO, message set.
 */
int verdict_of(struct image *image, bool *consistent) MUST_CHECK;

#endif
