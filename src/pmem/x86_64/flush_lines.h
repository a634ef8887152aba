/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The common part of the flush backends of x86-64. A backend's file defines flush_line()
 * and makes its table with FLUSH_BACKEND.
 */
#ifndef FLUSH_LINES_H
#define FLUSH_LINES_H 1

#include "x86_64/tables.h"

static inline void flush_line(char *line);

static void flush_lines(const void *addr, size_t len)
{
	uintptr_t line = (uintptr_t)addr & ~(ENGINE_LINE - 1);
	uintptr_t end = (uintptr_t)addr + len;

	if (len == 0)
		return;
	engine_fetch_short(line, end);
	for (; line < end; line += ENGINE_LINE)
		flush_line((char *)line);
}

static void fence(void)
{
	__asm__ volatile("sfence" ::: "memory");
}

#define FLUSH_BACKEND(table, label, feature)                                             \
	const struct engine_flush table = {                                              \
	    .name = (label),                                                             \
	    .needs = (feature),                                                          \
	    .durable = true,                                                             \
	    .flush = flush_lines,                                                        \
	    .deep_flush = flush_lines,                                                   \
	    .fence = fence,                                                              \
	};

#endif
