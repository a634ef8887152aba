/* SPDX-License-Identifier: BSD-3-Clause */
#include "x86_64/features.h"

#include <cpuid.h>
#include <string.h>

#define EDX_CLFLUSH (1u << 19) /* the compilers' headers have different names for it */
#define XCR0_AVX 0x6u	       /* SSE and AVX state */
#define XCR0_AVX512 0xe6u      /* and the opmask and ZMM state */

bool features_has_xcr0(const struct features_raw *raw)
{
	return (raw->leaf1_ecx & bit_OSXSAVE) != 0;
}

void features_decode(const struct features_raw *raw, struct engine_cpu *cpu)
{
	unsigned xcr0 = features_has_xcr0(raw) ? raw->xcr0 : 0;
	bool has_avx = (raw->leaf1_ecx & bit_AVX) && (xcr0 & XCR0_AVX) == XCR0_AVX;

	*cpu = (struct engine_cpu){
	    .features = ENGINE_PORTABLE | ENGINE_SSE2,
	    .evicts_wc = memcmp(raw->vendor, "GenuineIntel", sizeof(raw->vendor)) == 0,
	};
	if (memcmp(raw->vendor, "AuthenticAMD", sizeof(raw->vendor)) == 0)
		cpu->features |= ENGINE_ZEN;
	if (raw->leaf1_edx & EDX_CLFLUSH)
		cpu->features |= ENGINE_CLFLUSH;
	if (has_avx)
		cpu->features |= ENGINE_AVX;
	if (raw->leaf7_ebx & bit_CLFLUSHOPT)
		cpu->features |= ENGINE_CLFLUSHOPT;
	if (raw->leaf7_ebx & bit_CLWB)
		cpu->features |= ENGINE_CLWB;
	if (has_avx && (raw->leaf7_ebx & bit_AVX512F) &&
	    (xcr0 & XCR0_AVX512) == XCR0_AVX512)
		cpu->features |= ENGINE_AVX512F;
	if (raw->leaf7_ecx & bit_MOVDIR64B)
		cpu->features |= ENGINE_MOVDIR64B;
}
