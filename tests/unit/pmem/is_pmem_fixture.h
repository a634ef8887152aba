/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of ranges of its tests, and a thread that changes it. */
#ifndef IS_PMEM_FIXTURE_H
#define IS_PMEM_FIXTURE_H 1

#include <stdatomic.h>
#include <unistd.h>

#include "is_pmem.h"
#include "support.h"

#define PAGE ((uintptr_t)sysconf(_SC_PAGESIZE))
#define BASE ((uintptr_t)1 << 40)

static inline void *at(uintptr_t addr)
{
	return (void *)addr;
}

static inline int clear(void **state)
{
	(void)state;
	return is_pmem_remove(at(0), SIZE_MAX);
}

static atomic_bool stop_changing;

/* Changes everything but the first page, all the time, and lets the tables grow. */
static inline void *keep_changing(void *arg)
{
	uint64_t random = 1;

	(void)arg;
	while (!atomic_load(&stop_changing)) {
		uintptr_t page = 2 + support_random(&random) % 2000;

		if (support_random(&random) % 2)
			assert_int_equal(is_pmem_add(at(BASE + page * PAGE), PAGE, 1), 0);
		else
			assert_int_equal(is_pmem_remove(at(BASE + page * PAGE), PAGE), 0);
	}
	return NULL;
}

#endif
