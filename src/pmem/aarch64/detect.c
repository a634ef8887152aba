/* SPDX-License-Identifier: BSD-3-Clause */
#include <sys/auxv.h>

#include "aarch64/tables.h"
#include "generic/kernels.h"

/* The kernel's bits, for headers that are older. */
#define HAS_DCPOP (1ul << 16) /* AT_HWCAP */
#define HAS_DCPODP (1ul << 0) /* AT_HWCAP2 */

/* CTR_EL0.DminLine: the logarithm of the number of words. */
static size_t smallest_line(void)
{
	uint64_t ctr;

	__asm__("mrs %0, ctr_el0" : "=r"(ctr));
	return (size_t)4 << (ctr >> 16 & 0xf);
}

void engine_detect(struct engine_cpu *cpu)
{
	*cpu = (struct engine_cpu){.features = ENGINE_PORTABLE | ENGINE_NEON};
	if (getauxval(AT_HWCAP) & HAS_DCPOP)
		cpu->features |= ENGINE_DCPOP;
	if (getauxval(AT_HWCAP2) & HAS_DCPODP)
		cpu->features |= ENGINE_DCPODP;
	flush_dc_line = smallest_line();
}

const struct engine_flush *const engine_flushes[] = {
    &flush_cvadp,
    &flush_cvap,
    &flush_cvac,
    NULL,
};

const struct engine_kernel *const engine_kernels[] = {
    &copy_neon,
    &copy_portable,
    &copy_libc,
    NULL,
};
