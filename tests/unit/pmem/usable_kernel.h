/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef USABLE_KERNEL_H
#define USABLE_KERNEL_H 1

#include "engine.h"

/*
 * The kernels that this CPU can run, one after the other, also those for another family of CPUs. *i is 0
 * at first. NULL after the last.
 */
static inline const struct engine_kernel *usable_kernel(size_t *i)
{
	struct engine_cpu cpu;

	engine_detect(&cpu);
	for (; engine_kernels[*i]; ++*i)
		if (!(engine_kernels[*i]->needs & ~(cpu.features | ENGINE_TUNING)))
			return engine_kernels[(*i)++];
	return NULL;
}

#endif
