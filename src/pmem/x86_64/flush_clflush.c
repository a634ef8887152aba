/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clflush is ordered with stores and with other clflush. A fence still has to follow, for
 * two reasons: clflush does not order non-temporal stores, and the caller must not go on
 * before the flush is done.
 */
#include "x86_64/flush_lines.h"

static inline void flush_line(char *line)
{
	__asm__ volatile("clflush %0" : "+m"(*line));
}

FLUSH_BACKEND(flush_clflush, "clflush", ENGINE_CLFLUSH)
