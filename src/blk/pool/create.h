/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef POOL_CREATE_H
#define POOL_CREATE_H 1

#include <stddef.h>
#include <sys/types.h>

#include "compiler.h"
#include "pool/pool.h"

/*
 * See pmemblk_create(). 0, or -errno with the message set. The caller closes *out with
 * pool_close().
 */
int pool_create(const char *path, size_t bsize, size_t poolsize, mode_t mode,
		struct pmemblk **out) MUST_CHECK;

#endif
