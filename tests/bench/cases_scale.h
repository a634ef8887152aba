/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Block pools with few and with many threads, also with many more than there are CPUs. The parties
 * are: our library with the threads of the case, the original with them, our library with two
 * threads, and the original with two threads.
 */
#ifndef CASES_SCALE_H
#define CASES_SCALE_H 1

#include <stdbool.h>

#include "turns.h"

#define CASES_SCALE_OURS_TWO TURNS_AGAIN
#define CASES_SCALE_ORIGINAL_TWO TURNS_LIMIT

/*
 * Returns the case of this name; ends the process for an unknown name. The names are those of
 * cases_blk_find() for operations. is_disk: the pool is an ordinary file.
 */
struct turns_case cases_scale_find(const char *name, bool is_disk);

#endif
