/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Limits of memory that the kernel sets for a group of processes, as a container and a service are.
 * It refuses no page of a file that is kept in memory. At the limit it kills processes of the group.
 */
#ifndef CGROUP_H
#define CGROUP_H 1

#include <stdint.h>

#include "compiler.h"

/*
 * The memory that a process can still take, swap not counted, before one of its groups reaches its
 * limit. Text is what /proc/PID/cgroup says of it. UINT64_MAX: no limit is known.
 */
uint64_t cgroup_spare_memory(const char *text) MUST_CHECK;

#endif
