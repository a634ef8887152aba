/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decides whether a pool is sound, from the bytes of an image, with the same answer as
 * pmemblk_check(3). Nothing else in the tool decides it: check uses this, and repair does before
 * it begins, for what a plan would leave, and for what the files hold afterwards.
 */
#ifndef VERDICT_H
#define VERDICT_H 1

#include <stdbool.h>

#include "compiler.h"
#include "image/image.h"

/*
 * *consistent: whether pmemblk_check() would return 1 for files like the image. If not, the
 * message says why. Tries recovery on the image, which has to be refreshed afterwards. -ENOMEM,
 * -EIO, message set.
 */
int verdict_of(struct image *image, bool *consistent) MUST_CHECK;

#endif
