/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads the registers that tell what this CPU and this kernel offer; features.c decodes
 * them.
 */
#include <cpuid.h>

#include "generic/kernels.h"
#include "x86_64/features.h"
#include "x86_64/tables.h"

static unsigned read_xcr0(void)
{
	unsigned low;
	unsigned high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low;
}

/* The registers of a leaf that the CPU does not have stay zero. */
static void read_raw(struct features_raw *raw)
{
	unsigned a;
	unsigned b;
	unsigned c;
	unsigned d;

	*raw = (struct features_raw){.xcr0 = 0};
	if (__get_cpuid(0, &a, &b, &c, &d)) {
		raw->vendor[0] = b;
		raw->vendor[1] = d;
		raw->vendor[2] = c;
	}
	if (__get_cpuid(1, &a, &b, &c, &d)) {
		raw->leaf1_ecx = c;
		raw->leaf1_edx = d;
	}
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
		raw->leaf7_ebx = b;
		raw->leaf7_ecx = c;
	}
	if (features_has_xcr0(raw))
		raw->xcr0 = read_xcr0();
}

void engine_detect(struct engine_cpu *cpu)
{
	struct features_raw raw;

	read_raw(&raw);
	features_decode(&raw, cpu);
}

const struct engine_flush *const engine_flushes[] = {
    &flush_clwb, &flush_clflushopt, &flush_clflush, &flush_none, NULL,
};

const struct engine_kernel *const engine_kernels[] = {
    &copy_movdir64b, &copy_avx512f_zen, &copy_avx512f, &copy_avx_zen, &copy_avx,
    &copy_sse2,	     &copy_portable,	&copy_libc,    NULL,
};
