/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PICTURE_H
#define PICTURE_H 1

#include <stdio.h>

#include "btt/find.h"
#include "image/image.h"

/*
 * Draws the pool as an SVG picture: the image to scale, each arena with its areas, and a map of
 * its blocks by state. The map has at most some thousand cells. Each cell stands for so many
 * blocks that the picture of a terabyte is not larger than that of 16 MiB. problem is shown below
 * the title: what is wrong with the pool, NULL or "" if nothing is. The caller checks out for
 * write errors. -ENOMEM, message set.
 */
int picture_draw(FILE *out, const struct image *image, const struct btt_found *found,
		 const char *problem) MUST_CHECK;

#endif
