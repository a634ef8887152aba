/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What this CPU and this kernel offer. A vector set counts only when the operating system
 * saves its registers (XCR0); the CPUID bit alone would lead to SIGILL.
 */
#include <cpuid.h>
#include <string.h>

#include "generic/kernels.h"
#include "x86_64/tables.h"

#define EDX_CLFLUSH (1u << 19) /* compilers do not agree on a name for it */
#define XCR0_AVX 0x6u	       /* SSE and AVX state */
#define XCR0_AVX512 0xe6u      /* and the opmask and ZMM state */

static unsigned read_xcr0(void)
{
	unsigned low;
	unsigned high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low;
}

static bool is_intel(void)
{
	unsigned max;
	unsigned vendor[3];

	if (!__get_cpuid(0, &max, &vendor[0], &vendor[2], &vendor[1]))
		return false;
	return memcmp(vendor, "GenuineIntel", sizeof(vendor)) == 0;
}

void engine_detect(struct engine_cpu *cpu)
{
	unsigned a = 0, b = 0, c = 0, d = 0;
	unsigned xcr0 = 0;
	bool has_avx;

	*cpu = (struct engine_cpu){.features = ENGINE_PORTABLE | ENGINE_SSE2,
				   .evicts_wc = is_intel()};
	if (!__get_cpuid(1, &a, &b, &c, &d))
		return;
	if (c & bit_OSXSAVE)
		xcr0 = read_xcr0();
	if (d & EDX_CLFLUSH)
		cpu->features |= ENGINE_CLFLUSH;
	has_avx = (c & bit_AVX) && (xcr0 & XCR0_AVX) == XCR0_AVX;
	if (has_avx)
		cpu->features |= ENGINE_AVX;
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
		return;
	if (b & bit_CLFLUSHOPT)
		cpu->features |= ENGINE_CLFLUSHOPT;
	if (b & bit_CLWB)
		cpu->features |= ENGINE_CLWB;
	if (has_avx && (b & bit_AVX512F) && (xcr0 & XCR0_AVX512) == XCR0_AVX512)
		cpu->features |= ENGINE_AVX512F;
	if (c & bit_MOVDIR64B)
		cpu->features |= ENGINE_MOVDIR64B;
}

const struct engine_flush *const engine_flushes[] = {
    &flush_clwb, &flush_clflushopt, &flush_clflush, &flush_none, NULL,
};

const struct engine_kernel *const engine_kernels[] = {
    &copy_movdir64b, &copy_avx512f, &copy_avx, &copy_sse2,
    &copy_portable,  &copy_libc,    NULL,
};
