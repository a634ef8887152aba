/* SPDX-License-Identifier: BSD-3-Clause */
/* What CPUID and XCR0 mean; pure. */
#ifndef FEATURES_H
#define FEATURES_H 1

#include "engine.h"

/* As the instructions leave it; a leaf that the CPU does not have is zero. */
struct features_raw {
	unsigned vendor[3]; /* leaf 0: EBX, EDX, ECX */
	unsigned leaf1_ecx, leaf1_edx;
	unsigned leaf7_ebx, leaf7_ecx;
	unsigned xcr0; /* its lower half; without features_has_xcr0() it does not count */
};

/* Whether the operating system lets programs read XCR0; XGETBV traps otherwise. */
bool features_has_xcr0(const struct features_raw *raw);

/* A vector set counts only when the operating system saves all of its registers. */
void features_decode(const struct features_raw *raw, struct engine_cpu *cpu);

#endif
