/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes the line back and may keep it in the cache. */
#include "x86_64/flush_lines.h"

static inline void flush_line(char *line)
{
	__asm__ volatile("clwb %0" : "+m"(*line));
}

FLUSH_BACKEND(flush_clwb, "clwb", ENGINE_CLWB)
