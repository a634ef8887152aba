/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CASES_BLK_H
#define CASES_BLK_H 1

#include <stddef.h>

#include "turns.h"

/*
 * The case named OP/BSIZE/THREADS: OP one of read, write, write-noload (with the limit that loads no
 * old map entry), mix (70 % reads), zero (set_zero and write), flag (set_error and set_zero in turn);
 * or LIFE/BSIZE: first (the first write of a new pool), open (open and close), check and
 * check-written (of a pool of 1 GiB). is_disk: the pool lies on an ordinary file. Dies of other
 * names.
 */
struct turns_case cases_blk_find(const char *name, bool is_disk);

#endif
