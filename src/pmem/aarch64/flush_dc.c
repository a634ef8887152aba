/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cleaning by address. The drain is a DSB: a DMB would order the stores, but only a DSB
 * waits until the cleaning is done. Some instructions are written as encodings, because
 * assemblers accept the names for newer architectures only.
 */
#include "aarch64/tables.h"

size_t flush_dc_line = 64;

#define LINES(instruction, addr, len)                                                    \
	do {                                                                             \
		uintptr_t line_ = (uintptr_t)(addr) & ~(flush_dc_line - 1);              \
		uintptr_t end_ = (uintptr_t)(addr) + (len);                              \
                                                                                         \
		if ((len) == 0)                                                          \
			break;                                                           \
		for (; line_ < end_; line_ += flush_dc_line)                             \
			__asm__ volatile(instruction : : "r"(line_) : "memory");         \
	} while (0)

#define CVAC "dc cvac, %0"
#define CVAP "sys #3, c7, c12, #1, %0"
#define CVADP "sys #3, c7, c13, #1, %0"

static void clean_cvac(const void *addr, size_t len)
{
	LINES(CVAC, addr, len);
}

static void clean_cvap(const void *addr, size_t len)
{
	LINES(CVAP, addr, len);
}

static void clean_cvadp(const void *addr, size_t len)
{
	LINES(CVADP, addr, len);
}

static void fence(void)
{
	__asm__ volatile("dsb sy" : : : "memory");
}

const struct engine_flush flush_cvadp = {
    .name = "dc cvap, deep dc cvadp",
    .needs = ENGINE_DCPOP | ENGINE_DCPODP,
    .durable = true,
    .flush = clean_cvap,
    .deep_flush = clean_cvadp,
    .fence = fence,
};

const struct engine_flush flush_cvap = {
    .name = "dc cvap",
    .needs = ENGINE_DCPOP,
    .durable = true,
    .flush = clean_cvap,
    .deep_flush = clean_cvap,
    .fence = fence,
};

/* On a CPU without a point of persistence, the point of coherency is the memory. */
const struct engine_flush flush_cvac = {
    .name = "dc cvac",
    .needs = 0,
    .durable = true,
    .flush = clean_cvac,
    .deep_flush = clean_cvac,
    .fence = fence,
};
