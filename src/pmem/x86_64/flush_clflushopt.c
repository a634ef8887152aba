/* SPDX-License-Identifier: BSD-3-Clause */
/* Evicts the line. Flushes of different lines run in parallel. */
#include "x86_64/flush_lines.h"

static inline void flush_line(char *line)
{
	__asm__ volatile("clflushopt %0" : "+m"(*line));
}

FLUSH_BACKEND(flush_clflushopt, "clflushopt", ENGINE_CLFLUSHOPT)
