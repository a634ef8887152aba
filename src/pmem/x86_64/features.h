/* SPDX-License-Identifier: BSD-3-Clause */
/* Decodes CPUID and XCR0. Pure. */
#ifndef FEATURES_H
#define FEATURES_H 1

#include "engine.h"

/* The raw values of the instructions. A leaf that the CPU does not have is zero. */
struct features_raw {
	unsigned vendor[3]; /* leaf 0: EBX, EDX, ECX */
	unsigned leaf1_ecx, leaf1_edx;
	unsigned leaf7_ebx, leaf7_ecx;
	unsigned xcr0; /* the lower half; valid only if features_has_xcr0() */
};

/* Whether the operating system lets programs read XCR0. If not, XGETBV traps. */
bool features_has_xcr0(const struct features_raw *raw);

/* A vector set counts only when the operating system saves all of its registers. */
void features_decode(const struct features_raw *raw, struct engine_cpu *cpu);

#endif
