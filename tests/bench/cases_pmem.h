/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CASES_PMEM_H
#define CASES_PMEM_H 1

#include <stddef.h>

#include "turns.h"

/*
 * The cases FIGURE/VARIANT/SIZE/ALIGNMENT/THREADS of libpmem whose names match pattern (fnmatch)
 * and whose sizes are at most max_size. The caller frees list.
 */
struct cases_pmem {
	const char *pattern;
	size_t max_size;
	struct turns_case *list;
	size_t n;
};

void cases_pmem_list(struct cases_pmem *all);

#endif
