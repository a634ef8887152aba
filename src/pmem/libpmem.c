/* SPDX-License-Identifier: BSD-3-Clause */
/* Load and unload, version, message. */
#include <stdint.h>
#include <stdlib.h>

#include "auto_flush.h"
#include "compiler.h"
#include "config.h"
#include "edge.h"
#include "engine.h"
#include "engine_select.h"
#include "errormsg.h"
#include "is_pmem.h"
#include "libpmem.h"
#include "log.h"
#include "mapping.h"
#include "version_note.h"

VERSION_NOTE("libpmem");

struct engine engine;

/*
 * The priority puts it before the constructors of a program that is linked with the
 * archive.
 */
__attribute__((constructor(102))) static void load(void)
{
	struct edge edge = edge_enter(true);
	struct config config;
	struct engine_cpu cpu;

	log_load("libpmem", "PMEM");
	config_read(&config, secure_getenv);
	engine_detect(&cpu);
	engine_select(&engine, &cpu, &config,
		      config.no_flush < 0 && auto_flush_get() == 1);
	mapping_init();
	is_pmem_load();
	LOG(LOG_LEVEL_NOTICE, "flush %s%s, copy %s, non-temporal from %zu bytes on%s",
	    engine.flush_backend->name, engine.flushing ? "" : " (off)",
	    engine.kernel->name, engine.nt_threshold,
	    engine.nt_burst == SIZE_MAX ? "" : " in bursts");
	edge_leave(edge, 0);
}

__attribute__((destructor(102))) static void unload(void)
{
	is_pmem_unload();
	log_unload();
}

API_EXPORT const char *pmem_check_version(unsigned major_required,
					  unsigned minor_required)
{
	if (major_required != PMEM_MAJOR_VERSION)
		errormsg_set("libpmem major version mismatch (need %u, found %u)",
			     major_required, PMEM_MAJOR_VERSION);
	else if (minor_required > PMEM_MINOR_VERSION)
		errormsg_set("libpmem minor version mismatch (need %u, found %u)",
			     minor_required, PMEM_MINOR_VERSION);
	else
		return NULL;
	return errormsg_get();
}

API_EXPORT const char *pmem_errormsg(void)
{
	return errormsg_get();
}
