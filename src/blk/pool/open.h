/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening and checking. Functions return 0 or -errno and have set the message. */
#ifndef POOL_OPEN_H
#define POOL_OPEN_H 1

#include <stddef.h>

#include "compiler.h"
#include "pool/pool.h"

/* See pmemblk_open(). The caller closes *out with pool_close(). */
int pool_open(const char *path, size_t bsize, struct pmemblk **out) MUST_CHECK;

/* Returns 1 if the pool is consistent, 0 if not, -errno. Changes nothing. */
int pool_check(const char *path, size_t bsize) MUST_CHECK;

#endif
