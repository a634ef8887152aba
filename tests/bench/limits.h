/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bare loops that are the limit of a block pool: the same loads, copies, flushes and fences
 * on the same kind of memory, without library, locks or checks. Each reports its case.
 */
#ifndef LIMITS_H
#define LIMITS_H 1

#include <stddef.h>
#include <stdint.h>

struct limits {
	const char *dir;    /* holds the memory, as an unlinked file */
	size_t size;	    /* bytes of it */
	uint64_t budget_ns; /* time for one case */
};

void limit_write(const struct limits *l, const char *name, size_t bsize);
void limit_read(const struct limits *l, const char *name, size_t bsize);

/* Two msyncs of one page each, as the two steps of a write to an ordinary file need them. */
void limit_file(const struct limits *l, const char *name);

#endif
