/* SPDX-License-Identifier: BSD-3-Clause */
/* Chooses an engine. Pure. */
#ifndef ENGINE_SELECT_H
#define ENGINE_SELECT_H 1

#include "config.h"
#include "engine.h"

/* Copies of this length and more are non-temporal; PMEM_MOVNT_THRESHOLD changes it. */
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
