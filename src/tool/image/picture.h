/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PICTURE_H
#define PICTURE_H 1

#include <stdio.h>

#include "btt/find.h"
#include "image/image.h"

/*
 * Draws the pool as an SVG picture: the image to scale, each arena with its areas, and a map of its
 * blocks by state. The map is made of at most some thousand cells, each for as many blocks as it
 * takes, so that the picture of a terabyte is no larger than that of 16 MiB. problem: what is wrong
 * with the pool, shown below the title; NULL or "" if nothing is. Writing errors are left in out.
 * -ENOMEM, message set.
 */
int picture_draw(FILE *out, const struct image *image, const struct btt_found *found,
		 const char *problem) MUST_CHECK;

#endif
