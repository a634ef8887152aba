/* SPDX-License-Identifier: BSD-3-Clause */
/* Durability by the kernel: msync(2) and deep drains. 0 or -errno with the message set. */
#ifndef DEEP_H
#define DEEP_H 1

#include <stddef.h>

#include "compiler.h"

/* As pmem_msync. */
int deep_msync(const void *addr, size_t len) MUST_CHECK;

/* As pmem_deep_drain. */
int deep_drain(const void *addr, size_t len) MUST_CHECK;

#endif
