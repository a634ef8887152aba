/* SPDX-License-Identifier: BSD-3-Clause */
/* The choice of an engine; pure. */
#ifndef ENGINE_SELECT_H
#define ENGINE_SELECT_H 1

#include "config.h"
#include "engine.h"

/* Non-temporal stores from this length on, unless PMEM_MOVNT_THRESHOLD says otherwise. */
#define ENGINE_NT_THRESHOLD ((size_t)256)

/* Bytes between the fences of the write-combining workaround. */
#define ENGINE_WC_BURST ((size_t)768)

/*
 * Takes the best backend and the best kernel that the CPU can run and the configuration
 * does not forbid. auto_flush: the platform writes the caches back on power loss.
 */
void engine_select(struct engine *e, const struct engine_cpu *cpu,
		   const struct config *config, bool auto_flush);

#endif
