/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clflush is ordered with stores and with other clflush, but a fence still has to follow:
 * non-temporal stores are not ordered by it, and the caller must not go on before it is
 * done.
 */
#include "x86_64/flush_lines.h"

static inline void flush_line(char *line)
{
	__asm__ volatile("clflush %0" : "+m"(*line));
}

FLUSH_BACKEND(flush_clflush, "clflush", ENGINE_CLFLUSH)
